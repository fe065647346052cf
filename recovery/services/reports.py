"""The report of an execution: what was asked for, what came of it, how long it took and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from recovery.engine.measures import (
    Spent,
    Stretch,
    Verdict,
    reached,
    rpo_verdict,
    rto_verdict,
    spent,
)
from recovery.models import Execution, ExecutionEvent, PlanVersion, Wave, WaveServer
from recovery.selectors import whole, with_counts
from recovery.services.plan_differences import Differences, differences
from recovery.services.wave_preflights import kept
from recovery.states import EXECUTION, LAUNCHED_WELL, ServerCheckState, ServerState

_PAUSED = "execution.pause_requested"
# What began with an event of a kind, and ended with one of another.
_UNTIL = {_PAUSED: "execution.pause_lifted", "execution.ended": "execution.reopened"}
# What ends a wave's waiting for AWS to say better things.
_LET_GO = frozenset(
    {"wave.preflight_passed", "wave.started", "wave.left_out", "wave.cancelled", "wave.blocked"}
)


@dataclass(frozen=True, slots=True)
class WaveMeasure:
    """How long a wave took from the request, and from its own start, until all of its critical
    servers were launched; None if they are not, or have not been.
    """

    position: int
    name: str
    critical: int
    launched: int
    since_request: timedelta | None
    since_start: timedelta | None


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """How old the data was that a launched server came back with, when DRS was asked for it; None
    if DRS did not tell.
    """

    server: WaveServer
    age: timedelta | None


@dataclass(frozen=True, slots=True)
class Measured:
    """An execution against its plan's targets.

    `targets_known` is False where the plan, and with it what it promised, has been deleted: the
    verdicts are UNKNOWN then. `rto_taken` is from the request until the last of the `critical`
    servers was launched. `rpo_worst` is the oldest of the recovery points that are known; of
    `rpo_unknown` servers none is. `spent` are the parts of `took`.
    """

    targets_known: bool
    critical: int
    rto: timedelta | None
    rto_taken: timedelta | None
    rto_verdict: Verdict
    rpo: timedelta | None
    rpo_worst: timedelta | None
    rpo_unknown: int
    rpo_verdict: Verdict
    took: timedelta
    spent: Mapping[Spent, timedelta]
    waves: Sequence[WaveMeasure]
    points: Sequence[RecoveryPoint]


@dataclass(frozen=True, slots=True)
class Since:
    """What is different from the last ended execution of the same plan and kind. `changes` is
    None if one of the versions is no longer there.
    """

    execution: Execution
    changes: Differences | None
    servers_added: Sequence[str]
    servers_left_out: Sequence[str]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is told of an execution; `final` once nothing of it can change."""

    execution: Execution
    made_at: datetime
    final: bool
    measured: Measured
    since: Since | None
    events: Sequence[ExecutionEvent]


def report(execution: Execution) -> Report:
    """The report of an execution as it stands. A fixed number of queries."""
    found = whole(with_counts(Execution.objects.filter(pk=execution.pk))).get()
    events = list(found.events.select_related("wave", "server").order_by("id"))
    return Report(
        execution=found,
        made_at=timezone.now(),
        final=found.state in EXECUTION.terminal,
        measured=_measured(found, events),
        since=_since(found),
        events=events,
    )


def checks_said(server: WaveServer) -> list[str]:
    """What became of each check of a launched server, and who passed it by hand and why."""
    told = []
    for check in server.checks.all():
        said = f"Check {check.name}: {ServerCheckState(check.state).label.lower()}"
        said += f", {check.message}" if check.message else ""
        if check.by_hand:
            said += f" Passed by hand by {check.by_hand}: {check.reason}"
        told.append(said)
    return told


def _measured(execution: Any, events: Sequence[ExecutionEvent]) -> Measured:
    waves = list(execution.waves.all())
    servers = [server for wave in waves for server in wave.servers.all()]
    version = _version(execution)
    rto, rpo = _targets(version)
    end = execution.finished_at or timezone.now()
    took = max(end - execution.created_at, timedelta(0))
    taken = _since_when(execution.created_at, servers)
    critical = len(_critical(servers))
    ended = execution.state in EXECUTION.terminal
    points = [_point(server) for server in servers if _was_launched(server)]
    ages = [point.age for point in points if point.age is not None]
    unknown = len(points) - len(ages)
    of_rto = rto_verdict(rto, taken, so_far=took, ended=ended, critical=critical)
    of_rpo = rpo_verdict(rpo, ages, unknown=unknown)
    return Measured(
        targets_known=version is not None,
        critical=critical,
        rto=rto,
        rto_taken=taken,
        rto_verdict=of_rto if version else Verdict.UNKNOWN,
        rpo=rpo,
        rpo_worst=max(ages, default=None),
        rpo_unknown=unknown,
        rpo_verdict=of_rpo if version else Verdict.UNKNOWN,
        took=took,
        spent=spent(
            execution.created_at, end, [*_stretches(waves), *_stood_still(events), *_held(events)]
        ),
        waves=[_wave_measure(execution, wave) for wave in waves],
        points=points,
    )


