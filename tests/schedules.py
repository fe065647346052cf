"""Drill schedules for tests, and a clock that is moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from drportal.actor import Actor, Door
from protection.models import AccountRegion
from recovery.models import DrillOccurrence, DrillSchedule, RecoveryPlan
from recovery.permissions import PlanPermission
from recovery.services import drill_schedules
from recovery.services.drill_schedules import ScheduleSpec
from recovery.tasks import start_due_drills, start_scheduled_drill
from tests.factories.recovery import PreflightFactory
from tests.factories.users import UserFactory, grant

# A Monday. The schedules of these tests are due on it at 09:00 in Berlin, which is 08:00 UTC.
DUE = datetime(2027, 1, 11, 8, 0, tzinfo=UTC)


def weekly(**more: Any) -> ScheduleSpec:
    said: dict[str, Any] = {
        "repeats": "WEEKLY",
        "first_on": date(2027, 1, 11),
        "at": time(9),
        "zone": "Europe/Berlin",
        "reason": "as every week",
    }
    return ScheduleSpec(**(said | more))


def maker(plan: RecoveryPlan, *permissions: str) -> User:
    """Somebody who may start drills of the plan and clean up after them."""
    wanted = permissions or (PlanPermission.DRILL, PlanPermission.TERMINATE)
    user: User = grant(UserFactory.create(), *wanted, on=plan)
    return user


def by(user: User) -> Actor:
    return Actor.of(user, door=Door.API)


def scheduled(plan: RecoveryPlan, *, user: User | None = None, **more: Any) -> DrillSchedule:
    """A schedule of the plan, made two days before it is due first."""
    user = user or maker(plan)
    with at(DUE - timedelta(days=2)):
        return drill_schedules.create(plan, weekly(**more), actor=by(user))


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with time_machine.travel(moment, tick=False):
        yield


def looked_at(plan: RecoveryPlan) -> None:
    """The inventory and a preflight of the plan have just been done, and found all well."""
    AccountRegion.objects.update(listed_at=timezone.now())
    PreflightFactory.create(plan=plan)


def beat(moment: datetime, *, plan: RecoveryPlan | None = None) -> None:
    """What beat and a worker do at a moment; with a plan, one that has just been looked at."""
    with at(moment):
        if plan is not None:
            looked_at(plan)
        start_due_drills()
        for pk in DrillOccurrence.objects.order_by("due_at").values_list("pk", flat=True):
            start_scheduled_drill(occurrence_id=str(pk))


def states(schedule: DrillSchedule) -> list[str]:
    """How its occurrences stand, oldest first."""
    return list(schedule.occurrences.order_by("due_at").values_list("state", flat=True))
