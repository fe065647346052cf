"""Cleaning up from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from recovery.models import Termination
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, Kind
from tests.factories.terminations import ended, launched
from tests.factories.users import SuperuserFactory, UserFactory, grant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def olivia(db):
    return SuperuserFactory.create(username="olivia")


def said(*arguments: str, who: str = "olivia") -> str:
    out = StringIO()
    call_command("executions", *arguments, "--as", who, stdout=out)
    return out.getvalue()


def test_it_asks_for_the_clean_up(db):
    execution = launched()
    assert "2 instances" in said("terminate", str(execution.pk), "--reason", "over")
    assert Termination.objects.get().reason == "over"
    assert AuditRecord.objects.get(event="recovery.termination.requested").actor_name == "olivia"


def test_a_recovery_wants_the_plans_name(db):
    execution = launched(Kind.RECOVERY)
    with pytest.raises(CommandError, match="as the confirmation"):
        said("terminate", str(execution.pk), "--confirm", "something")
    assert not Termination.objects.exists()
    said("terminate", str(execution.pk), "--confirm", execution.plan_name)
    assert Termination.objects.exists()


def test_what_cannot_be_is_said_and_nothing_is_written(db):
    with pytest.raises(CommandError, match="has not ended"):
        said("terminate", str(launched(state=ExecutionState.RUNNING).pk))
    with pytest.raises(CommandError, match="no execution"):
        said("terminate", "00000000-0000-0000-0000-000000000000")
    assert not Termination.objects.exists()


def test_it_says_what_became_of_each(db):
    execution = launched()
    ended(execution)
    told = said("terminations", str(execution.pk))
    assert "app-1: Terminated." in told
    assert "app-2: Failed. it is protected" in told
    assert "1 instances may be there still" in told


@pytest.mark.parametrize(
    ("kind", "enough"),
    [
        (Kind.DRILL, PlanPermission.TERMINATE),
        (Kind.RECOVERY, PlanPermission.TERMINATE_RECOVERY),
    ],
)
def test_it_takes_the_permission_of_its_kind(kind, enough):
    execution = launched(kind)
    person = UserFactory.create(username="pat")
    others = {PlanPermission.TERMINATE, PlanPermission.TERMINATE_RECOVERY} - {enough}
    grant(person, PlanPermission.VIEW, PlanPermission.STEER, *others, on=execution.plan)
    words = ("terminate", str(execution.pk), "--confirm", execution.plan_name)
    with pytest.raises(CommandError, match="may not clean up"):
        said(*words, who="pat")
    assert not Termination.objects.exists()
    assert "may be there still" in said("terminations", str(execution.pk), who="pat")
    grant(person, enough, on=execution.plan)
    said(*words, who="pat")
    assert Termination.objects.exists()
