"""When drills by schedule are due, and until when one may start."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from recovery.engine.occurrences import some_after
from recovery.models import DrillOccurrence, DrillSchedule


def upcoming(schedule: DrillSchedule, most: int) -> list[datetime]:
    """The next times at which a schedule is due, skipped ones included; none if it is disabled."""
    return some_after(schedule.rule, timezone.now(), most) if schedule.enabled else []


def window_of(occurrence: DrillOccurrence) -> datetime:
    """Until when it may start."""
    ends: datetime = occurrence.due_at + timedelta(minutes=settings.DRILL_START_WINDOW_MINUTES)
    return ends


def local(at: datetime, zone: str) -> datetime:
    """A time as the clocks in `zone` show it."""
    return at.astimezone(ZoneInfo(zone))


def both(at: datetime, zone: str) -> str:
    """A time as the clocks in `zone` show it, and in UTC."""
    return f"{local(at, zone):%Y-%m-%d %H:%M} {zone} ({at:%Y-%m-%d %H:%M} UTC)"
