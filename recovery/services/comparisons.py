"""Comparing two executions of a plan: what became of each server, and how long it took."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from recovery.errors import NotOfOnePlan
from recovery.models import Execution, PlanVersion, WaveServer
from recovery.services.plan_differences import Differences, differences
from recovery.services.reports import Report, WaveMeasure, report


class Fate(StrEnum):
    """What is different about a server. SAME: in both, and it came to the same."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"
    SAME = "SAME"


@dataclass(frozen=True, slots=True)
class ServerPair:
    """A server in one execution or both, by its account, Region and id."""

    what: Fate
    before: WaveServer | None
    after: WaveServer | None

    @property
    def server(self) -> WaveServer:
        """The later of the two that is there."""
        found = self.after or self.before
        assert found is not None  # noqa: S101  # a pair has one at least
        return found


@dataclass(frozen=True, slots=True)
class WavePair:
    """A wave in one execution or both, by its name. `slower_by` is None unless both got there."""

    name: str
    before: WaveMeasure | None
    after: WaveMeasure | None
    slower_by: timedelta | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two executions of one plan, the earlier first. `changes` is None if what the plan said in one
    of them is no longer there.
    """

    before: Report
    after: Report
    changes: Differences | None
    servers: Sequence[ServerPair]
    waves: Sequence[WavePair]


def compare(one: Execution, other: Execution) -> Comparison:
    """Two executions, the earlier of which is `before`, whichever is named first. A fixed number of
    queries. Raises NotOfOnePlan.
    """
    if one.plan_id is None or one.plan_id != other.plan_id or one.pk == other.pk:
        raise NotOfOnePlan(one, other)
    earlier, later = sorted((one, other), key=lambda each: (each.created_at, str(each.pk)))
    before, after = report(earlier), report(later)
    return Comparison(
        before=before,
        after=after,
        changes=_changes(earlier, later),
        servers=_servers(before, after),
        waves=_waves(before, after),
    )


def others(execution: Execution) -> list[Execution]:
    """What an execution may be compared with: the latest others of its plan."""
    if execution.plan_id is None:
        return []
    found = Execution.objects.filter(plan=execution.plan_id).exclude(pk=execution.pk)
    return list(found.order_by("-created_at", "id")[:50])


def _changes(before: Execution, after: Execution) -> Differences | None:
    numbers = {before.plan_version, after.plan_version}
    rows = PlanVersion.objects.filter(plan=after.plan_id, number__in=numbers)
    found = {version.number: version.document for version in rows}
    if found.keys() != numbers:
        return None
    return differences(found[before.plan_version], found[after.plan_version])


def _servers(before: Report, after: Report) -> list[ServerPair]:
    then, now = _by_place(before), _by_place(after)
    pairs = [_pair(then.get(place), now.get(place)) for place in then.keys() | now.keys()]
    order = list(Fate)
    return sorted(
        pairs, key=lambda pair: (order.index(pair.what), pair.server.name, pair.server.server_id)
    )


def _pair(before: WaveServer | None, after: WaveServer | None) -> ServerPair:
    if before is None:
        return ServerPair(Fate.ADDED, before, after)
    if after is None:
        return ServerPair(Fate.REMOVED, before, after)
    same = before.state == after.state
    return ServerPair(Fate.SAME if same else Fate.CHANGED, before, after)


def _by_place(found: Report) -> dict[tuple[str, str, str], WaveServer]:
    return {
        (server.account_id, server.region, server.server_id): server
        for wave in found.execution.waves.all()
        for server in wave.servers.all()
    }


def _waves(before: Report, after: Report) -> list[WavePair]:
    then = {wave.name: wave for wave in before.measured.waves}
    now = {wave.name: wave for wave in after.measured.waves}
    names = [*now, *(name for name in then if name not in now)]
    return [
        WavePair(name, then.get(name), now.get(name), _slower(then.get(name), now.get(name)))
        for name in names
    ]


def _slower(before: WaveMeasure | None, after: WaveMeasure | None) -> timedelta | None:
    if before is None or after is None:
        return None
    if before.since_start is None or after.since_start is None:
        return None
    return after.since_start - before.since_start
