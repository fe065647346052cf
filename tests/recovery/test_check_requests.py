"""What people say of checks: made again, or taken as passed; and never launched a second time."""

import uuid
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from recovery.api.execution_serializers import counts_of
from recovery.errors import (
    CheckHasPassed,
    CheckNotFound,
    CommandMayHaveRun,
    ExecutionEnded,
    InstanceRuns,
    NothingToCheck,
    ReasonNeeded,
    TerminationUnderWay,
    WaveNotFound,
)
from recovery.models import Execution, LaunchJob, ServerCheck, ServerClaim, WaveServer
from recovery.selectors import with_counts
from recovery.services import check_requests, retries, terminations
from recovery.states import (
    ExecutionState,
    Phase,
    ServerCheckState,
    ServerState,
    TerminationState,
    WaveState,
)
from tests.factories.checks import SSM, ServerCheckFactory, failed_by_its_check
from tests.factories.recovery import WaveServerFactory
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db


def everything() -> list[object]:
    models = (Execution, WaveServer, ServerCheck, LaunchJob, ServerClaim, AuditRecord)
    return [list(model.objects.order_by("pk").values()) for model in models]


def whole(execution, server):
    for row in (execution, server, server.wave):
        row.refresh_from_db()
    return execution.state, server.wave.state, server.state


@pytest.fixture
def failed():
    return failed_by_its_check()


def test_checks_are_made_again_and_nothing_is_launched(failed):
    execution, server = failed
    jobs = LaunchJob.objects.count()
    check_requests.again(execution, position=1, reason="Firewall open", actor=PERSON)
    assert whole(execution, server) == (
        ExecutionState.RUNNING,
        WaveState.LAUNCHING,
        ServerState.LAUNCHED,
    )
    assert (server.phase, server.finished_at) == (Phase.CHECKING, None)
    check = server.checks.get()
    assert (check.state, check.attempts, check.finished_at) == (ServerCheckState.WAITING, 0, None)
    assert check.deadline_at > timezone.now()
    assert LaunchJob.objects.count() == jobs
    # It is held again, and what only it blocked waits for it.
    assert execution.claims.filter(server_id=server.server_id, released_at=None).exists()
    assert execution.waves.get(position=2).state == WaveState.PENDING
    assert execution.events.filter(kind="server.checked_again").exists()
    assert AuditRecord.objects.filter(event="recovery.servers.checked_again").count() == 1


def test_a_check_that_a_person_passes_makes_its_server_ready_and_the_rest_go_on(failed):
    execution, server = failed
    check = server.checks.get()
    check_requests.pass_by_hand(execution, check_id=check.pk, reason="I logged in", actor=PERSON)
    assert whole(execution, server) == (
        ExecutionState.RUNNING,
        WaveState.LAUNCHING,
        ServerState.READY,
    )
    check.refresh_from_db()
    assert (check.state, check.by_hand, check.reason) == ("PASSED", PERSON.name, "I logged in")
    told = execution.events.get(kind="check.passed_by_hand")
    assert (told.actor, "I logged in" in told.message) == (PERSON.name, True)
    record = AuditRecord.objects.get(event="recovery.check.passed_by_hand")
    assert record.facts["was"] == ServerCheckState.FAILED


def test_with_another_check_that_failed_it_is_not_enough(failed):
    execution, server = failed
    other = ServerCheckFactory.create(server=server, position=2, state=ServerCheckState.UNKNOWN)
    check_requests.pass_by_hand(execution, check_id=other.pk, reason="Seen", actor=PERSON)
    assert whole(execution, server)[2] == ServerState.FAILED
    assert execution.state == ExecutionState.FAILED