def _targets(version: PlanVersion | None) -> tuple[timedelta | None, timedelta | None]:
    """What the version that is carried out promises."""
    told = version.document if version else {}
    rto, rpo = (told.get(name) for name in ("rto_seconds", "rpo_seconds"))
    return _seconds(rto), _seconds(rpo)


def _seconds(number: float | None) -> timedelta | None:
    return None if number is None else timedelta(seconds=number)


def _version(execution: Execution) -> PlanVersion | None:
    return PlanVersion.objects.filter(plan=execution.plan_id, number=execution.plan_version).first()


def _since_when(begin: datetime | None, servers: Sequence[WaveServer]) -> timedelta | None:
    """From `begin` until the last critical of `servers` was launched."""
    end = reached([_launched_at(server) for server in _critical(servers)])
    return end - begin if begin and end else None


def _critical(servers: Sequence[WaveServer]) -> list[WaveServer]:
    """Those without which nothing is reached. What a person left out is not waited for."""
    return [row for row in servers if row.critical and row.state != ServerState.LEFT_OUT]


def _launched_at(server: WaveServer) -> datetime | None:
    """Since when it is as good as it gets: launched, and ready where it is checked."""
    return server.finished_at if server.state in LAUNCHED_WELL else None


def _was_launched(server: WaveServer) -> bool:
    return server.launched_at is not None or server.state in LAUNCHED_WELL


def _wave_measure(execution: Execution, wave: Wave) -> WaveMeasure:
    servers = list(wave.servers.all())
    critical = _critical(servers)
    return WaveMeasure(
        position=wave.position,
        name=wave.name,
        critical=len(critical),
        launched=sum(_launched_at(server) is not None for server in critical),
        since_request=_since_when(execution.created_at, servers),
        since_start=_since_when(wave.started_at, servers),
    )


def _point(server: WaveServer) -> RecoveryPoint:
    job = server.launch_job
    asked = job.asked_at if job else None
    known = server.recovery_point_at
    # A point that is younger than the question was taken for it: then nothing is missing.
    age = max(asked - known, timedelta(0)) if asked and known else None
    return RecoveryPoint(server, age)


def _stretches(waves: Sequence[Wave]) -> Iterator[Stretch]:
    for wave in waves:
        over = wave.finished_at
        if wave.gate_reached_at:
            yield Stretch(Spent.PEOPLE, wave.gate_reached_at, wave.gate_opened_at or over)
        if wave.wait_until:
            begin = wave.wait_until - wave.wait
            yield Stretch(Spent.TIMER, begin, min(wave.wait_until, over or wave.wait_until))
        look = kept(wave)
        if look is not None and look.asked_at:
            yield Stretch(Spent.AWS, look.asked_at, look.looked_at)
        for job in wave.jobs.all():
            yield Stretch(Spent.QUEUE, job.created_at, job.intended_at or job.ended_at)
            if job.intended_at:
                yield Stretch(Spent.AWS, job.intended_at, job.ended_at)


def _stood_still(events: Sequence[ExecutionEvent]) -> Iterator[Stretch]:
    """When people had paused it, and when it had ended before they tried something again."""
    begun: dict[str, datetime] = {}
    for event in events:
        if event.kind in _UNTIL:
            begun[event.kind] = event.at
        for begin in [kind for kind, end in _UNTIL.items() if end == event.kind and kind in begun]:
            yield Stretch(Spent.PEOPLE, begun.pop(begin), event.at)
    if _PAUSED in begun:
        yield Stretch(Spent.PEOPLE, begun[_PAUSED], None)


def _held(events: Sequence[ExecutionEvent]) -> Iterator[Stretch]:
    """When what AWS said kept waves from launching: they waited in line for a better answer."""
    begun: dict[UUID | None, datetime] = {}
    for event in events:
        if event.kind == "wave.preflight_blocks":
            begun.setdefault(event.wave_id, event.at)
        elif event.wave_id in begun and event.kind in _LET_GO:
            yield Stretch(Spent.QUEUE, begun.pop(event.wave_id), event.at)
    for begin in begun.values():
        yield Stretch(Spent.QUEUE, begin, None)


def _since(execution: Execution) -> Since | None:
    before = (
        Execution.objects.filter(
            plan=execution.plan_id,
            kind=execution.kind,
            state__in=sorted(EXECUTION.terminal),
            created_at__lt=execution.created_at,
        )
        .exclude(plan=None)
        .order_by("-created_at", "id")
        .first()
    )
    if before is None:
        return None
    old, new = _version(before), _version(execution)
    then, now = _servers(before), _servers(execution)
    return Since(
        execution=before,
        changes=differences(old.document, new.document) if old and new else None,
        servers_added=sorted(now[key] for key in now.keys() - then.keys()),
        servers_left_out=sorted(then[key] for key in then.keys() - now.keys()),
    )


def _servers(execution: Execution) -> dict[tuple[str, str, str], str]:
    """What the servers of an execution are called, by where they are."""
    rows = WaveServer.objects.filter(execution=execution)
    return {
        (account, region, server): f"{name} ({server})"
        for account, region, server, name in rows.values_list(
            "account_id", "region", "server_id", "name"
        )
    }
