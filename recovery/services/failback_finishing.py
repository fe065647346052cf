"""The end of a failback that went well: recovery instances are disconnected and cleaned up. And of
one that was cancelled: what replicates back is stopped.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.actor import PORTAL
from drportal.aws import drs as aws
from drportal.aws.errors import AwsError, Failure
from drportal.aws.failback import FailbackDrs
from drportal.aws.roles import forget_sessions
from drportal.mirror.services import mark
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from recovery.failback_states import NOT_LAUNCHED, ReturnState
from recovery.models import Execution, Failback, FailbackInstance
from recovery.services import failback_looks as looks
from recovery.services import terminations
from recovery.services.answers import TRIES, passes_by_itself
from recovery.services.carrying import at_once, tolerating_races
from recovery.services.failback_ends import GIVE_UP_AFTER, remember, settle
from recovery.services.leases import Lease
from recovery.services.pace import retry_after, settle_time
from recovery.states import JOB, TERMINATION, InstanceOutcome

_DISCONNECTED: Final = "DISCONNECTED"
_NOT_STARTED: Final = "FAILBACK_NOT_STARTED"
_AWAY: Final = frozenset({InstanceOutcome.TERMINATED, InstanceOutcome.GONE})

Act = Callable[[FailbackInstance, FailbackDrs, Sequence[aws.RecoveryInstance]], None]


@reaches_outside
def finish(failback: Failback, lease: Lease) -> None:
    """Disconnect what was launched back, then let a clean-up terminate just that."""
    rows = _rows(failback, ReturnState.LAUNCHED)
    if failback.termination_id is None:
        _each([row for row in rows if row.disconnected_at is None], lease, _disconnect)
        rows = _rows(failback, ReturnState.LAUNCHED)
        if rows and all(row.disconnected_at is not None for row in rows):
            lease.must_be_held()
            _begin_clean_up(failback, rows)
            checkpoint("failback.clean_up_begun", failback_id=str(failback.pk))
    else:
        _take_clean_up(failback, rows)


@reaches_outside
def stop(failback: Failback, lease: Lease) -> None:
    """Let go of everything of a failback that is being cancelled, but what DRS launches now."""
    rows = [
        row
        for row in _rows(failback, *NOT_LAUNCHED)
        if row.job is None or row.job.state not in JOB.active
    ]
    for row in rows:
        if row.state == ReturnState.WAITING and row.reverse_asked_at is None:
            tolerating_races(partial(_cancelled, row, "Nothing had been asked for."))
    _each([row for row in rows if row.state != ReturnState.CANCELLED], lease, _stop)
    launched = _rows(failback, ReturnState.LAUNCHED)
    if failback.termination_id is not None:
        _take_clean_up(failback, launched)
        return
    for row in launched:
        why = "The failback was cancelled before it was finished: the recovery instance is kept."
        tolerating_races(partial(settle, row, ReturnState.KEPT, why))


def _rows(failback: Failback, *states: ReturnState) -> list[FailbackInstance]:
    found = failback.instances.filter(state__in=states)
    return list(found.select_related("server", "job", "failback__execution").order_by("id"))


def _each(rows: Sequence[FailbackInstance], lease: Lease, act: Act) -> None:
    """Do something about each that is due, with what DRS lists of it right now."""
    now = timezone.now()
    due = [row for row in rows if row.due_at is None or row.due_at <= now]
    places = looks.by_place(due, looks.here)
    at_once([partial(_in_place, place, found, lease, act) for place, found in places.items()])


def _in_place(place: looks.Place, rows: Sequence[FailbackInstance], lease: Lease, act: Act) -> None:
    scope = looks.scope_of(place)
    if scope is None:
        for row in rows:
            _unknown(row, looks.unregistered(place[0]))
        return
    drs = FailbackDrs(scope)
    try:
        listed = looks.there(drs, rows)
    except AwsError as error:
        for row in rows:
            _later(row, error)
        return
    for row in rows:
        lease.must_be_held()
        tolerating_races(partial(act, row, drs, listed))


def _disconnect(
    row: FailbackInstance, drs: FailbackDrs, listed: Sequence[aws.RecoveryInstance]
) -> None:
    finding = looks.compared(row, listed)
    if finding.outcome in {InstanceOutcome.LEFT, InstanceOutcome.UNKNOWN}:
        settle(row, ReturnState.KEPT, finding.message)
        return
    found = next((each for each in listed if each.instance_id == row.instance_id), None)
    if found is None or _replication(found) == _DISCONNECTED:
        said = "DRS no longer lists it." if found is None else "It is disconnected."
        remember(row, sends=True, disconnected_at=timezone.now(), message=said, due_at=None)
        return
    asked = row.disconnect_asked_at
    if asked is not None and timezone.now() < asked + settle_time():
        return
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    if not _about_to_disconnect(row):
        return
    checkpoint("failback.disconnecting", failback_id=str(row.failback_id))
    try:
        drs.disconnect_recovery_instance(row.instance_id, before=before)
    except AwsError as error:
        checkpoint("failback.disconnect_refused_or_lost", failback_id=str(row.failback_id))
        _not_disconnected(row, error)
        return
    remember(
        row, sends=True, disconnected_at=timezone.now(), message="It is disconnected.", due_at=None
    )
    checkpoint("failback.disconnected", failback_id=str(row.failback_id))


def _replication(found: aws.RecoveryInstance) -> str:
    return str(looks.replication_of(found.raw).get("dataReplicationState") or "")


@transaction.atomic
def _about_to_disconnect(row: FailbackInstance) -> bool:
    """Write that DRS is asked now, unless somebody has cancelled."""
    failback = Failback.objects.select_for_update().get(pk=row.failback_id)
    if failback.cancel_requested_at is not None:
        return False
    remember(row, sends=True, disconnect_asked_at=timezone.now(), attempts=row.attempts + 1)
    return True


def _not_disconnected(row: FailbackInstance, error: AwsError) -> None:
    """Asking again does no harm: DRS refuses it for one that is disconnected already."""
    passing = error.ambiguous or passes_by_itself(error)
    if not passing and row.refusals >= TRIES:
        settle(row, ReturnState.KEPT, f"DRS refused to disconnect it: {error.message}")
        return
    _later(row, error, refusals=row.refusals + (0 if passing else 1))


def _later(row: FailbackInstance, error: AwsError, *, refusals: int | None = None) -> None:
    """AWS did not do it, or did not tell: again later. After a day it is told as not known."""
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()
    opened = row.failback.cancel_requested_at or row.failback.finish_opened_at
    if opened is not None and timezone.now() - opened > GIVE_UP_AFTER:
        _unknown(row, f"What became of it could not be found out: {error.message}")
        return
    attempts = row.attempts + 1
    due = timezone.now() + retry_after(attempts, error)
    counted = row.refusals if refusals is None else refusals
    told = error.detail[:2000]
    remember(row, message=told, due_at=due, attempts=attempts, refusals=counted)


def _unknown(row: FailbackInstance, why: str) -> None:
    """Nobody can tell whether it was disconnected, or stopped: then it is kept, or let go of."""
    end = ReturnState.KEPT if row.state == ReturnState.LAUNCHED else ReturnState.CANCELLED
    tolerating_races(partial(settle, row, end, why))


@transaction.atomic
def _begin_clean_up(failback: Failback, rows: Sequence[FailbackInstance]) -> None:
    """Hand just these instances to a clean-up; or, after a restore, to the one that has them."""
    execution = Execution.objects.select_for_update().get(pk=failback.execution_id)
    if Failback.objects.select_for_update().get(pk=failback.pk).cancel_requested_at is not None:
        return
    begun = execution.terminations.filter(created_at__gte=failback.finish_opened_at).first()
    if begun is None:
        left = [terminations.Left(row.server, row.launch_job_ids) for row in rows]
        reason = f"Failed back: {failback.reason}"[:1000]
        begun = terminations.begin(execution, left, reason=reason, actor=PORTAL)
    Failback.objects.filter(pk=failback.pk).update(termination=begun)
    mark("Failbacks", failback.pk)


def _take_clean_up(failback: Failback, rows: Sequence[FailbackInstance]) -> None:
    """Take over what became of the instances, once their clean-up has ended."""
    termination = failback.termination
    if termination is None or termination.state in TERMINATION.active:
        return
    ends = {row.server_id: row for row in termination.instances.all()}
    for row in rows:
        end = ends.get(row.server_id)
        if end is not None and end.state in _AWAY:
            settle(row, ReturnState.FINISHED, "It runs where it came from, and only there.")
            continue
        said = end.message if end is not None else "The clean-up did not have it."
        label = InstanceOutcome(end.state).label.lower() if end is not None else "not cleaned up"
        settle(row, ReturnState.KEPT, f"The recovery instance was {label}. {said}".strip())


def _stop(row: FailbackInstance, drs: FailbackDrs, listed: Sequence[aws.RecoveryInstance]) -> None:
    """Ask once that the failback of an instance be stopped, if it has begun."""
    found = next((each for each in listed if each.instance_id == row.instance_id), None)
    state = looks.of_failback(found) if found else ""
    asked = row.stop_asked_at
    if found is None:
        _cancelled(row, "DRS no longer lists it.")
    elif asked is not None:
        if state == _NOT_STARTED or timezone.now() >= asked + settle_time():
            _stopped_or_not(row, state)
    elif not row.reversed_arn and row.reverse_asked_at is None and state == _NOT_STARTED:
        _cancelled(row, "Its failback had not begun.")
    else:
        _ask_to_stop(row, drs)


def _stopped_or_not(row: FailbackInstance, state: str) -> None:
    if state == _NOT_STARTED:
        _cancelled(row, "Its failback is stopped.")
        return
    said = state or "nothing"
    _cancelled(
        row,
        f"Whether DRS heard that it is to be stopped is not known; it reports {said}. If it still "
        "replicates, stop its failback at DRS.",
    )


def _ask_to_stop(row: FailbackInstance, drs: FailbackDrs) -> None:
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    remember(row, sends=True, stop_asked_at=timezone.now())
    checkpoint("failback.stopping", failback_id=str(row.failback_id))
    try:
        drs.stop_failback(row.instance_id, before=before)
    except AwsError as error:
        checkpoint("failback.stop_refused_or_lost", failback_id=str(row.failback_id))
        if error.ambiguous:
            remember(row, message=f"Whether DRS heard it is not known. {error.message}"[:2000])
        elif error.passing:
            remember(row, stop_asked_at=None, sends=True)
            _later(row, error)
        else:
            _cancelled(row, f"DRS refused to stop its failback: {error.message}")
        return
    _cancelled(row, "Its failback is stopped.")
    checkpoint("failback.stopped", failback_id=str(row.failback_id))


def _cancelled(row: FailbackInstance, message: str) -> None:
    settle(row, ReturnState.CANCELLED, message)
