"""Drills by schedule: each starts once, by somebody's right, or it is said why not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from celery import current_app
from django.db import connection

from audit.models import AuditRecord, Outcome
from drportal.errors import InvalidInput
from protection.models import AccountRegion
from recovery.engine.preflight import Check
from recovery.errors import NotAnApprover, NothingScheduled, OccurrenceUnderWay, ReasonNeeded
from recovery.models import (
    CleanUp,
    DrillOccurrence,
    Execution,
    Notice,
    Preflight,
    RecoveryPlanUserPermission,
)
from recovery.schedules import SCHEDULES
from recovery.services import drill_occurrences, drill_schedules, executions
from recovery.states import CheckOutcome, ExecutionState, Kind
from tests.factories.recovery import ExecutionFactory, PreflightFactory, plan_of
from tests.factories.users import UserFactory
from tests.schedules import DUE, at, beat, by, looked_at, maker, scheduled, states, weekly

pytestmark = pytest.mark.django_db
MINUTE, HOUR, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(weeks=1)


@pytest.fixture
def plan():
    return plan_of()


def test_beat_has_both_entries():
    tasks = {schedule.task for schedule in SCHEDULES}
    assert {"recovery.start_due_drills", "recovery.clean_up_drills"} <= tasks
    assert tasks <= set(current_app.tasks)


def test_a_drill_is_announced_and_started_at_its_time_by_the_right_of_who_made_it(plan):
    schedule = scheduled(plan, clean_up_after_hours=4)
    beat(DUE - 25 * HOUR)
    assert states(schedule) == []
    beat(DUE - 23 * HOUR)
    assert states(schedule) == ["SCHEDULED"]
    said = Notice.objects.get(kind="DRILL_ANNOUNCED").message
    assert "2027-01-11 09:00 Europe/Berlin (2027-01-11 08:00 UTC)" in said
    beat(DUE - MINUTE, plan=plan)
    assert not Execution.objects.exists()
    beat(DUE, plan=plan)
    execution = Execution.objects.get()
    assert (execution.kind, execution.reason) == (Kind.DRILL, "as every week")
    assert execution.requested_by == f"schedule of {schedule.made_by}"
    assert execution.requested_by_id == schedule.made_by_id
    assert schedule.occurrences.get().execution == execution
    assert CleanUp.objects.get().hours == 4
    record = AuditRecord.objects.get(event="recovery.execution.started")
    assert (record.actor_kind, record.door) == ("SCHEDULE", "SCHEDULED")
    schedule.refresh_from_db()
    assert schedule.next_at == DUE + WEEK


def test_each_time_is_started_once_however_often_beat_fires(plan):
    schedule = scheduled(plan)
    for _ in range(3):
        beat(DUE, plan=plan)
    assert Execution.objects.count() == 1
    Execution.objects.update(state=ExecutionState.COMPLETED, finished_at=DUE)
    for _ in range(3):
        beat(DUE + 10 * MINUTE, plan=plan)
    assert Execution.objects.count() == 1
    assert states(schedule) == ["STARTED"]


@pytest.mark.django_db(transaction=True)
def test_two_beats_and_many_workers_at_once_start_one(plan):
    schedule = scheduled(plan)
    barrier = Barrier(6)

    def look(_):
        try:
            barrier.wait(30)
            drill_occurrences.announce()
            for pk in drill_occurrences.due():
                drill_occurrences.carry_out(pk)
        finally:
            connection.close()

    with at(DUE):
        looked_at(plan)
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(look, range(6)))
    assert states(schedule) == ["STARTED"]
    assert Execution.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_dies_in_mid_start_leaves_nothing_and_the_next_starts_it(plan, monkeypatch):
    schedule = scheduled(plan)

    def die(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(drill_occurrences, "end", die)
        with pytest.raises(SystemExit):
            beat(DUE, plan=plan)
    assert (states(schedule), Execution.objects.count()) == (["SCHEDULED"], 0)
    beat(DUE + MINUTE, plan=plan)
    assert (states(schedule), Execution.objects.count()) == (["STARTED"], 1)


def test_a_preflight_is_asked_for_first(plan):
    schedule = scheduled(plan)
    with at(DUE - 10 * MINUTE):
        looked_at(plan)
    Preflight.objects.all().delete()
    beat(DUE - 10 * MINUTE)
    assert not Preflight.objects.exists()
    beat(DUE - 4 * MINUTE)
    assert Preflight.objects.get().requested_by == f"schedule of {schedule.made_by}"
    beat(DUE)
    assert states(schedule) == ["SCHEDULED"]
    assert "preflight" in schedule.occurrences.get().message.lower()


def test_what_a_preflight_finds_is_looked_at_again_until_the_window_is_over(plan):
    schedule = scheduled(plan)
    bad = [Check("lag", CheckOutcome.FAILED, "It lags.").as_dict()]
    with at(DUE):
        AccountRegion.objects.update(listed_at=DUE + HOUR)
        PreflightFactory.create(plan=plan, outcome=CheckOutcome.FAILED, checks=bad)
    before = Preflight.objects.count()
    beat(DUE + MINUTE)
    assert Preflight.objects.count() == before  # it has just been looked
    beat(DUE + 6 * MINUTE)
    beat(DUE + 7 * MINUTE)
    assert Preflight.objects.count() == before + 1
    with at(DUE + 59 * MINUTE):
        PreflightFactory.create(plan=plan, outcome=CheckOutcome.FAILED, checks=bad)
    beat(DUE + 60 * MINUTE)
    assert states(schedule) == ["SCHEDULED"]
    beat(DUE + 61 * MINUTE)
    assert states(schedule) == ["MISSED"]
    assert "It lags." in schedule.occurrences.get().message
    assert "It lags." in Notice.objects.get(kind="DRILL_MISSED").message
    assert not Execution.objects.exists()
    beat(DUE + 62 * MINUTE, plan=plan)
    assert not Execution.objects.exists()


def test_what_passed_while_nothing_ran_is_missed_and_not_made_up_for(plan):
    schedule = scheduled(plan)
    beat(DUE + 3 * WEEK + 2 * HOUR, plan=plan)
    assert states(schedule) == ["MISSED"] * 4
    assert not Execution.objects.exists()
    assert Notice.objects.filter(kind="DRILL_MISSED").count() == 1
    schedule.refresh_from_db()
    assert schedule.next_at == DUE + 4 * WEEK


@pytest.mark.parametrize("lost", ["permission", "account", "clean-up"])
def test_a_right_that_was_taken_away_starts_nothing(plan, lost):
    user = maker(plan)
    schedule = scheduled(plan, user=user, clean_up_after_hours=4)
    if lost == "account":
        user.is_active = False
        user.save()
    else:
        code = "drill_recoveryplan" if lost == "permission" else "terminate_recoveryplan"
        RecoveryPlanUserPermission.objects.filter(permission__codename=code).delete()
    beat(DUE, plan=plan)
    assert states(schedule) == ["REFUSED"]
    assert user.username in schedule.occurrences.get().message
    assert not Execution.objects.exists()
    assert Notice.objects.filter(kind="REFUSED").count() == 1
    record = AuditRecord.objects.get(event="recovery.scheduled_drill.refused")
    assert (record.outcome, record.facts["code"]) == (Outcome.FAILED, "right_lost")


def test_a_start_that_is_refused_is_told_and_not_tried_again(plan):
    schedule = scheduled(plan)
    ExecutionFactory.create(plan=plan)
    beat(DUE, plan=plan)
    assert states(schedule) == ["REFUSED"]
    assert Notice.objects.filter(kind="REFUSED").count() == 1
    Execution.objects.all().delete()
    beat(DUE + MINUTE, plan=plan)
    assert not Execution.objects.exists()


def test_what_only_the_start_itself_finds_in_the_way_is_told_too(plan):
    """Servers that another plan's execution holds: the refusal is not rolled back with it."""
    schedule = scheduled(plan)
    group = plan.waves.get().groups.get()
    other = plan_of(group)
    with at(DUE):
        looked_at(other)
        executions.start(other, kind=Kind.DRILL, actor=by(UserFactory.create()))
    beat(DUE, plan=plan)
    assert states(schedule) == ["REFUSED"]
    assert Notice.objects.filter(kind="REFUSED", plan=plan).count() == 1
    assert Execution.objects.filter(plan=plan).count() == 0


