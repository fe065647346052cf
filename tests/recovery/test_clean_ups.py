"""Clean-ups of drills by themselves: once, warned of, vetoed, and never of a recovery."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from audit.models import AuditRecord
from drportal.errors import InvalidInput
from recovery.errors import CleanUpHasBegun, CleanUpNotPlanned, DrillsOnly, ReasonNeeded
from recovery.models import CleanUp, Execution, Notice, RecoveryPlanUserPermission, Termination
from recovery.permissions import PlanPermission
from recovery.services import clean_ups
from recovery.states import ExecutionState, JobState, Kind, ServerState, TerminationState
from recovery.tasks import clean_up_drill, clean_up_drills
from tests.factories.drills import CleanUpFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    ServerClaimFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import UserFactory, grant
from tests.schedules import at, by, maker

pytestmark = pytest.mark.django_db
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def plan():
    return plan_of()


def ended(plan, **more):
    """A drill that has just ended, and launched one server."""
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED, **more)
    wave = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(
        wave=wave, state=JobState.ENDED, drs_job_id="drsjob-1", ended_at=timezone.now()
    )
    server = WaveServerFactory.create(
        wave=wave, launch_job=job, state=ServerState.LAUNCHED, recovery_instance_id="i-1"
    )
    job.server_ids = [server.server_id]
    job.aws_account_id, job.region = server.account_id, server.region
    job.save()
    return execution


def beat(moment):
    with at(moment):
        clean_up_drills()
        for pk in CleanUp.objects.values_list("pk", flat=True):
            clean_up_drill(clean_up_id=str(pk))


def told(execution):
    """The events about it, oldest first."""
    events = execution.events.filter(kind__startswith="clean_up.").order_by("id")
    return [event.kind.removeprefix("clean_up.") for event in events]


def test_it_is_warned_of_and_then_asked_for_once(plan):
    execution, user = ended(plan), maker(plan)
    end = execution.finished_at
    clean_ups.choose(execution, hours=4, actor=by(user))
    beat(end + 2 * HOUR)
    assert (told(execution), Termination.objects.count()) == (["chosen"], 0)
    beat(end + 3 * HOUR + MINUTE)
    beat(end + 3 * HOUR + 2 * MINUTE)
    assert told(execution) == ["chosen", "near"]
    assert Notice.objects.filter(kind="CLEAN_UP_NEAR").count() == 1
    beat(end + 4 * HOUR)
    assert not Termination.objects.exists()  # not an hour after the warning
    for _ in range(3):
        beat(end + 4 * HOUR + 2 * MINUTE)
    termination = Termination.objects.get()
    assert termination.requested_by == f"automatic clean-up chosen by {user.username}"
    assert termination.requested_by_id == user.pk
    found = CleanUp.objects.get()
    assert (found.state, found.termination) == ("STARTED", termination)
    record = AuditRecord.objects.get(event="recovery.termination.requested")
    assert record.actor_kind == "SCHEDULE"


def test_one_that_ended_incomplete_is_not_repeated(plan):
    execution = ended(plan)
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    for minutes in (1, 62):
        beat(execution.finished_at + minutes * MINUTE)
    Termination.objects.update(
        state=TerminationState.INCOMPLETE, finished_at=timezone.now(), due_at=None
    )
    beat(execution.finished_at + 48 * HOUR)
    assert Termination.objects.count() == 1
    with pytest.raises(CleanUpHasBegun):
        clean_ups.choose(execution, hours=1, actor=by(maker(plan)))


def test_an_outage_never_takes_the_time_for_a_veto_away(plan):
    execution = ended(plan)
    clean_ups.choose(execution, hours=4, actor=by(maker(plan)))
    late = execution.finished_at + 30 * HOUR
    beat(late)
    assert (told(execution)[-1], Termination.objects.count()) == ("near", 0)
    beat(late + 59 * MINUTE)
    assert not Termination.objects.exists()
    beat(late + 61 * MINUTE)
    assert Termination.objects.count() == 1


def test_a_veto_lets_it_stay_until_somebody_chooses_again(plan):
    execution, user = ended(plan), maker(plan)
    clean_ups.choose(execution, hours=1, actor=by(user))
    beat(execution.finished_at + MINUTE)
    with pytest.raises(ReasonNeeded):
        clean_ups.veto(execution, reason="", actor=by(user))
    clean_ups.veto(execution, reason="under test", actor=by(user))
    beat(execution.finished_at + 48 * HOUR)
    assert not Termination.objects.exists()
    found = CleanUp.objects.get()
    assert (found.state, found.veto_reason) == ("VETOED", "under test")
    assert Notice.objects.filter(kind="CLEAN_UP_CHANGED").count() == 1
    with pytest.raises(CleanUpNotPlanned):
        clean_ups.veto(execution, reason="again", actor=by(user))
    clean_ups.choose(execution, hours=2, actor=by(user))
    beat(execution.finished_at + 48 * HOUR)
    beat(execution.finished_at + 50 * HOUR)
    assert Termination.objects.count() == 1


def test_it_can_be_put_off_and_is_warned_of_again(plan):
    execution, user = ended(plan), maker(plan)
    clean_ups.choose(execution, hours=2, actor=by(user))
    end = execution.finished_at
    beat(end + HOUR + MINUTE)
    with at(end + HOUR + 2 * MINUTE):
        clean_ups.put_off(execution, hours=10, reason="still testing", actor=by(user))
    beat(end + 10 * HOUR)
    assert told(execution) == ["chosen", "near", "put_off"]
    beat(end + 11 * HOUR)
    beat(end + 12 * HOUR + MINUTE)
    assert told(execution) == ["chosen", "near", "put_off", "near"]
    assert Termination.objects.count() == 1
    with pytest.raises(CleanUpNotPlanned):
        clean_ups.put_off(execution, hours=1, reason="too late", actor=by(user))


def test_it_waits_for_a_retry_and_counts_from_its_end(plan):
    execution = ended(plan)
    end = execution.finished_at
    clean_ups.choose(execution, hours=2, actor=by(maker(plan)))
    beat(end + HOUR + MINUTE)
    Execution.objects.update(state=ExecutionState.RUNNING, finished_at=None)
    beat(end + 3 * HOUR)
    assert not Termination.objects.exists()
    Execution.objects.update(state=ExecutionState.COMPLETED, finished_at=end + 5 * HOUR)
    beat(end + 5 * HOUR + MINUTE)
    assert told(execution) == ["chosen", "near"]
    beat(end + 6 * HOUR)
    beat(end + 7 * HOUR + MINUTE)
    assert told(execution) == ["chosen", "near", "near"]
    assert Termination.objects.count() == 1


def test_what_keeps_it_from_being_asked_for_is_said_and_given_up_after_a_day(plan):
    execution = ended(plan)
    end = execution.finished_at
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    beat(end + MINUTE)
    server = execution.servers.get()
    held = ServerClaimFactory.create(
        account_id=server.account_id,
        region=server.region,
        server_id=server.server_id,
        execution=ExecutionFactory.create(),
    )
    beat(end + 2 * HOUR)
    found = CleanUp.objects.get()
    assert (found.state, "held" in found.message) == ("PLANNED", True)
    beat(end + 26 * HOUR)
    found.refresh_from_db()
    assert found.state == "GIVEN_UP"
    assert Notice.objects.filter(kind="CLEAN_UP_CHANGED").count() == 1
    held.delete()
    beat(end + 27 * HOUR)
    assert not Termination.objects.exists()


def test_nothing_left_is_over_without_a_warning(plan):
    execution = ended(plan)
    execution.servers.update(instance_gone_at=timezone.now())
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    beat(execution.finished_at + 2 * HOUR)
    assert (CleanUp.objects.get().state, told(execution)) == ("OVER", ["chosen", "over"])
    assert not Notice.objects.filter(kind="CLEAN_UP_NEAR").exists()


def test_a_right_that_was_taken_away_terminates_nothing(plan):
    execution = ended(plan)
    clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    beat(execution.finished_at + MINUTE)
    RecoveryPlanUserPermission.objects.all().delete()
    beat(execution.finished_at + 2 * HOUR)
    assert CleanUp.objects.get().state == "GIVEN_UP"
    assert not Termination.objects.exists()


def test_a_recovery_is_never_cleaned_up_by_itself(plan):
    execution = ended(plan, kind=Kind.RECOVERY)
    with pytest.raises(DrillsOnly):
        clean_ups.choose(execution, hours=1, actor=by(maker(plan)))
    assert not CleanUp.objects.exists()


@pytest.mark.parametrize("hours", [0, -1, 24 * 90 + 1])
def test_only_hours_that_make_sense(plan, hours):
    execution, user = ended(plan), maker(plan)
    with pytest.raises(InvalidInput):
        clean_ups.choose(execution, hours=hours, actor=by(user))
    assert not CleanUp.objects.exists()


def test_a_veto_from_a_shell_takes_the_same_permission(plan):
    clean_up = CleanUpFactory.create(execution=ended(plan))
    olivia = grant(UserFactory.create(username="olivia"), PlanPermission.STEER, on=plan)
    words = ("executions", "veto", str(clean_up.execution_id), "--as", "olivia", "--reason", "no")
    with pytest.raises(CommandError, match="may not clean up after"):
        call_command(*words, stdout=StringIO())
    clean_up.refresh_from_db()
    assert clean_up.state == "PLANNED"
    grant(olivia, PlanPermission.TERMINATE, on=plan)
    call_command(*words, stdout=StringIO())
    clean_up.refresh_from_db()
    assert (clean_up.state, clean_up.vetoed_by) == ("VETOED", "olivia")
