"""Failing back from the command line."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from recovery.failback_states import FailbackState
from recovery.models import Failback
from recovery.permissions import PlanPermission
from recovery.states import Kind
from tests.factories.failbacks import returning
from tests.factories.terminations import launched
from tests.factories.users import SuperuserFactory, UserFactory, grant

pytestmark = pytest.mark.django_db


@pytest.fixture
def execution(db):
    SuperuserFactory.create(username="olivia")
    return launched(Kind.RECOVERY)


def said(*arguments: str, who: str = "olivia") -> str:
    out = StringIO()
    call_command("failbacks", *arguments, "--as", who, stdout=out)
    return out.getvalue()


def test_it_starts_with_a_reason_and_the_plans_name(execution):
    pk, name = str(execution.pk), execution.plan_name
    for wrong in (["--confirm", "x", "--reason", "x"], ["--confirm", name]):
        with pytest.raises(CommandError):
            said("start", pk, *wrong)
    assert not Failback.objects.exists()
    said("start", pk, "--confirm", name, "--reason", "over")
    assert Failback.objects.get().reason == "over"
    assert AuditRecord.objects.get(event="recovery.failback.requested").actor_name == "olivia"
    assert "Waiting" in said("show", pk)


def test_it_is_steered(execution):
    pk = str(execution.pk)
    failback = returning(execution, FailbackState.WATCHING)
    assert "waits for a person at the gate LAUNCH" in said("show", pk)
    server = execution.servers.order_by("name")[0]
    said("leave-out", pk, "--server", server.server_id, "--reason", "burnt")
    with pytest.raises(CommandError, match="--gate"):
        said("open-gate", pk)
    said("open-gate", pk, "--gate", "LAUNCH", "--reason", "go")
    said("cancel", pk, "--reason", "no")
    failback.refresh_from_db()
    assert (failback.launch_comment, failback.cancel_reason) == ("go", "no")
    assert failback.instances.get(server=server).state == "LEFT_OUT"


def test_without_the_permission_nothing_happens(execution):
    failback = returning(execution, FailbackState.WATCHING)
    others = [held for held in PlanPermission if held != PlanPermission.FAIL_BACK]
    grant(UserFactory.create(username="ned"), *others, on=execution.plan)
    with pytest.raises(CommandError, match="may not fail back"):
        said("cancel", str(execution.pk), who="ned")
    failback.refresh_from_db()
    assert failback.cancel_requested_at is None
    assert AuditRecord.objects.filter(event="command.failbacks.cancel").exists()
    assert "Ready" in said("show", str(execution.pk), who="ned")
