"""Carrying clean-ups out: take a lease, look in each account and Region, bring every job further.

Whatever changes something calls `carry_out`, and beat calls it for every clean-up that is due.
Calling it too often does no harm; dying in it does none either.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError
from drportal.mirror.services import mark
from drportal.observability import correlated
from drportal.state import move
from drportal.transactions import reaches_outside
from recovery.models import Termination, TerminationJob
from recovery.services import leases
from recovery.services.carrying import at_once, carry, say, tolerating_races
from recovery.services.events import note
from recovery.services.looks import LOOK_BACK, SKEW
from recovery.services.termination_jobs import bring_further
from recovery.services.termination_waits import look_failed
from recovery.states import (
    INSTANCE,
    TERMINATION,
    TERMINATION_JOB,
    InstanceOutcome,
    TerminationState,
)

_ALL_GONE = frozenset({InstanceOutcome.TERMINATED, InstanceOutcome.GONE})
_LIVE = sorted(TERMINATION_JOB.active)


@reaches_outside
def carry_out(termination_id: UUID) -> None:
    """Take a clean-up as far as it goes without waiting, unless somebody else is at it."""
    carry(Termination, termination_id, _go, lifecycle=TERMINATION, point="termination")


def due(now: datetime) -> list[UUID]:
    """The clean-ups to be looked at now, longest due first."""
    live = Termination.objects.filter(state__in=sorted(TERMINATION.active))
    found: list[UUID] = leases.due(live, now)
    return found


def _go(termination_id: UUID, lease: leases.Lease) -> datetime | None:
    termination = Termination.objects.select_related("execution").get(pk=termination_id)
    if termination.state in TERMINATION.terminal:
        return None  # others took over while we stood still
    with correlated(termination.correlation_id):
        at_once([_call(jobs, lease) for jobs in _due_places(termination)])
        lease.must_be_held()
        live = termination.jobs.filter(state__in=_LIVE)
        times = list(live.values_list("due_at", flat=True))
        if not times:
            _finish(termination)
            return None
        if termination.message:
            say(Termination, termination_id, "")
        return min((time for time in times if time), default=timezone.now())


def _due_places(termination: Termination) -> list[list[TerminationJob]]:
    """The live jobs of each account and Region where one is due: one look serves them all."""
    now = timezone.now()
    places: dict[tuple[str, str], list[TerminationJob]] = {}
    live = termination.jobs.filter(state__in=_LIVE)
    for job in live.select_related("account", "termination__execution").order_by("created_at"):
        places.setdefault((job.aws_account_id, job.region), []).append(job)
    return [
        jobs
        for jobs in places.values()
        if any(job.due_at is None or job.due_at <= now for job in jobs)
    ]


def _call(jobs: Sequence[TerminationJob], lease: leases.Lease) -> Callable[[], None]:
    def call() -> None:
        drs = Drs(jobs[0].scope())
        since = min([timezone.now() - LOOK_BACK, *(job.created_at - SKEW for job in jobs)])
        try:
            listed = drs.jobs_since(since)
        except AwsError as error:
            _each(jobs, lease, partial(look_failed, error=error))
        else:
            _each(jobs, lease, partial(bring_further, drs=drs, listed=listed))

    return call


def _each(
    jobs: Sequence[TerminationJob], lease: leases.Lease, action: Callable[[TerminationJob], None]
) -> None:
    for job in jobs:
        lease.must_be_held()
        tolerating_races(partial(action, job))


@transaction.atomic
def _finish(termination: Termination) -> None:
    """End a clean-up of which every job has ended."""
    rows = termination.instances.all()
    for row in rows.filter(state__in=sorted(INSTANCE.active)):
        message = "What became of it is not known."
        ended = {"message": message, "finished_at": timezone.now()}
        move(row, InstanceOutcome.UNKNOWN, lifecycle=INSTANCE, **ended)
    counts: dict[str, int] = {}
    for state in rows.values_list("state", flat=True):
        counts[state] = counts.get(state, 0) + 1
    whole = bool(counts) and counts.keys() <= _ALL_GONE
    state = TerminationState.COMPLETED if whole else TerminationState.INCOMPLETE
    now = timezone.now()
    move(termination, state, lifecycle=TERMINATION, finished_at=now, due_at=None, message="")
    told = ", ".join(
        f"{count} {InstanceOutcome(name).label.lower()}" for name, count in sorted(counts.items())
    )
    said = f"Clean-up ended: {state.label.lower()} ({told})."
    note(termination.execution, "termination.ended", said)
    write = record if whole else record_failure
    write(
        "recovery.termination.ended",
        actor=PORTAL,
        subject=termination.execution,
        termination=str(termination.pk),
        state=str(state),
        instances=counts,
    )
    mark("Terminations", termination.pk)
