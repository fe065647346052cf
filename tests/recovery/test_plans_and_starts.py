"""Plans are versioned, executions are snapshots, and a start that is refused leaves nothing."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit.models import AuditRecord
from drportal.errors import InvalidInput
from protection.models import AccountRegion, SourceServer
from recovery.errors import (
    ConfirmationNeeded,
    ExecutionEnded,
    GateNotReached,
    PlanChanged,
    PlanHasNoServers,
    PlanIsRunning,
    PlanNameTaken,
    ServersHeld,
    ServersNotReady,
    ServerTwice,
)
from recovery.models import Execution, PlanVersion, RecoveryPlan, ServerClaim, Wave, WaveServer
from recovery.services import executions, plans
from recovery.states import ExecutionState, Kind
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import PreflightFactory
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    return SourceServerFactory.create(tags={"Tier": "db"})


@pytest.fixture
def group(server):
    return ProtectionGroupFactory.create(
        account=server.account, region=server.region, servers=[server]
    )


def spec(*groups, name="Wave", **more):
    return plans.WaveSpec(name=name, group_ids=tuple(group.pk for group in groups), **more)


def plan_of(*waves, name="Plan") -> RecoveryPlan:
    return plans.create(name=name, waves=waves, approval_needed=False, actor=PERSON)


def start(plan, kind=Kind.DRILL, **more) -> Execution:
    PreflightFactory.create(plan=plan)
    return executions.start(plan, kind=kind, actor=PERSON, **more)


def nothing_started() -> bool:
    tables = (Execution, Wave, WaveServer, ServerClaim)
    recorded = AuditRecord.objects.filter(event="recovery.execution.started")
    return not any(table.objects.exists() for table in tables) and not recorded.exists()


def test_every_edit_is_a_version_that_can_never_change(group):
    plan = plan_of(spec(group))
    plan = plans.edit(plan, name="Plan", waves=[spec(group, name="Renamed")], actor=PERSON)
    one, two = PlanVersion.objects.order_by("number")
    assert [row.document["waves"][0]["name"] for row in (one, two)] == ["Wave", "Renamed"]
    with pytest.raises(IntegrityError, match="never_change"), transaction.atomic():
        PlanVersion.objects.filter(pk=one.pk).update(document={})


def test_an_edit_of_an_old_version_is_refused(group):
    plan = plan_of(spec(group))
    plans.edit(plan, name="Plan", waves=[spec(group)], version=1, actor=PERSON)
    with pytest.raises(PlanChanged):
        plans.edit(plan, name="Lost", waves=[spec(group)], version=1, actor=PERSON)
    plan.refresh_from_db()
    assert (plan.name, plan.version) == ("Plan", 2)


@pytest.mark.parametrize(
    ("waves", "code"),
    [
        (lambda _: [], "no_waves"),
        (lambda _: [spec(name="No group")], "no_groups"),
        (lambda g: [spec(g, name=" ")], "invalid"),
        (lambda g: [spec(g, depends_on=(1,))], "cycle"),
        (lambda g: [spec(g, depends_on=(7,))], "unknown_wave"),
        (lambda g: [spec(g), spec(g, name="Again")], "group_twice"),
        (lambda g: [spec(g, time_limit=timedelta(seconds=1))], "invalid"),
        (lambda g: [spec(g, gate_instructions="x" * 1001)], "too_long"),
        (lambda g: [spec(g)] * 51, "too_many"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_a_code(group, waves, code):
    with pytest.raises(InvalidInput) as refused:
        plan_of(*waves(group))
    assert code in {error["code"] for error in refused.value.errors}
    assert not RecoveryPlan.objects.exists()
    assert not AuditRecord.objects.filter(event__startswith="recovery.plan").exists()


def test_names_of_plans_are_unique_regardless_of_case(group):
    plan_of(spec(group))
    with pytest.raises(PlanNameTaken):
        plan_of(spec(group), name="PLAN")


def test_a_running_plan_is_not_deleted_and_an_ended_one_leaves_its_history(group):
    plan = plan_of(spec(group))
    execution = start(plan)
    with pytest.raises(PlanIsRunning):
        plans.delete(plan, actor=PERSON)
    Execution.objects.filter(pk=execution.pk).update(
        state=ExecutionState.COMPLETED, finished_at=timezone.now()
    )
    plans.delete(plan, actor=PERSON)
    execution.refresh_from_db()
    assert (execution.plan, execution.plan_name) == (None, "Plan")


def test_a_recovery_wants_the_plans_name_typed_out(group):
    plan = plan_of(spec(group))
    for wrong in ("", "plan", "Plan B"):
        with pytest.raises(ConfirmationNeeded):
            start(plan, Kind.RECOVERY, confirmation=wrong)
    assert nothing_started()
    assert start(plan, Kind.RECOVERY, confirmation="Plan").kind == Kind.RECOVERY


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"replication_state": "INITIAL_SYNC"}, "first sync"),
        ({"replication_state": "DISCONNECTED"}, "disconnected"),
        ({"gone_at": timezone.now()}, "no longer lists"),
        ({"staging_status": "EXTENSION_ERROR", "staging_error": "role gone"}, "role gone"),
    ],
)
def test_a_server_that_cannot_be_launched_keeps_the_plan_from_starting(group, server, facts, why):
    plan = plan_of(spec(group))
    SourceServer.objects.filter(pk=server.pk).update(**facts)
    with pytest.raises(ServersNotReady) as refused:
        start(plan)
    assert server.name in refused.value.detail
    assert why in refused.value.detail
    assert nothing_started()


def test_what_is_unknown_blocks(group, server):
    plan = plan_of(spec(group))
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(ServersNotReady) as refused:
        start(plan)
    assert "60 minutes ago" in refused.value.detail
    assert nothing_started()


def test_a_server_in_two_groups_of_a_plan_is_not_launched_twice(group, server):
    by_tag = ProtectionGroupFactory.create(
        account=server.account, region=server.region, tags={"Tier": "db"}
    )
    plan = plan_of(spec(group), spec(by_tag, name="Again"))
    with pytest.raises(ServerTwice) as refused:
        start(plan)
    assert server.name in refused.value.detail
    assert nothing_started()


def test_a_wave_that_would_launch_nothing_keeps_the_plan_from_starting(group, server):
    by_tag = ProtectionGroupFactory.create(
        account=server.account, region=server.region, tags={"Tier": "web"}
    )
    plan = plan_of(spec(group), spec(by_tag, name="Empty"))
    with pytest.raises(PlanHasNoServers, match="Empty"):
        start(plan)
    assert nothing_started()


def test_the_second_of_two_plans_is_told_which_execution_holds_the_server(group, server):
    first = start(plan_of(spec(group)))
    by_tag = ProtectionGroupFactory.create(
        account=server.account, region=server.region, tags={"Tier": "db"}
    )
    with pytest.raises(ServersHeld) as refused:
        start(plan_of(spec(by_tag), name="Second"))
    assert str(first.pk) in refused.value.detail
    assert Execution.objects.count() == 1


def test_asking_twice_to_cancel_is_asking_once(group):
    execution = start(plan_of(spec(group)))
    executions.cancel(execution, reason="First.", actor=PERSON)
    executions.cancel(execution, reason="Second.", actor=PERSON)
    execution.refresh_from_db()
    assert execution.cancel_reason == "First."
    assert execution.events.filter(kind="execution.cancel_requested").count() == 1


def test_a_gate_that_nobody_waits_at_cannot_be_opened(group):
    execution = start(plan_of(spec(group, gate=True)))
    with pytest.raises(GateNotReached):
        executions.resume(execution, actor=PERSON)
    with pytest.raises(GateNotReached):
        executions.resume(execution, position=9, actor=PERSON)
    assert execution.waves.get().gate_opened_at is None


def test_nothing_can_be_asked_of_an_execution_that_has_ended(group):
    execution = start(plan_of(spec(group)))
    Execution.objects.filter(pk=execution.pk).update(
        state=ExecutionState.FAILED, finished_at=timezone.now()
    )
    for ask in (executions.cancel, executions.resume):
        with pytest.raises(ExecutionEnded):
            ask(execution, actor=PERSON)


def test_the_database_holds_what_must_never_be_true(group):
    execution = start(plan_of(spec(group)))
    claim = ServerClaim.objects.get()
    claim.pk = None
    with pytest.raises(IntegrityError, match="held_once"), transaction.atomic():
        claim.save(force_insert=True)
    for broken in (
        "UPDATE recovery_execution SET state = 'COMPLETED'",
        "UPDATE recovery_wave SET finished_at = now()",
    ):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(broken)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.PENDING
