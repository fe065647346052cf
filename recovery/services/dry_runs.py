"""What a start would do, and when, from what the database knows. Nothing is changed or asked.

The jobs that run already are those that the portal knows of; what others have started in DRS is a
preflight's business.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from django.db.models import F

from protection.models import SourceServer
from recovery.engine import dry_run as engine
from recovery.engine import quota
from recovery.engine.estimates import Estimate, Estimates, Subject
from recovery.engine.options import WHOLE, StartOptions
from recovery.models import LaunchJob, RecoveryPlan, TerminationJob, WaveServer
from recovery.selectors import place_of_server
from recovery.services import starting
from recovery.services.starting import Resolved
from recovery.states import JobState, ServerState

# The newest launches tell most of the next; so many are looked at.
MOST_RUNS: Final = 5_000


class Against(StrEnum):
    """How an estimate stands against a plan's RTO. UNKNOWN is neither met nor missed."""

    NO_TARGET = "NO_TARGET"
    MET = "MET"
    MISSED = "MISSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Basis:
    """Whose past launches an estimate rests on, and the fewest that a server is judged by."""

    like: str
    runs: int


@dataclass(frozen=True, slots=True)
class JobForecast:
    """A launch job: when DRS would be asked, by the median and by the slow lengths, and what those
    rest on, from the nearest to the farthest. `unknown` are the servers of which nothing is known.
    """

    wave: int
    number: int
    place: engine.Place
    account_name: str
    servers: Sequence[str]
    server_ids: Sequence[str]
    waits: Sequence[str]
    begin: engine.Moment
    end: engine.Moment
    slow_begin: engine.Moment
    slow_end: engine.Moment
    rests_on: Sequence[Basis]
    unknown: int

    @property
    def account_id(self) -> str:
        return self.place[0]

    @property
    def region(self) -> str:
        return self.place[1]


@dataclass(frozen=True, slots=True)
class WaveForecast:
    """A wave, in the order in which it would begin; or one that is left out, which never does.

    `late`: by the slow lengths it would take longer than its time limit.
    """

    position: int
    name: str
    needs: Sequence[int]
    gate: bool
    wait: timedelta
    time_limit: timedelta
    servers: int
    left_out: int
    begin: engine.Moment | None
    end: engine.Moment | None
    slow_begin: engine.Moment | None
    slow_end: engine.Moment | None
    late: bool
    jobs: Sequence[JobForecast]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a start would do. `reached` is when the last critical server would be launched, None
    without one; `runs` is how many past launches it all rests on, and `unknown` of how many
    servers nothing is known.
    """

    waves: Sequence[WaveForecast]
    rto: timedelta | None
    reached: engine.Moment | None
    slow_reached: engine.Moment | None
    end: engine.Moment
    slow_end: engine.Moment
    against: Against
    slow_against: Against
    runs: int
    servers: int
    unknown: int

    @property
    def jobs(self) -> list[JobForecast]:
        """All jobs, in the order in which DRS would be asked."""
        found = [job for wave in self.waves for job in wave.jobs]
        return sorted(found, key=lambda job: (job.begin.at, job.wave, job.number))


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of the servers that would be launched, by place and id."""

    servers: Mapping[tuple[str, str, str], SourceServer]
    estimates: Mapping[tuple[str, str, str], Estimate | None]


def dry_run(plan: RecoveryPlan, options: StartOptions = WHOLE) -> Forecast:
    """Carry out what `options` choose of `plan` in thought. A fixed number of queries.

    Raises what `starting.resolve` raises: what a start would be refused for cannot be foreseen.
    """
    resolved = starting.resolve(plan, options)
    past = _past()
    known = _known(resolved, Estimates(past))
    running = _running()
    median = engine.dry_run(_waves(resolved, known, slow=False), running=running)
    slow = engine.dry_run(_waves(resolved, known, slow=True), running=running)
    return Forecast(
        waves=_forecasts(resolved, known, median, slow),
        rto=plan.rto,
        reached=median.reached,
        slow_reached=slow.reached,
        end=median.end,
        slow_end=slow.end,
        against=verdict(plan.rto, median.reached),
        slow_against=verdict(plan.rto, slow.reached),
        runs=len(past),
        servers=len(known.servers),
        unknown=sum(estimate is None for estimate in known.estimates.values()),
    )


def verdict(rto: timedelta | None, reached: engine.Moment | None) -> Against:
    """How it stands against the RTO when the last critical server would be back: what is at least
    so long can have missed it, but cannot have met it.
    """
    if rto is None:
        return Against.NO_TARGET
    if reached is None:
        return Against.UNKNOWN
    if reached.at > rto:
        return Against.MISSED
    return Against.MET if reached.sure else Against.UNKNOWN


def _past() -> list[tuple[Subject, timedelta]]:
    """How long the newest launches took, from DRS's job to the server's end. One query."""
    rows = WaveServer.objects.filter(
        state=ServerState.LAUNCHED, started_at__isnull=False, finished_at__gt=F("started_at")
    ).order_by("-finished_at", "id")
    columns = ("account_id", "region", "server_id", "os", "started_at", "finished_at")
    return [
        (Subject(account, region, server, os), finished - started)
        for account, region, server, os, started, finished in rows.values_list(*columns)[:MOST_RUNS]
    ]