def test_a_check_under_way_may_be_passed_by_hand(failed):
    execution, server = failed
    check_requests.again(execution, position=1, actor=PERSON)
    check_requests.pass_by_hand(
        execution, check_id=server.checks.get().pk, reason="Seen", actor=PERSON
    )
    assert whole(execution, server)[2] == ServerState.READY


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"position": 9}, WaveNotFound),
        ({"position": 2}, NothingToCheck),
        ({"position": 1, "server_ids": ["s-other"]}, NothingToCheck),
    ],
)
def test_what_has_nothing_to_check_is_refused(failed, asked, error):
    before = everything()
    with pytest.raises(error):
        check_requests.again(failed[0], **asked, actor=PERSON)
    assert everything() == before


@pytest.mark.parametrize(
    ("check_id", "reason", "error"),
    [(None, " ", ReasonNeeded), (uuid.uuid4(), "Seen", CheckNotFound)],
)
def test_a_pass_needs_a_reason_and_a_check(failed, check_id, reason, error):
    execution, server = failed
    before = everything()
    with pytest.raises(error):
        check_requests.pass_by_hand(
            execution, check_id=check_id or server.checks.get().pk, reason=reason, actor=PERSON
        )
    assert everything() == before


def test_what_has_passed_needs_nobody(failed):
    execution, server = failed
    server.checks.update(state=ServerCheckState.PASSED)
    with pytest.raises(CheckHasPassed):
        check_requests.pass_by_hand(
            execution, check_id=server.checks.get().pk, reason="Seen", actor=PERSON
        )


def test_a_command_that_may_have_run_is_not_sent_again_on_request():
    unknown = {"intended_at": timezone.now(), "sends": 1}
    execution, _ = failed_by_its_check(state=ServerCheckState.UNKNOWN, check=SSM, **unknown)
    before = everything()
    with pytest.raises(CommandMayHaveRun):
        check_requests.again(execution, position=1, actor=PERSON)
    assert everything() == before


def test_after_a_cancel_nothing_goes_on(failed):
    execution, server = failed
    Execution.objects.update(state=ExecutionState.CANCELLED)
    before = everything()
    for ask in (
        lambda: check_requests.again(execution, position=1, actor=PERSON),
        lambda: check_requests.pass_by_hand(
            execution, check_id=server.checks.get().pk, reason="Seen", actor=PERSON
        ),
    ):
        with pytest.raises(ExecutionEnded):
            ask()
    assert everything() == before


def test_what_runs_is_not_launched_again_and_what_is_gone_may_be(failed):
    execution, server = failed
    before = everything()
    with pytest.raises(InstanceRuns):
        retries.retry(execution, position=1, actor=PERSON)
    assert everything() == before
    WaveServer.objects.filter(pk=server.pk).update(instance_gone_at=timezone.now())
    with pytest.raises(NothingToCheck):
        check_requests.again(execution, position=1, actor=PERSON)
    retries.retry(execution, position=1, actor=PERSON)
    server.refresh_from_db()
    assert (server.state, server.launched_at, server.attempt) == (ServerState.PENDING, None, 2)
    assert not server.checks.exists()


@pytest.mark.parametrize("state", [ServerState.FAILED, ServerState.READY, ServerState.UNKNOWN])
def test_a_launched_server_is_cleaned_up_whatever_its_checks_said(failed, state):
    execution, server = failed
    # Even if DRS never told which instance it is.
    facts = {"state": state, "recovery_instance_id": ""}
    WaveServer.objects.filter(pk=server.pk).update(**facts)
    assert [each.server.pk for each in terminations.left(execution)] == [server.pk]


def test_nothing_is_checked_again_while_it_is_cleaned_up(failed):
    execution, _ = failed
    execution.terminations.create(requested_by="somebody", state=TerminationState.RUNNING)
    with pytest.raises(TerminationUnderWay):
        check_requests.again(execution, position=1, actor=PERSON)


def test_a_ready_server_counts_as_launched_everywhere(failed):
    execution, server = failed
    WaveServerFactory.create(wave=server.wave, state=ServerState.READY)
    found: Any = with_counts(Execution.objects.filter(pk=execution.pk)).get()
    assert (found.server_launched, found.server_failed) == (1, 2)
    assert counts_of(["READY", "LAUNCHED", "FAILED"])["launched"] == 2
