"""Which waves can run at the same time, and what of theirs then waits for DRS's quotas."""

from collections.abc import Collection, Iterable, Mapping

from drportal.aws.limits import DRS_JOBS, JobQuotas

_SOURCE, _SINK = "source", "sink"
_Node = tuple[str, int] | str


def before(needs: Mapping[int, Collection[int]]) -> dict[int, frozenset[int]]:
    """By wave, all waves that must have ended before it starts. There must be no cycle."""
    found: dict[int, frozenset[int]] = {}

    def ancestors(wave: int) -> frozenset[int]:
        if wave not in found:
            direct = frozenset(needs[wave]) & needs.keys()
            found[wave] = direct.union(*map(ancestors, direct))
        return found[wave]

    for wave in needs:
        ancestors(wave)
    return found


def heaviest(needs: Mapping[int, Collection[int]], weights: Mapping[int, int]) -> frozenset[int]:
    """The waves that can run at the same time and weigh the most together.

    Waves that wait for each other never do, so this is the heaviest antichain of an order. By
    Dilworth's theorem it is what a largest flow along the order leaves over, and a smallest cut of
    that flow names it.
    """
    earlier = before(needs)
    room: dict[_Node, dict[_Node, int]] = {_SOURCE: {}, _SINK: {}}
    without_end = sum(weights.values()) + 1
    for wave in needs:
        room[_SOURCE]["first", wave] = weights.get(wave, 0)
        room["first", wave] = {_SOURCE: 0}
        room["then", wave] = {_SINK: weights.get(wave, 0)}
        room[_SINK]["then", wave] = 0
    for wave, waits_for in earlier.items():
        for first in waits_for:
            room["first", first]["then", wave] = without_end
            room["then", wave]["first", first] = 0
    reached = _saturate(room)
    return frozenset(
        wave
        for wave in needs
        if weights.get(wave, 0) and ("first", wave) in reached and ("then", wave) not in reached
    )


def _saturate(room: dict[_Node, dict[_Node, int]]) -> set[_Node]:
    """Push as much as goes from source to sink, and return what can still be reached then."""
    while True:
        came_from = _reach(room)
        if _SINK not in came_from:
            return {_SOURCE, *came_from}
        nodes: list[_Node] = [_SINK]
        while nodes[-1] != _SOURCE:
            nodes.append(came_from[nodes[-1]])
        steps = [(nodes[place + 1], nodes[place]) for place in range(len(nodes) - 1)]
        least = min(room[start][end] for start, end in steps)
        for start, end in steps:
            room[start][end] -= least
            room[end][start] += least


def _reach(room: dict[_Node, dict[_Node, int]]) -> dict[_Node, _Node]:
    """By node that can be reached, the one that it is reached from."""
    came_from: dict[_Node, _Node] = {}
    todo: list[_Node] = [_SOURCE]
    for node in todo:
        for end, left in room[node].items():
            if left and end not in came_from and end != _SOURCE:
                came_from[end] = node
                todo.append(end)
    return came_from


def job_sizes(servers: int, quotas: JobQuotas = DRS_JOBS) -> list[int]:
    """How many servers each launch job of a wave has in one account and Region."""
    full, rest = divmod(servers, quotas.servers_per_job)
    return [quotas.servers_per_job] * full + ([rest] if rest else [])


def waiting(jobs: Iterable[int], quotas: JobQuotas = DRS_JOBS) -> int:
    """How many of these jobs, by their sizes, wait when all are wanted at once and DRS is idle."""
    running = servers = left = 0
    for size in jobs:
        if running < quotas.concurrent_jobs and servers + size <= quotas.servers_in_jobs:
            running, servers = running + 1, servers + size
        else:
            left += 1
    return left
