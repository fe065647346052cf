"""A portal that is rebuilt from its mirror is the one that was lost."""

import pytest
from django.db import transaction

from audit.models import AuditRecord
from audit.services import record
from drportal.actor import PORTAL
from drportal.mirror import services
from protection.models import (
    AccountRegion,
    GroupVersion,
    ProtectionGroup,
    SourceServer,
    TargetAccount,
)
from recovery.models import PlanWaveGroup, RecoveryPlan
from recovery.states import ExecutionState
from tests.factories.protection import AccountRegionFactory, ProtectionGroupFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.terminations import TerminationInstanceFactory
from tests.mirror.emptying import everything_told, lose_everything
from tests.mirror.made import everything_set_of
from tests.mirror.store import both_sides_equal, drain_all

pytestmark = pytest.mark.django_db(transaction=True)


def a_portal():
    """One of everything, all of it in the mirror."""
    groups = [ProtectionGroupFactory.create(), ProtectionGroupFactory.create(tags={"Tier": "1"})]
    everything_set_of(groups[0])
    plan = plan_of(*groups, gates=(2,), owner="somebody", tags={"a": "b"})
    PlanWaveGroup.objects.filter(group=groups[0]).update(optional_server_ids=["s-1"])
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED)
    wave = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(wave=wave, account=groups[0].account)
    server = WaveServerFactory.create(wave=wave, launch_job=job)
    TerminationInstanceFactory.create(
        server=server, job__termination__execution=execution, job__account=groups[0].account
    )
    AccountRegionFactory.create(
        account=groups[0].account,
        region="us-west-2",
        server_count=None,
        listed_at=None,
        status="ERROR",
        message="x",
    )
    with transaction.atomic():
        record("tests.made", actor=PORTAL, subject=plan, said="something")
    services.resync()
    drain_all()
    both_sides_equal()
    return plan


def columns_of(model):
    return list(model._default_manager.order_by("pk").values())


def test_everything_comes_back(store):
    a_portal()
    told = everything_told()
    lose_everything()
    assert not TargetAccount.objects.exists()
    restored = services.restore(take_over=True)
    assert restored.left_out == []
    assert everything_told() == told
    drain_all()
    both_sides_equal()


MODELS = (ProtectionGroup, GroupVersion, SourceServer, RecoveryPlan, AuditRecord, AccountRegion)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_rows_are_as_they_were(store, model):
    a_portal()
    AccountRegion.objects.update(checked_at=None)
    before = columns_of(model)
    assert before
    lose_everything()
    services.restore(take_over=True)
    assert columns_of(model) == before


def test_numbers_go_on_where_they_ended(store):
    plan = a_portal()
    last = AuditRecord.objects.latest("pk").pk
    lose_everything()
    services.restore(take_over=True)
    with transaction.atomic():
        record("tests.made", actor=PORTAL)
    assert AuditRecord.objects.latest("pk").pk > last
    TargetAccount.objects.update(name="changed after the restore")
    RecoveryPlan.objects.filter(pk=plan.pk).update(description="changed")
    with transaction.atomic():
        services.mark("RecoveryPlans", plan.pk)
        services.mark("TargetAccounts", *TargetAccount.objects.values_list("pk", flat=True))
    assert services.drain().postponed == 0  # a version from before the loss would be refused
    assert store.held("RecoveryPlans")[str(plan.pk)]["description"] == "changed"
