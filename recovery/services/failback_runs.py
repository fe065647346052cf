"""Carrying failbacks out: take a lease, do what the stage wants, go on to the next.

Whatever changes something calls `carry_out`, and beat calls it for every failback that is due.
Calling it too often does no harm; dying in it does none either.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL
from drportal.aws.errors import AwsError
from drportal.aws.failback import FailbackDrs
from drportal.mirror.services import mark
from drportal.observability import correlated
from drportal.state import move
from drportal.transactions import reaches_outside
from protection.models import TargetAccount
from recovery.engine import quota
from recovery.engine.failing_back import Snapshot, next_state
from recovery.failback_states import (
    FAILBACK,
    NOT_LAUNCHED,
    FailbackState,
    Origin,
    ReturnState,
)
from recovery.models import Failback, FailbackInstance, FailbackJob
from recovery.services import failback_looks as looks
from recovery.services import leases
from recovery.services.carrying import at_once, carry, say, tolerating_races
from recovery.services.events import note
from recovery.services.failback_ends import look_failed
from recovery.services.failback_finishing import finish, stop
from recovery.services.failback_jobs import bring_further
from recovery.services.failback_replication import look
from recovery.services.failbacks import counts, unready, waits_at
from recovery.services.looks import LOOK_BACK, SKEW
from recovery.services.pace import retry_after, seconds
from recovery.services.waves import release_claims
from recovery.states import JOB

_LIVE = sorted(JOB.active)
_MOST_MOVES: Final = 6  # there are no more stages than that
_NO_FAILURE = frozenset({FailbackState.COMPLETED, FailbackState.CANCELLED})


@reaches_outside
def carry_out(failback_id: UUID) -> None:
    """Take a failback as far as it goes without waiting, unless somebody else is at it."""
    carry(Failback, failback_id, _go, lifecycle=FAILBACK, point="failback")


def due(now: datetime) -> list[UUID]:
    """The failbacks to be looked at now, longest due first."""
    found: list[UUID] = leases.due(Failback.objects.filter(state__in=sorted(FAILBACK.active)), now)
    return found


def _go(failback_id: UUID, lease: leases.Lease) -> datetime | None:
    failed: list[AwsError] = []
    for _ in range(_MOST_MOVES):
        failback = _read(failback_id)
        with correlated(failback.correlation_id):
            if failback.state in FAILBACK.terminal:
                return None
            failed = _work(failback, lease)
            lease.must_be_held()
            if not _move_on(failback_id):
                break
    return _when_next(failback_id, failed)


def _read(failback_id: UUID) -> Failback:
    return Failback.objects.select_related("execution", "termination").get(pk=failback_id)


def _work(failback: Failback, lease: leases.Lease) -> list[AwsError]:
    """Do what the stage wants now. Returns what AWS failed with, where that is no job's."""
    failed: list[AwsError] = []
    cancelling = failback.cancel_requested_at is not None
    state = FailbackState(failback.state)
    if state in {FailbackState.REVERSING, FailbackState.WATCHING} and not cancelling:
        failed = look(failback, lease)
        _say_ready(failback)
    elif state == FailbackState.LAUNCHING and not cancelling:
        _queue_jobs(failback)
        failed = look(failback, lease)
        _carry_jobs(failback, lease)
    elif state == FailbackState.FINISHING and not cancelling:
        finish(failback, lease)
    elif state == FailbackState.CANCELLING:
        _carry_jobs(failback, lease)
        stop(_read(failback.pk), lease)
    return failed


def _move_on(failback_id: UUID) -> bool:
    """Move a failback to its next state, if there is one. Its row is locked meanwhile, so that what
    people ask comes before or after.
    """
    with transaction.atomic():
        failback = (
            Failback.objects.select_for_update(of=("self",))
            .select_related("execution")
            .get(pk=failback_id)
        )
        rows = list(failback.instances.all())
        state = next_state(
            Snapshot(
                state=FailbackState(failback.state),
                cancelling=failback.cancel_requested_at is not None,
                launch_open=failback.launch_opened_at is not None,
                finish_open=failback.finish_opened_at is not None,
                instances=[ReturnState(row.state) for row in rows],
                live_jobs=failback.jobs.filter(state__in=_LIVE).count(),
            )
        )
        if state is None:
            return False
        if state in FAILBACK.terminal:
            _end(failback, state, rows)
        else:
            move(failback, state, lifecycle=FAILBACK)
            _tell(failback)
        mark("Failbacks", failback.pk)
    return True


def _tell(failback: Failback) -> None:
    state = FailbackState(failback.state)
    if state == FailbackState.CONFIRMING:
        said = (
            "What was launched back waits for a person to confirm that it works. Then its recovery "
            "instances are disconnected and terminated."
        )
        note(failback.execution, "failback.waiting", said)
    else:
        note(failback.execution, "failback.stage", f"Failback: {state.label.lower()}.")


