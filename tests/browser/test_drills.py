"""Drill schedules, clean-ups by themselves and comparisons, as an operator meets them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recovery.models import CleanUp, DrillSchedule
from recovery.states import ExecutionState
from tests.factories.drills import CleanUpFactory, DrillOccurrenceFactory
from tests.factories.recovery import ExecutionFactory, RecoveryPlanFactory, plan_of
from tests.factories.users import UserFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_drill_is_scheduled_and_its_next_times_are_shown(desk, operator, shoot):
    plan = plan_of(name="Payments")
    UserFactory.create(username="ann")
    desk.goto("/admin/recovery/drillschedule/add/")
    desk.get_by_label("Plan").select_option(label="Payments")
    desk.get_by_label("Repeats").select_option("MONTHLY")
    desk.get_by_label("Every so many weeks or months").fill("3")
    desk.get_by_label("First day").fill("2030-01-31")
    desk.get_by_label("Time of day").fill("02:30")
    desk.get_by_label("Time zone").fill("Europe/Berlin")
    desk.get_by_label("Who may approve").fill("ann")
    desk.get_by_label("Clean up after so many hours").fill("8")
    shoot("drill_schedule_form")
    desk.get_by_role("button", name="Save").last.click()
    desk.get_by_text("2030-01-31 02:30 Europe/Berlin (2030-01-31 01:30 UTC)").wait_for()
    schedule = DrillSchedule.objects.get()
    assert schedule.plan == plan
    DrillOccurrenceFactory.create(schedule=schedule, state="WAITING_FOR_APPROVAL")
    DrillOccurrenceFactory.create(
        schedule=schedule,
        state="MISSED",
        due_at=timezone.now() - timedelta(days=90),
        message="Until its time was over this kept it from starting: db-1 lags.",
    )
    desk.reload()
    desk.get_by_text("db-1 lags.").wait_for()
    shoot("drill_schedule")
    desk.goto("/admin/recovery/drillschedule/")
    desk.get_by_text("every 3 months").wait_for()
    shoot("drill_schedules")


def test_a_clean_up_is_vetoed_and_an_overdue_drill_seen(desk, shoot):
    RecoveryPlanFactory.create(
        name="Payroll", drill_every_days=30, created_at=timezone.now() - timedelta(days=31)
    )
    plan = RecoveryPlanFactory.create(name="Payments")
    drill = ExecutionFactory.create(plan=plan, state=ExecutionState.COMPLETED)
    CleanUpFactory.create(execution=drill, warned_at=timezone.now())
    desk.goto("/admin/")
    desk.get_by_text("Drills overdue (1)").wait_for()
    shoot("overview_overdue")
    desk.goto(f"/admin/recovery/execution/{drill.pk}/change/")
    shoot("execution_clean_up")
    desk.get_by_role("link", name="Veto").click()
    desk.get_by_label("Reason").fill("Still under test")
    desk.get_by_role("button", name="Veto").click()
    desk.get_by_text("Still under test").first.wait_for()
    assert CleanUp.objects.get().state == "VETOED"
