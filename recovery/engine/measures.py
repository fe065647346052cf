"""What an execution is measured by: when its servers were back, how much data they lack, and
where the time went. Pure.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise


class Spent(StrEnum):
    """What a stretch of an execution's time went into. Of several at once, the first counts."""

    AWS = "AWS"  # DRS was asked for a launch, and has not ended it
    # A launch job waited in line, for a quota or for AWS to answer, or a wave for a better answer.
    QUEUE = "QUEUE"
    PEOPLE = "PEOPLE"  # a gate waited for a person, or people had paused it, or let it end
    TIMER = "TIMER"  # a wave waited for its timer
    PORTAL = "PORTAL"  # nothing of these: the portal itself, polling and deciding


class Verdict(StrEnum):
    """How a measure stands against its target. UNKNOWN is neither kept nor missed."""

    NO_TARGET = "NO_TARGET"
    OPEN = "OPEN"  # it can still be kept
    KEPT = "KEPT"
    MISSED = "MISSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Stretch:
    """From when to when something went on; `end` is None while it does."""

    what: Spent
    begin: datetime
    end: datetime | None


def spent(begin: datetime, end: datetime, stretches: Iterable[Stretch]) -> dict[Spent, timedelta]:
    """How the time between `begin` and `end` was spent. The parts add up to the whole, which is
    nothing if `end` comes first.
    """
    end = max(begin, end)
    known = [
        (max(stretch.begin, begin), min(stretch.end or end, end), stretch.what)
        for stretch in stretches
    ]
    edges = {begin, end}.union(
        edge for start, stop, _ in known if start < stop for edge in (start, stop)
    )
    moments = sorted(edges)
    found = dict.fromkeys(Spent, timedelta(0))
    order = list(Spent)
    for start, stop in pairwise(moments):
        there = {what for first, last, what in known if first <= start and stop <= last}
        found[min(there, key=order.index, default=Spent.PORTAL)] += stop - start
    return found


def reached(launched_at: Sequence[datetime | None]) -> datetime | None:
    """When the last of the critical servers was launched; None unless there are any, and all of
    them were. `launched_at` has None for one that was not.
    """
    known = [at for at in launched_at if at is not None]
    return max(known) if known and len(known) == len(launched_at) else None


def rto_verdict(
    target: timedelta | None,
    taken: timedelta | None,
    *,
    so_far: timedelta,
    ended: bool,
    critical: int,
) -> Verdict:
    """Whether servers were back in time. `taken` is None while they are not all back; where none
    is `critical`, nothing says when that would be.
    """
    if target is None:
        return Verdict.NO_TARGET
    if not critical:
        return Verdict.UNKNOWN
    if taken is not None:
        return Verdict.KEPT if taken <= target else Verdict.MISSED
    return Verdict.MISSED if ended or so_far > target else Verdict.OPEN


def rpo_verdict(target: timedelta | None, ages: Collection[timedelta], *, unknown: int) -> Verdict:
    """Whether recovery points were young enough. `unknown` servers have one that nobody told."""
    if target is None:
        return Verdict.NO_TARGET
    if any(age > target for age in ages):
        return Verdict.MISSED
    return Verdict.KEPT if ages and not unknown else Verdict.UNKNOWN
