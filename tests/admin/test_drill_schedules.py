"""Pages of drill schedules, and of clean-ups by themselves on the page of an execution."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from recovery.models import CleanUp, DrillSchedule
from recovery.models.drill_schedules import OccurrenceState
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, Kind
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory, DrillScheduleFactory
from tests.factories.recovery import ExecutionFactory, RecoveryPlanFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
PAGES = "/admin/recovery/drillschedule/"
SAID = {
    "repeats": "MONTHLY",
    "every": "3",
    "first_on": "2030-01-31",
    "at": "02:30",
    "zone": "Europe/Berlin",
    "approvers": "ann",
    "clean_up_after_hours": "8",
    "reason": "as the auditors want",
    "enabled": "on",
}


@pytest.fixture
def plan():
    return RecoveryPlanFactory.create(name="Payroll")


@pytest.fixture
def able(browser, person, plan):
    """The browser of somebody who may start drills of the plan and clean up after them."""
    grant(person, PlanPermission.DRILL, PlanPermission.TERMINATE, on=plan)
    return browser


def test_a_schedule_is_made_shown_and_changed(able, plan):
    UserFactory.create(username="ann")
    answer = able.post(f"{PAGES}add/", SAID | {"plan": str(plan.pk)}, follow=True)
    told = answer.content.decode()
    schedule = DrillSchedule.objects.get()
    assert "every 3 months, day 31 at 02:30 Europe/Berlin" in told
    assert "2030-01-31 02:30 Europe/Berlin (2030-01-31 01:30 UTC)" in told
    assert (schedule.approvers, schedule.clean_up_after_hours) == (["ann"], 8)
    assert 'value="02:30"' in able.get(f"{PAGES}{schedule.pk}/edit/").content.decode()
    able.post(f"{PAGES}{schedule.pk}/edit/", SAID | {"zone": "Nowhere"})
    changed = able.post(f"{PAGES}{schedule.pk}/edit/", SAID | {"approvers": "", "at": "22:00"})
    assert changed.status_code == 302
    schedule.refresh_from_db()
    assert (schedule.zone, schedule.approvers, schedule.at.hour) == ("Europe/Berlin", [], 22)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"zone": "Nowhere"}, "There is no IANA time zone"),
        ({"approvers": "nobody-there"}, "There is no active user"),
        ({"at": "half past"}, "Enter a valid time"),
    ],
)
def test_what_makes_no_sense_is_said_beside_what_was_typed(able, plan, said, words):
    UserFactory.create(username="ann")
    told = able.post(f"{PAGES}add/", SAID | {"plan": str(plan.pk)} | said).content.decode()
    assert words in told
    assert "as the auditors want" in told
    assert not DrillSchedule.objects.exists()


def test_only_plans_that_one_may_drill_are_offered(able, browser, person, plan):
    other = RecoveryPlanFactory.create()
    grant(person, PlanPermission.VIEW, on=other)
    UserFactory.create(username="ann")
    able.post(f"{PAGES}add/", SAID | {"plan": str(other.pk)})
    assert not DrillSchedule.objects.exists()
    schedule = DrillScheduleFactory.create(plan=other)
    assert able.get(f"{PAGES}{schedule.pk}/change/").status_code == 200
    for name in ("edit", "delete", "disable", "enable", "skip", "run"):
        assert able.post(f"{PAGES}{schedule.pk}/{name}/", {"reason": "x"}).status_code == 403
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.occurrences.count()) == (True, 0)


def test_a_lost_right_is_said_before_it_is_due(able, plan):
    schedule = DrillScheduleFactory.create(plan=plan, made_by="gone")
    assert "Its next drill would be refused: gone" in (
        able.get(f"{PAGES}{schedule.pk}/change/").content.decode()
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [("skip", "Skipped"), ("run", "Scheduled"), ("disable", "Disabled")],
)
def test_what_is_asked_of_a_schedule_takes_a_reason(able, plan, name, shown):
    schedule = DrillScheduleFactory.create(plan=plan)
    page = f"{PAGES}{schedule.pk}/{name}/"
    assert able.post(page, {"reason": ""}).status_code == 200
    schedule.refresh_from_db()
    assert (schedule.enabled, schedule.occurrences.count()) == (True, 0)
    assert shown in able.post(page, {"reason": "freeze"}, follow=True).content.decode()


def test_who_is_named_approves(browser, person, plan):
    grant(person, PlanPermission.VIEW, on=plan)
    schedule = DrillScheduleFactory.create(plan=plan, approvers=[person.username])
    state = OccurrenceState.WAITING_FOR_APPROVAL
    row = DrillOccurrenceFactory.create(schedule=schedule, state=state)
    page = f"{PAGES}{schedule.pk}/occurrences/{row.pk}"
    assert f"{page}/approve/" in browser.get(f"{PAGES}{schedule.pk}/change/").content.decode()
    browser.post(f"{page}/approve/", {"reason": "Go."})
    row.refresh_from_db()
    assert (row.state, row.approved_by) == ("SCHEDULED", person.username)
    schedule.approvers = ["somebody else"]
    schedule.save()
    row = DrillOccurrenceFactory.create(schedule=schedule, state=state, due_at=timezone.now())
    page = f"{PAGES}{schedule.pk}/occurrences/{row.pk}"
    for name in ("approve", "decline"):
        told = browser.post(f"{page}/{name}/", {"reason": "x"}).content.decode()
        assert "You are not among those who decide about the" in told
    row.refresh_from_db()
    assert row.state == state


def test_a_list_costs_the_same_for_one_and_for_many(root):
    counts = []
    for more in (1, 20):
        for _ in range(more):
            DrillOccurrenceFactory.create(state=OccurrenceState.SKIPPED)
        with CaptureQueriesContext(connection) as asked:
            assert root.get(PAGES).status_code == 200
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_clean_up_is_chosen_put_off_and_vetoed(able, plan):
    drill = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED)
    page = f"/admin/recovery/execution/{drill.pk}"
    assert "choose-clean-up" in able.get(f"{page}/change/").content.decode()
    assert able.post(f"{page}/clean-up/", {"hours": "0"}).status_code == 200
    assert not CleanUp.objects.exists()
    able.post(f"{page}/clean-up/", {"hours": "8"})
    able.post(f"{page}/clean-up/put-off/", {"hours": "2", "reason": "still testing"})
    told = able.get(f"{page}/change/").content.decode()
    assert "10 hours after its end, chosen by person" in told
    assert f"is terminated {drill.finished_at:%Y-%m-%d}" in told or "is terminated" in told
    assert able.post(f"{page}/clean-up/veto/", {"reason": ""}).status_code == 200
    assert CleanUp.objects.get().state == "PLANNED"
    able.post(f"{page}/clean-up/veto/", {"reason": "keep it"})
    assert CleanUp.objects.get().state == "VETOED"
    assert "keep it" in able.get(f"{page}/change/").content.decode()


def test_it_takes_what_terminating_takes_and_recoveries_have_none(browser, person, plan):
    grant(person, *(each for each in PlanPermission if each != PlanPermission.TERMINATE), on=plan)
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED)
    CleanUpFactory.create(execution=execution)
    page = f"/admin/recovery/execution/{execution.pk}"
    assert 'id="veto"' not in browser.get(f"{page}/change/").content.decode()
    said = {"hours": "1", "reason": "x"}
    for name in ("clean-up", "clean-up/put-off", "clean-up/veto"):
        assert browser.post(f"{page}/{name}/", said).status_code == 403
    assert CleanUp.objects.get().state == "PLANNED"
    real = ExecutionFactory.create(kind=Kind.RECOVERY, state=ExecutionState.FAILED, plan=plan)
    told = browser.get(f"/admin/recovery/execution/{real.pk}/change/").content.decode()
    assert "Clean-up by itself" not in told
