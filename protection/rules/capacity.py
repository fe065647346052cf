"""How full an account and Region is, against the quotas of DRS: the one table of thresholds.

Every quota holds for one account in one Region. Nothing here adds limits up into one: what is
added up are counts, and a count that misses something says so and is never fine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from protection.choices import CapacityState, Measure

# From which share of the quota on a state holds. A replicating server is counted in steps of the
# documented quota of 300; another quota moves them in proportion.
_OF_REPLICATING = (
    (Fraction(200, 300), CapacityState.INFO),
    (Fraction(225, 300), CapacityState.WARNING),
    (Fraction(250, 300), CapacityState.CRITICAL),
    (Fraction(280, 300), CapacityState.HYPER_CRITICAL),
)
_OF_THE_REST = (
    (Fraction(80, 100), CapacityState.WARNING),
    (Fraction(90, 100), CapacityState.CRITICAL),
)
THRESHOLDS: dict[Measure, tuple[tuple[Fraction, CapacityState], ...]] = {
    Measure.REPLICATING_SERVERS: _OF_REPLICATING,
    Measure.SOURCE_SERVERS: _OF_THE_REST,
    Measure.CONCURRENT_JOBS: _OF_THE_REST,
    Measure.SERVERS_IN_JOBS: _OF_THE_REST,
    Measure.SERVERS_PER_JOB: _OF_THE_REST,
}
# From fine to full; unknown is worse than fine and better than any alarm that is certain.
_WORSE = (
    CapacityState.OK,
    CapacityState.UNKNOWN,
    CapacityState.INFO,
    CapacityState.WARNING,
    CapacityState.CRITICAL,
    CapacityState.HYPER_CRITICAL,
)

_REPLICATING = frozenset(
    {"CONTINUOUS", "INITIAL_SYNC", "RESCAN", "INITIATING", "CREATING_SNAPSHOT", "BACKLOG"}
)
_NOT_REPLICATING = frozenset({"STOPPED", "DISCONNECTED", "STALLED", "PAUSED", "NOT_STARTED"})


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are. `missing` names what could not be counted: then `value` is a least.

    A `value` of None means that nothing at all is known, and then `missing` says of what: a total
    over it would pass for whole otherwise.
    """

    value: int | None
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.value is None and not self.missing:
            raise ValueError("a count that is not known says what is missing")

    @property
    def complete(self) -> bool:
        return self.value is not None and not self.missing

    @classmethod
    def unknown(cls, why: str) -> "Count":
        """Nothing is known; `why` says of what, and why not."""
        return cls(None, (why,))


@dataclass(frozen=True, slots=True)
class Assessment:
    """How a count stands to the quota of one account and Region.

    With `at_least`, the state is this or a worse one. `free` is what is left, at most.
    """

    measure: Measure
    count: Count
    limit: int
    state: CapacityState

    @property
    def at_least(self) -> bool:
        return not self.count.complete

    @property
    def percent(self) -> float | None:
        if self.count.value is None or self.limit <= 0:
            return None
        return round(100 * self.count.value / self.limit, 1)

    @property
    def free(self) -> int | None:
        return None if self.count.value is None else max(0, self.limit - self.count.value)


def assess(measure: Measure, count: Count, limit: int) -> Assessment:
    """How `count` stands to a quota of `limit`. What is not wholly known is never OK."""
    return Assessment(measure, count, limit, _state(measure, count, limit))


def _state(measure: Measure, count: Count, limit: int) -> CapacityState:
    if count.value is None:
        return CapacityState.UNKNOWN
    found = CapacityState.OK
    for share, state in THRESHOLDS[measure]:
        if count.value >= share * limit:
            found = state
    if found == CapacityState.OK and not count.complete:
        return CapacityState.UNKNOWN
    return found


def total(counts: Iterable[Count]) -> Count:
    """The sum of `counts`. Over something unknown it is a least; of unknowns only, unknown, and so
    it is of none at all, for nothing was looked at.
    """
    parts = list(counts) or [Count.unknown("nothing was looked at")]
    known = [part.value for part in parts if part.value is not None]
    missing = tuple(why for part in parts for why in part.missing)
    return Count(sum(known) if known else None, missing)


def worst(states: Iterable[CapacityState]) -> CapacityState:
    """The worst of `states`; UNKNOWN if there is none, for nothing was looked at."""
    return max(states, key=_WORSE.index, default=CapacityState.UNKNOWN)


def is_replicating(state: str) -> bool | None:
    """Whether a server whose replication DRS calls `state` counts as a replicating one; None for
    a word that we do not know, or none at all.
    """
    if state in _REPLICATING:
        return True
    return False if state in _NOT_REPLICATING else None


def replicating(states: Iterable[tuple[str, int]]) -> Count:
    """How many servers replicate, of (replication state, number of servers) pairs."""
    value = unsure = 0
    for state, number in states:
        counted = is_replicating(state)
        value += number if counted else 0
        unsure += number if counted is None else 0
    servers = "server" if unsure == 1 else "servers"
    missing = (f"{unsure} {servers} whose replication state is not known",) if unsure else ()
    return Count(value, missing)
