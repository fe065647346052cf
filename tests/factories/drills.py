"""Drill schedules, their occurrences and clean-ups, as rows: no service is asked."""

from datetime import date, time, timedelta

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SubFactory
from factory.django import DjangoModelFactory

from recovery.models import CleanUp, DrillOccurrence, DrillSchedule
from recovery.models.drill_schedules import OCCURRENCE, OccurrenceState
from recovery.states import ExecutionState
from tests.factories.recovery import ExecutionFactory, RecoveryPlanFactory


class DrillScheduleFactory(DjangoModelFactory[DrillSchedule]):
    """A schedule of somebody who is not there: every Monday at nine in Berlin."""

    class Meta:
        model = DrillSchedule

    plan = SubFactory(RecoveryPlanFactory)
    repeats = "WEEKLY"
    first_on = date(2026, 1, 5)
    at = time(9)
    zone = "Europe/Berlin"
    made_by = "somebody"
    next_at = LazyFunction(lambda: timezone.now() + timedelta(days=3))


class DrillOccurrenceFactory(DjangoModelFactory[DrillOccurrence]):
    """One time of a schedule, tomorrow. A state that is an end brings its time along."""

    class Meta:
        model = DrillOccurrence

    schedule = SubFactory(DrillScheduleFactory)
    due_at = LazyFunction(lambda: timezone.now() + timedelta(days=1))
    state = OccurrenceState.SCHEDULED
    finished_at = LazyAttribute(
        lambda row: timezone.now() if row.state in OCCURRENCE.terminal else None
    )


class CleanUpFactory(DjangoModelFactory[CleanUp]):
    """A clean-up that was chosen for a drill that has just ended."""

    class Meta:
        model = CleanUp

    execution = SubFactory(ExecutionFactory, state=ExecutionState.COMPLETED)
    hours = 4
    chosen_by = "somebody"
    right_of = "somebody"