def test_it_waits_for_one_of_those_who_may_approve_it(plan):
    ann, bob = UserFactory.create(username="ann"), UserFactory.create(username="bob")
    user = maker(plan)
    schedule = scheduled(plan, user=user, approvers=("ann",))
    beat(DUE - HOUR, plan=plan)
    assert states(schedule) == ["WAITING_FOR_APPROVAL"]
    occurrence = schedule.occurrences.get()
    beat(DUE, plan=plan)
    assert not Execution.objects.exists()
    with at(DUE + MINUTE):
        for nobody in (bob, user):
            with pytest.raises(NotAnApprover):
                drill_schedules.approve(occurrence, actor=by(nobody))
        assert states(schedule) == ["WAITING_FOR_APPROVAL"]
        drill_schedules.approve(occurrence, comment="Go.", actor=by(ann))
    beat(DUE + 2 * MINUTE, plan=plan)
    occurrence.refresh_from_db()
    assert (occurrence.state, occurrence.approved_by) == ("STARTED", "ann")
    assert occurrence.approval_comment == "Go."
    assert AuditRecord.objects.filter(event="recovery.drill_schedule.approved").count() == 1


def test_one_that_nobody_approves_is_missed_and_one_that_is_declined_skipped(plan):
    ann = UserFactory.create(username="ann")
    schedule = scheduled(plan, approvers=("ann",))
    beat(DUE + 30 * MINUTE, plan=plan)
    beat(DUE + 61 * MINUTE, plan=plan)
    assert "None of ann approved" in schedule.occurrences.get().message
    beat(DUE + WEEK - HOUR)
    with at(DUE + WEEK - HOUR):
        later = schedule.occurrences.get(due_at=DUE + WEEK)
        with pytest.raises(ReasonNeeded):
            drill_schedules.decline(later, reason=" ", actor=by(ann))
        drill_schedules.decline(later, reason="freeze", actor=by(ann))
    beat(DUE + WEEK, plan=plan)
    assert states(schedule) == ["MISSED", "SKIPPED"]
    assert not Execution.objects.exists()