def _running() -> dict[engine.Place, list[int]]:
    """The sizes of the jobs that DRS may run for the portal now. Two queries."""
    found: dict[engine.Place, list[int]] = defaultdict(list)
    for model in (LaunchJob, TerminationJob):
        live = model._default_manager.filter(state__in=[JobState.INTENDED, JobState.STARTED])
        for account, region, ids in live.values_list("aws_account_id", "region", "server_ids"):
            found[account, region].append(len(ids))
    return dict(found)


def _known(resolved: Sequence[Resolved], estimates: Estimates) -> _Known:
    servers = {place_of_server(server): server for entry in resolved for _, server in entry.servers}
    return _Known(
        servers,
        {key: estimates.of(Subject(*key, server.os)) for key, server in servers.items()},
    )


def _waves(resolved: Sequence[Resolved], known: _Known, *, slow: bool) -> list[engine.Wave]:
    return [
        engine.Wave(
            position=entry.wave.position,
            needs=entry.needs,
            jobs=tuple(_jobs(entry, known, slow=slow)),
            gate=entry.wave.gate,
            wait=entry.wave.wait,
            time_limit=entry.wave.time_limit,
        )
        for entry in resolved
    ]


def _jobs(entry: Resolved, known: _Known, *, slow: bool) -> Iterable[engine.Job]:
    """The launch jobs of a wave, cut as a start cuts them (`waves.queue_jobs`)."""
    critical = {server.server_id: entry.critical(group, server) for group, server in entry.servers}
    by_place: dict[engine.Place, list[str]] = defaultdict(list)
    for _, server in sorted(entry.servers, key=lambda member: _order(member[1])):
        by_place[server.account.account_id, server.region].append(server.server_id)
    for place, ids in by_place.items():
        for part in quota.split(ids):
            yield engine.Job(
                place,
                tuple(
                    engine.Server(pk, critical[pk], _takes(known.estimates[*place, pk], slow=slow))
                    for pk in part
                ),
            )


def _order(server: SourceServer) -> tuple[str, str, str]:
    return server.account.account_id, server.region, server.name


def _takes(estimate: Estimate | None, *, slow: bool) -> timedelta | None:
    if estimate is None:
        return None
    return estimate.slow if slow else estimate.median


def _forecasts(
    resolved: Sequence[Resolved], known: _Known, median: engine.DryRun, slow: engine.DryRun
) -> list[WaveForecast]:
    usual = {run.position: run for run in median.waves}
    slower = {run.position: run for run in slow.waves}
    slow_jobs = {(run.wave, run.number): run for run in slow.jobs}
    jobs: dict[int, list[JobForecast]] = defaultdict(list)
    for run in median.jobs:
        jobs[run.wave].append(_job(run, slow_jobs[run.wave, run.number], known))
    found = [
        _wave(entry, usual.get(at), slower.get(at), jobs[at])
        for entry in resolved
        for at in [entry.wave.position]
    ]
    return sorted(found, key=_as_begun)


def _as_begun(wave: WaveForecast) -> tuple[bool, timedelta, int]:
    """Those that begin first come first, and those that never do come last."""
    return wave.begin is None, wave.begin.at if wave.begin else timedelta(0), wave.position


def _wave(
    entry: Resolved,
    usual: engine.WaveRun | None,
    slow: engine.WaveRun | None,
    jobs: Sequence[JobForecast],
) -> WaveForecast:
    return WaveForecast(
        position=entry.wave.position,
        name=entry.wave.name,
        needs=sorted(entry.needs),
        gate=entry.wave.gate,
        wait=entry.wave.wait,
        time_limit=entry.wave.time_limit,
        servers=len(entry.servers),
        left_out=len(entry.others),
        begin=usual.begin if usual else None,
        end=usual.end if usual else None,
        slow_begin=slow.begin if slow else None,
        slow_end=slow.end if slow else None,
        late=slow is not None and slow.late,
        jobs=jobs,
    )


def _job(run: engine.JobRun, slow: engine.JobRun, known: _Known) -> JobForecast:
    keys = [(*run.job.place, server.server_id) for server in run.job.servers]
    found = [known.estimates[key] for key in keys]
    rests_on: dict[str, int] = {}
    for estimate in found:
        if estimate is not None:
            fewest = rests_on.get(estimate.like, estimate.runs)
            rests_on[estimate.like] = min(fewest, estimate.runs)
    return JobForecast(
        wave=run.wave,
        number=run.number,
        place=run.job.place,
        account_name=known.servers[keys[0]].account.name,
        servers=[known.servers[key].name for key in keys],
        server_ids=[server.server_id for server in run.job.servers],
        waits=run.waits,
        begin=run.begin,
        end=run.end,
        slow_begin=slow.begin,
        slow_end=slow.end,
        rests_on=[Basis(like, runs) for like, runs in sorted(rests_on.items())],
        unknown=sum(estimate is None for estimate in found),
    )
