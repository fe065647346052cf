"""When a drill schedule is due, as a person said it: on a day, at a time of day, in a time zone.

A time of day that a clock skips when summer time begins is taken as much later as the clock is put
forward; one that comes twice when it ends, the first time.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, islice
from zoneinfo import ZoneInfo

from django.db.models import TextChoices

_WEEK = 7
_YEAR = 12
_LAST_YEAR = 9000  # well before dates end


class Repeats(TextChoices):
    """How often a schedule is due."""

    ONCE = "ONCE", "Once"
    WEEKLY = "WEEKLY", "Every so many weeks"
    MONTHLY = "MONTHLY", "Every so many months"


@dataclass(frozen=True, slots=True)
class Rule:
    """When a schedule is due: first on `first_on`, then every `every` weeks or months, at `at` in
    the IANA time zone `zone`. In a month without such a day, on its last.
    """

    repeats: str
    every: int
    first_on: date
    at: time
    zone: str


def moment(rule: Rule, day: date) -> datetime:
    """When that is on `day`, in UTC."""
    return datetime.combine(day, rule.at, tzinfo=ZoneInfo(rule.zone)).astimezone(UTC)


def next_after(rule: Rule, after: datetime) -> datetime | None:
    """The first time that the schedule is due later than `after`; None if there is none."""
    return next(upcoming(rule, after), None)


def some_after(rule: Rule, after: datetime, most: int) -> list[datetime]:
    """The first `most` times later than `after`."""
    return list(islice(upcoming(rule, after), most))


def upcoming(rule: Rule, after: datetime) -> Iterator[datetime]:
    """Each time later than `after`, in order."""
    for day in _days(rule, after.astimezone(UTC).date() - timedelta(days=2)):
        found = moment(rule, day)
        if found > after:
            yield found


def _days(rule: Rule, since: date) -> Iterator[date]:
    """The days on which it is due, those long before `since` left out."""
    if rule.repeats == Repeats.ONCE:
        yield rule.first_on
        return
    by_weeks = rule.repeats == Repeats.WEEKLY
    gone = (since - rule.first_on).days // (rule.every * (_WEEK if by_weeks else 31))
    for number in count(max(0, gone)):
        step = number * rule.every
        day = rule.first_on + timedelta(weeks=step) if by_weeks else _months_on(rule.first_on, step)
        if day.year > _LAST_YEAR:
            return
        yield day


def _months_on(first: date, months: int) -> date:
    years, month = divmod(first.month - 1 + months, _YEAR)
    year = first.year + years
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