@pytest.mark.parametrize("before", [30 * HOUR, HOUR])
def test_the_next_can_be_skipped_announced_or_not(plan, before):
    schedule = scheduled(plan)
    beat(DUE - before)
    with at(DUE - before):
        drill_schedules.skip_next(schedule, reason="freeze", actor=by(maker(plan)))
    beat(DUE, plan=plan)
    assert states(schedule) == ["SKIPPED"]
    assert "freeze" in schedule.occurrences.get().message
    beat(DUE + WEEK, plan=plan)
    assert states(schedule) == ["SKIPPED", "STARTED"]


def test_run_now_starts_one_apart_from_the_times(plan):
    schedule = scheduled(plan)
    now = DUE - 30 * HOUR
    with at(now):
        drill_schedules.run_now(schedule, reason="audit", actor=by(UserFactory.create()))
        with pytest.raises(OccurrenceUnderWay):
            drill_schedules.run_now(schedule, reason="audit", actor=by(UserFactory.create()))
    beat(now, plan=plan)
    assert states(schedule) == ["STARTED"]
    Execution.objects.update(state=ExecutionState.COMPLETED, finished_at=now)
    for server in Execution.objects.get().claims.all():
        server.released_at = now
        server.save()
    beat(DUE, plan=plan)
    assert DrillOccurrence.objects.count() == 2


def test_disabled_starts_nothing_and_enabled_goes_on_from_then(plan):
    schedule = scheduled(plan)
    beat(DUE - HOUR)
    someone = maker(plan)
    with at(DUE - HOUR):
        drill_schedules.disable(schedule, reason="freeze", actor=by(someone))
        with pytest.raises(NothingScheduled):
            drill_schedules.skip_next(schedule, reason="freeze", actor=by(someone))
    beat(DUE, plan=plan)
    assert (states(schedule), Execution.objects.count()) == ([], 0)
    with at(DUE + HOUR):
        again = drill_schedules.enable(schedule, reason="over", actor=by(someone))
    assert (again.next_at, again.made_by) == (DUE + WEEK, someone.username)
    beat(DUE + WEEK, plan=plan)
    assert states(schedule) == ["STARTED"]


def test_an_edit_takes_back_what_was_announced_with_its_approval(plan):
    ann, carl = UserFactory.create(username="ann"), UserFactory.create(username="carl")
    schedule = scheduled(plan, approvers=("ann",))
    beat(DUE - 2 * HOUR)
    with at(DUE - HOUR):
        drill_schedules.approve(schedule.occurrences.get(), actor=by(ann))
        said = weekly(approvers=("carl",))
        drill_schedules.edit(schedule, said, actor=by(maker(plan)))
    beat(DUE, plan=plan)
    assert states(schedule) == ["WAITING_FOR_APPROVAL"]
    with at(DUE), pytest.raises(NotAnApprover):
        drill_schedules.approve(schedule.occurrences.get(), actor=by(ann))
    with at(DUE):
        drill_schedules.approve(schedule.occurrences.get(), actor=by(carl))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"zone": "../etc/passwd"}, "zone"),
        ({"repeats": "DAILY"}, "repeats"),
        ({"every": 0}, "every"),
        ({"every": 37}, "every"),
        ({"clean_up_after_hours": 0}, "clean_up_after_hours"),
        ({"approvers": ("nobody",)}, "approvers"),
        ({"approvers": ("oneself",)}, "approvers"),
        ({"repeats": "ONCE", "first_on": DUE.date().replace(year=2020)}, "first_on"),
    ],
)
def test_what_makes_no_sense_is_refused_and_nothing_is_written(plan, said, field):
    user = UserFactory.create(username="oneself")
    with pytest.raises(InvalidInput) as refused:
        scheduled(plan, user=user, **said)
    assert [error["field"] for error in refused.value.errors] == [field]
    assert not plan.drill_schedules.exists()
    assert not AuditRecord.objects.filter(event="recovery.drill_schedule.created").exists()


def test_a_plan_takes_its_schedules_with_it(plan):
    schedule = scheduled(plan)
    beat(DUE - HOUR)
    occurrence = schedule.occurrences.get()
    plan.delete()
    drill_occurrences.carry_out(occurrence.pk)
    assert not DrillOccurrence.objects.exists()
