"""`manage.py executions start`: a plan, or a part of it, from a shell."""

import io

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from recovery.models import Execution
from recovery.permissions import PlanPermission
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import PreflightFactory, plan_of
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
POINT = "pit-0123456789abcdef0"


@pytest.fixture
def plan():
    return plan_of(ProtectionGroupFactory.create(), ProtectionGroupFactory.create(), name="Shop")


@pytest.fixture
def olivia(plan):
    person = UserFactory.create(username="olivia")
    return grant(person, PlanPermission.VIEW, PlanPermission.DRILL, on=plan)


def run(plan, *words: str) -> str:
    out = io.StringIO()
    call_command("executions", "start", str(plan.pk), *words, "--as", "olivia", stdout=out)
    return out.getvalue()


def test_it_starts_what_was_chosen(plan, olivia):
    entry = plan.waves.get(position=2).entries.get()
    server_id = entry.group.members.get().server.server_id
    options = {"from_wave": 2, "server_ids": [server_id], "points": {server_id: POINT}}
    PreflightFactory.create(plan=plan, options=options)
    words = ["--from-wave", "2", "--server", server_id, "--point", f"{server_id}={POINT}"]
    said = run(plan, *words, "--ticket", "CHG-1", "--reason", "Only the web")
    execution = Execution.objects.get()
    assert str(execution.pk) in said
    assert (execution.options, execution.ticket, execution.kind) == (options, "CHG-1", "DRILL")
    assert (execution.requested_by, execution.reason) == ("olivia", "Only the web")


def test_without_choices_it_starts_the_whole_plan(plan, olivia):
    run(plan)
    assert Execution.objects.get().options == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only-wave", "9"], "The plan has no wave 9."),
        (["--kind", "RECOVERY", "--confirm", "Shop"], "may not start"),
        (["--override-preflight", "--reason", "Now"], "may not start"),
        (["--not-after", "2020-01-01T00:00:00+00:00"], "needs a preflight"),
    ],
)
def test_what_is_refused_starts_nothing_and_is_recorded(plan, olivia, words, said):
    with pytest.raises(CommandError, match=said):
        run(plan, *words)
    assert not Execution.objects.exists()
    assert AuditRecord.objects.get(outcome="REFUSED").event == "command.executions.start"


@pytest.mark.parametrize(
    "words", [["--not-after", "2026-01-01T00:00:00"], ["--point", "s-1=snap-1"], ["--point", "x"]]
)
def test_what_cannot_be_read_is_refused(plan, olivia, words):
    with pytest.raises(CommandError):
        run(plan, *words)
    assert not Execution.objects.exists()


def test_a_plan_that_one_may_not_see_is_not_there(olivia):
    with pytest.raises(CommandError, match="that they may see"):
        run(plan_of())
