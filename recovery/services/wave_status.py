"""How a wave stands: what is known, how old that is, and asking the engine to look again.

What a wave amounts to is told by its servers alone. That a DRS job has completed says nothing of
them. Reading asks nobody; asking to look only makes due what the engine would do by itself, so
twice is as good as once.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.jobs import hint
from recovery.engine import outcome
from recovery.errors import WaveNotFound
from recovery.models import Execution, JobWatch, LaunchJob, Wave, WaveServer
from recovery.services import leases
from recovery.services.pace import between_polls
from recovery.states import JobState, WaveState


@dataclass(frozen=True, slots=True)
class WatchedPlace:
    """An account and Region in which DRS runs jobs of a wave, and how old its last word is.

    `answered_at` is None if it has never told of them; `trouble` is why it does not now.
    """

    account_id: str
    region: str
    drs_job_ids: Sequence[str]
    answered_at: datetime | None
    trouble: str
    asks_again_at: datetime | None


@dataclass(frozen=True, slots=True)
class WaveStatus:
    """How a wave stands. `by_servers` is what its servers amount to by now, LAUNCHING while some of
    them are under way, and None if it has never launched.
    """

    wave: Wave
    by_servers: WaveState | None
    servers: Sequence[WaveServer]
    places: Sequence[WatchedPlace]


def told(execution: Execution, *, position: int) -> WaveStatus:
    """How the wave at `position` stands. Nobody is asked. Raises WaveNotFound."""
    wave = _wave(execution, position)
    servers = list(wave.servers.order_by("name", "id"))
    return WaveStatus(wave, by_servers(wave, servers), servers, _places(wave))


def poll(execution: Execution, *, position: int, actor: Actor) -> WaveStatus:
    """Have DRS asked now about the jobs of the wave at `position`, and the execution go on.

    A place that was asked a moment ago, or that does not answer, keeps its own time: nobody may
    hurry AWS. What is known is returned at once. Raises WaveNotFound.
    """
    with transaction.atomic():
        wave = _wave(execution, position)
        hurried = _hurry(wave)
        _wake(execution)
        record(
            "recovery.wave.polled",
            actor=actor,
            subject=execution,
            wave=str(wave),
            places=sorted(str(watch) for watch in hurried),
        )
    return told(execution, position=position)


def complete(execution: Execution, *, position: int, actor: Actor) -> WaveStatus:
    """Have the engine end the wave at `position`, if its servers say that it has ended, and return
    how it stands. Never more than that: it ends nothing by itself. Raises WaveNotFound.
    """
    with transaction.atomic():
        status = told(execution, position=position)
        _wake(execution)
        record(
            "recovery.wave.completion_asked",
            actor=actor,
            subject=execution,
            wave=str(status.wave),
            state=status.wave.state,
            by_servers=str(status.by_servers or ""),
        )
    return status


def by_servers(wave: Wave, servers: Collection[WaveServer]) -> WaveState | None:
    """What the servers of `wave` amount to."""
    if wave.started_at is None:
        return None
    if any(server.state not in outcome.FINAL or server.being_checked for server in servers):
        return WaveState.LAUNCHING
    return outcome.of_wave(
        [server.state for server in servers if server.critical],
        [server.state for server in servers if not server.critical],
        threshold=wave.success_threshold,
        overdue=wave.state == WaveState.TIMED_OUT or _over(wave),
    )


def _over(wave: Wave) -> bool:
    late = wave.deadline_at is not None and wave.deadline_at <= timezone.now()
    return wave.state == WaveState.LAUNCHING and late


def _wave(execution: Execution, position: int) -> Wave:
    wave = execution.waves.filter(position=position).first()
    if wave is None:
        raise WaveNotFound(execution, position)
    return wave


def _watches(jobs: Collection[LaunchJob]) -> list[JobWatch]:
    there = {(job.account_id, job.region) for job in jobs}
    rows = JobWatch.objects.filter(account__in={account for account, _ in there})
    found = [row for row in rows.select_related("account") if (row.account_id, row.region) in there]
    return sorted(found, key=lambda row: (row.account.account_id, row.region))


def _started(wave: Wave) -> list[LaunchJob]:
    return list(wave.jobs.filter(state=JobState.STARTED).order_by("created_at", "id"))


def _places(wave: Wave) -> list[WatchedPlace]:
    jobs = _started(wave)
    by_place: dict[tuple[Any, str], list[LaunchJob]] = {}
    for job in jobs:
        by_place.setdefault((job.account_id, job.region), []).append(job)
    watches = {(row.account_id, row.region): row for row in _watches(jobs)}
    return [_place(there, watches.get(place)) for place, there in by_place.items()]


def _place(jobs: Sequence[LaunchJob], watch: JobWatch | None) -> WatchedPlace:
    return WatchedPlace(
        account_id=jobs[0].aws_account_id,
        region=jobs[0].region,
        drs_job_ids=[job.drs_job_id for job in jobs],
        answered_at=watch.polled_at if watch else None,
        trouble=watch.message if watch and watch.failures else "",
        asks_again_at=watch.due_at if watch else None,
    )


def _hurry(wave: Wave) -> list[JobWatch]:
    """Make due the watches of places where jobs of `wave` run, and return them."""
    now = timezone.now()
    just_now = now - between_polls()
    hurried = [
        watch
        for watch in _watches(_started(wave))
        if not watch.failures and (watch.polled_at is None or watch.polled_at <= just_now)
    ]
    for watch in hurried:
        leases.sooner(JobWatch.objects.filter(pk=watch.pk), now)
        hint("recovery.watch", watch_id=watch.pk)
    return hurried


def _wake(execution: Execution) -> None:
    """Let the engine look at it soon. Nothing new is wanted of it, so what it has decided holds."""
    leases.sooner(Execution.objects.active().filter(pk=execution.pk), timezone.now())
    hint("recovery.advance", execution_id=str(execution.pk))
