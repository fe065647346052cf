"""How long launches take, judged by those that this installation has seen. Pure.

What was never seen is not known: no number is made up for it.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, as far as its launch may take as long as another's."""

    account_id: str
    region: str
    server_id: str
    os: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long launches took: half of `runs` at most `median`, nine of ten at most `slow`. `like`
    says whose launches those were.
    """

    median: timedelta
    slow: timedelta
    runs: int
    like: str


_Key = tuple[str, ...]
# From the nearest to the farthest. What a server runs weighs more than where it runs.
_STEPS: Final[tuple[tuple[str, Callable[[Subject], _Key]], ...]] = (
    ("this server", lambda s: ("server", s.account_id, s.region, s.server_id)),
    (
        "servers with this OS in its account and Region",
        lambda s: ("os", s.account_id, s.region, s.os),
    ),
    ("servers with this OS in its Region", lambda s: ("os", s.region, s.os)),
    ("servers with this OS", lambda s: ("os", s.os)),
    ("servers in its account and Region", lambda s: ("place", s.account_id, s.region)),
    ("servers of this installation", lambda _: ("any",)),
)


class Estimates:
    """What past launches say of the next ones."""

    def __init__(self, past: Iterable[tuple[Subject, timedelta]]) -> None:
        self._took: dict[_Key, list[timedelta]] = defaultdict(list)
        for subject, took in past:
            for _, key_of in _keys(subject):
                self._took[key_of(subject)].append(took)
        self._known: dict[_Key, tuple[timedelta, timedelta, int]] = {}

    def of(self, subject: Subject) -> Estimate | None:
        """The estimate that the nearest past launches give; None if there was none at all."""
        for like, key_of in _keys(subject):
            key = key_of(subject)
            if key in self._took:
                median, slow, runs = self._summed_up(key)
                return Estimate(median, slow, runs, like)
        return None

    def _summed_up(self, key: _Key) -> tuple[timedelta, timedelta, int]:
        if key not in self._known:
            took = sorted(self._took[key])
            self._known[key] = percentile(took, 50), percentile(took, 90), len(took)
        return self._known[key]


def percentile(ordered: Sequence[timedelta], percent: int) -> timedelta:
    """The smallest of the values, in order, that `percent` percent of them do not exceed: one that
    was really seen, and not one in between.
    """
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def _keys(subject: Subject) -> list[tuple[str, Callable[[Subject], _Key]]]:
    """The steps that say something of a server: of an unknown OS, none by OS does."""
    return [(like, key) for like, key in _STEPS if subject.os or key(subject)[0] != "os"]