def _end(failback: Failback, state: FailbackState, rows: Sequence[FailbackInstance]) -> None:
    now = timezone.now()
    move(failback, state, lifecycle=FAILBACK, finished_at=now, due_at=None, message="")
    release_claims(failback.execution)
    found = counts(rows)
    told = ", ".join(
        f"{number} {ReturnState(name).label.lower()}" for name, number in found.items()
    )
    note(failback.execution, "failback.ended", f"Failback ended: {state.label.lower()} ({told}).")
    write = record if state in _NO_FAILURE else record_failure
    write(
        "recovery.failback.ended",
        actor=PORTAL,
        subject=failback.execution,
        failback=str(failback.pk),
        state=str(state),
        instances=found,
    )


def _say_ready(failback: Failback) -> None:
    """Say once that everything is ready, and that a person has to open the gate."""
    with transaction.atomic():
        failback = Failback.objects.select_for_update(of=("self",)).get(pk=failback.pk)
        alive = failback.instances.filter(state__in=sorted(NOT_LAUNCHED)).select_related("server")
        if failback.ready_at is not None or not alive or unready(alive):
            return
        failback.ready_at = timezone.now()
        failback.save(update_fields=["ready_at"])
        said = "Everything is ready to be launched back, once a person opens the gate."
        note(failback.execution, "failback.waiting", said)
        mark("Failbacks", failback.pk)


@transaction.atomic
def _queue_jobs(failback: Failback) -> None:
    """Write the jobs of what is to be launched back and is in none yet."""
    rows = failback.instances.filter(state__in=sorted(NOT_LAUNCHED), job=None)
    waiting = list(rows.select_related("server").order_by("source_server_id", "id"))
    accounts = TargetAccount.objects.in_bulk(field_name="account_id")
    for origin in Origin:
        place = looks.home if origin == Origin.AWS else looks.here
        mine = [row for row in waiting if row.origin == origin]
        for (account_id, region), found in looks.by_place(mine, place).items():
            account = accounts.get(account_id)
            if account is None:
                continue  # `look` has said so, and the rows wait
            for part in quota.split([str(row.pk) for row in found]):
                job = FailbackJob.objects.create(
                    failback=failback,
                    account=account,
                    aws_account_id=account_id,
                    account_name=account.name,
                    region=region,
                    origin=origin,
                )
                failback.instances.filter(pk__in=part).update(job=job)
                mark("FailbackJobs", job.pk)
                mark("FailbackInstances", *map(UUID, part))


def _carry_jobs(failback: Failback, lease: leases.Lease) -> None:
    now = timezone.now()
    places: dict[tuple[str, str], list[FailbackJob]] = {}
    live = failback.jobs.filter(state__in=_LIVE)
    for job in live.select_related("account", "failback__execution").order_by("created_at", "id"):
        places.setdefault((job.aws_account_id, job.region), []).append(job)
    at_once(
        [
            _call(jobs, lease)
            for jobs in places.values()
            if any(job.due_at is None or job.due_at <= now for job in jobs)
            or failback.cancel_requested_at is not None
        ]
    )


def _call(jobs: Sequence[FailbackJob], lease: leases.Lease) -> Callable[[], None]:
    def call() -> None:
        drs = FailbackDrs(jobs[0].scope())
        since = min([timezone.now() - LOOK_BACK, *(job.created_at - SKEW for job in jobs)])
        since = min([since, *(job.failback.created_at - SKEW for job in jobs)])
        try:
            listed = drs.jobs_since(since)
        except AwsError as error:
            _each(jobs, lease, partial(look_failed, error=error))
        else:
            _each(jobs, lease, partial(bring_further, drs=drs, listed=listed))

    return call


def _each(
    jobs: Sequence[FailbackJob], lease: leases.Lease, action: Callable[[FailbackJob], None]
) -> None:
    for job in jobs:
        lease.must_be_held()
        tolerating_races(partial(action, job))


def _when_next(failback_id: UUID, failed: Sequence[AwsError]) -> datetime | None:
    """When to look again. A failback that only waits for a confirmation is not looked at."""
    failback = _read(failback_id)
    now = timezone.now()
    if failback.state in FAILBACK.terminal:
        return None
    failures = failback.failures + 1 if failed else 0
    Failback.objects.filter(pk=failback_id).update(failures=failures)
    say(Failback, failback_id, failed[0].detail if failed else "")
    if failed:
        return now + max(retry_after(failures, error) for error in failed)
    if waits_at(failback) is not None and failback.state == FailbackState.CONFIRMING:
        return None
    return now + _pause(failback)


def _pause(failback: Failback) -> timedelta:
    """What waits for replication, which takes hours, is looked at seldom; all else often."""
    if failback.state == FailbackState.WATCHING:
        return seconds(settings.POLL_SLOWEST_SECONDS)
    return seconds(settings.POLL_FASTEST_SECONDS * 5)
