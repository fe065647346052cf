"""The runs of syncs: one at a time by lease, each with what it saw and could not see."""

import time
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

# A run says that it is alive this often, while it waits for AWS too; see `asking`.
_LEASE = timedelta(minutes=3)
_BEAT = 15  # seconds
_MOST_TOLD = 500  # problems, and changes: a run is looked at on one page
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
    changes: list[dict[str, Any]] = field(default_factory=list)

    def passed_over(self, *reasons: str) -> None:
        """Count what was skipped, each by its reason."""
        for reason in reasons:
            self.skipped[reason] = self.skipped.get(reason, 0) + 1

    def cannot(self, *, status: str, message: str, **where: str) -> None:
        """Note what could not be done, and where. The first 500 are kept."""
        if len(self.problems) < _MOST_TOLD:
            self.problems.append({**where, "status": status, "message": message})

    def tell(self, **change: Any) -> None:
        """Note a change in full. The first 500 are kept; all are counted elsewhere."""
        if len(self.changes) < _MOST_TOLD:
            self.changes.append(change)


class Pulse:
    """Keeps a run's lease alive: call it as often as you like, it writes now and then."""

    def __init__(self, run: SyncRun) -> None:
        self._run = run
        self._last = time.monotonic()

    def __call__(self) -> None:
        """Raises SyncAlreadyRunning if another run has taken over."""
        if time.monotonic() - self._last >= _BEAT:
            keep_alive(self._run)
            self._last = time.monotonic()


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


def begin(kind: SyncKind, *, actor: Actor, dry_run: bool = False) -> SyncRun:
    """Begin a run, taking over from one whose lease ran out. Raises SyncAlreadyRunning."""
    now = timezone.now()
    dead = SyncRun.objects.filter(kind=kind, leased_until__lte=now)
    ended = {"finished_at": now, "leased_until": None}
    move_all(dead, SyncState.ABANDONED, lifecycle=SYNC, source=SyncState.RUNNING, **ended)
    try:
        with transaction.atomic():
            return SyncRun.objects.create(
                kind=kind, requested_by=actor.name, leased_until=now + _LEASE, dry_run=dry_run
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
            told = asdict(tally)
            counts = {name: told[name] for name in told.keys() - {"problems", "changes"}}
            facts = {**counts, "dry_run": run.dry_run}
            write(f"protection.{run.kind.lower()}.synced", actor=actor, subject=run, **facts)
    return run
