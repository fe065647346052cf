"""Cleaning up from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from recovery.models import Termination
from recovery.states import ExecutionState, Kind
from tests.factories.terminations import ended, launched

pytestmark = pytest.mark.django_db


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("executions", *arguments, stdout=out)
    return out.getvalue()


def test_it_asks_for_the_clean_up(db):
    execution = launched()
    assert "2 instances" in said("terminate", str(execution.pk), "--reason", "over")
    assert Termination.objects.get().reason == "over"
    assert AuditRecord.objects.get(event="recovery.termination.requested").actor_name == "portal"


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
    for wrong in ("x", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(CommandError, match="no execution"):
            said("terminate", wrong)
    assert not Termination.objects.exists()


def test_it_says_what_became_of_each(db):
    execution = launched()
    ended(execution)
    told = said("terminations", str(execution.pk))
    assert "app-1: Terminated." in told
    assert "app-2: Failed. it is protected" in told
    assert "1 instances may be there still" in told
