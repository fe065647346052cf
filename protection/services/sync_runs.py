"""The runs of syncs: one at a time by lease, each with what it saw and could not see."""

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import Actor
from drportal.jobs import hint
from drportal.state import move_all
from protection.choices import SYNC, SyncKind, SyncState
from protection.errors import SyncAlreadyRunning
from protection.models import SyncRun

# A run says that it is alive after every account and Region; the slowest answer takes less.
_LEASE = timedelta(minutes=3)
_TASKS = {
    SyncKind.INVENTORY: "protection.sync_inventory",
    SyncKind.RECOVERY_INSTANCES: "protection.sync_recovery_instances",
    SyncKind.STAGING: "protection.sync_staging",
    SyncKind.TAGS: "protection.sync_tags",
}


@dataclass(slots=True)
class Tally:
    """What a run has seen so far, by the names of `SyncRun`'s columns."""

    scopes_listed: int = 0
    scopes_without_drs: int = 0
    scopes_skipped: int = 0
    scopes_failed: int = 0
    seen: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    failed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    problems: list[dict[str, Any]] = field(default_factory=list)


def ask(kind: SyncKind, *, actor: Actor) -> None:
    """Ask a worker to run a sync now. Raises SyncAlreadyRunning while a run is alive."""
    alive = SyncRun.objects.filter(
        kind=kind, state=SyncState.RUNNING, leased_until__gt=timezone.now()
    ).first()
    if alive is not None:
        raise SyncAlreadyRunning(alive)
    with transaction.atomic():
        record("protection.sync.requested", actor=actor, kind=str(kind))
        hint(_TASKS[kind])


def begin(kind: SyncKind, *, actor: Actor) -> SyncRun:
    """Begin a run, taking over from one whose lease ran out. Raises SyncAlreadyRunning."""
    now = timezone.now()
    dead = SyncRun.objects.filter(kind=kind, leased_until__lte=now)
    ended = {"finished_at": now, "leased_until": None}
    move_all(dead, SyncState.ABANDONED, lifecycle=SYNC, source=SyncState.RUNNING, **ended)
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                kind=kind, requested_by=actor.name, leased_until=now + _LEASE
            )
    except IntegrityError as error:
        running = SyncRun.objects.filter(kind=kind, state=SyncState.RUNNING).first()
        raise SyncAlreadyRunning(running or kind.label) from error


def keep_alive(run: SyncRun) -> None:
    """Say that the run is alive. Raises SyncAlreadyRunning if another has taken over."""
    alive = SyncRun.objects.filter(pk=run.pk, state=SyncState.RUNNING)
    if not alive.update(leased_until=timezone.now() + _LEASE):
        raise SyncAlreadyRunning(run)


def finish(run: SyncRun, tally: Tally, *, actor: Actor) -> SyncRun:
    """End a run: PARTIAL if some account or Region did not answer, or some object was refused;
    FAILED if none answered; NOTHING if none was asked, or DRS is in use nowhere.
    """
    state = SyncState.COMPLETED if tally.scopes_listed else SyncState.NOTHING
    if tally.scopes_failed:
        state = SyncState.PARTIAL if tally.scopes_listed else SyncState.FAILED
    elif tally.failed:
        state = SyncState.PARTIAL
    return _end(run, state, tally, actor=actor)


def fail(run: SyncRun, tally: Tally, *, actor: Actor) -> SyncRun:
    """End a run that broke off."""
    return _end(run, SyncState.FAILED, tally, actor=actor)


def _end(run: SyncRun, state: SyncState, tally: Tally, *, actor: Actor) -> SyncRun:
    with transaction.atomic():
        ended = move_all(
            SyncRun.objects.filter(pk=run.pk),
            state,
            lifecycle=SYNC,
            source=SyncState.RUNNING,
            finished_at=timezone.now(),
            leased_until=None,
            **asdict(tally),
        )
        run.refresh_from_db()
        if ended:
            write = record_failure if state == SyncState.FAILED else record
            counts = {name: count for name, count in asdict(tally).items() if name != "problems"}
            write(f"protection.{run.kind.lower()}.synced", actor=actor, subject=run, **counts)
    return run
