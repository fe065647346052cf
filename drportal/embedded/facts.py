"""What happened in a drill, from the simulator's own records: its call log and its jobs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import quantiles
from typing import Any

Place = tuple[str, str, str]  # account, Region, source server


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch job of DRS: which servers, and when it ended, if it has."""

    servers: frozenset[Place]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaveFacts:
    """A wave as the portal tells it: its servers, whom it waits for, when its gate opened."""

    position: int
    after: tuple[int, ...]
    servers: frozenset[Place]
    gate_opened_at: datetime | None = None


def launches(jobs: Sequence[dict[str, Any]], *, since: datetime) -> list[Launched]:
    """The launch jobs among the simulator's that began at `since` or later."""
    return [
        Launched(
            servers=frozenset(
                (job["account"], job["region"], server["sourceServerID"])
                for server in job["participatingServers"]
            ),
            ended_at=_time(job.get("endDateTime")),
        )
        for job in jobs
        if job["type"] == "LAUNCH" and datetime.fromisoformat(job["creationDateTime"]) >= since
    ]


def jobs_per_intent_max(waves: Sequence[WaveFacts], jobs: Sequence[Launched]) -> int:
    """The most launch jobs that any one server was put into. Each server is intended once, so
    more than 1 means that something was launched twice, whatever servers it was bundled with.
    """
    intended = frozenset[Place]().union(*(wave.servers for wave in waves))
    count = Counter(place for job in jobs for place in job.servers & intended)
    return max(count.values(), default=0)


def overheads(
    waves: Sequence[WaveFacts], jobs: Sequence[Launched], calls: Sequence[dict[str, Any]]
) -> list[float]:
    """For each wave that waited: seconds from the end of its waiting to its first launch.

    The waiting ends when DRS has ended the last job of the waves it needed, and its gate, if it
    has one, is open. The launch is the first answered StartRecovery with servers of the wave.
    """
    return [seconds for wave in waves for seconds in _overhead(wave, waves, jobs, calls)]


def _overhead(
    wave: WaveFacts,
    waves: Sequence[WaveFacts],
    jobs: Sequence[Launched],
    calls: Sequence[dict[str, Any]],
) -> Iterator[float]:
    needed = [other.servers for other in waves if other.position in wave.after]
    waited = [job.ended_at for job in jobs if any(job.servers & servers for servers in needed)]
    ends = [ended for ended in waited if ended is not None]
    answered = sorted(_answered(wave, calls))
    if not needed or not answered or not ends or len(ends) < len(waited):
        return
    free = max([*ends, *([wave.gate_opened_at] if wave.gate_opened_at else [])])
    yield (answered[0] - free).total_seconds()


def _answered(wave: WaveFacts, calls: Sequence[dict[str, Any]]) -> Iterator[datetime]:
    for call in calls:
        places = {(call["account"], call["region"], server) for server in call["server_ids"]}
        if call["operation"] == "StartRecovery" and call["job_id"] and places & wave.servers:
            yield datetime.fromisoformat(call.get("answered_at") or call["at"])


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The 50th and 95th percentile, None where there is nothing to tell."""
    if not values:
        return {"p50": None, "p95": None}
    if len(values) == 1:
        return dict.fromkeys(("p50", "p95"), round(values[0], 3))
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p95": round(cuts[94], 3)}


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def by_operation(calls: Sequence[dict[str, Any]]) -> dict[str, int]:
    """How often each "service:operation" was called."""
    return dict(sorted(Counter(f"{c['service']}:{c['operation']}" for c in calls).items()))
