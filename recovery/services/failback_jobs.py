"""The journal of every launch back: looked for, intended, asked, adopted, watched.

As with a launch (docs/adr/0003): the intent is committed before DRS is asked, and a job of which
we do not know whether DRS heard it is looked for before it is asked for again.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.aws.errors import AwsError
from drportal.aws.failback import FailbackDrs
from drportal.mirror.services import mark
from drportal.observability import checkpoint
from drportal.state import move
from drportal.transactions import reaches_outside
from recovery.engine.failing_back import launched
from recovery.failback_states import Origin, ReturnState
from recovery.models import (
    Failback,
    FailbackInstance,
    FailbackJob,
    JobWatch,
    LaunchJob,
    ServerClaim,
)
from recovery.services.answers import passes_by_itself, worth_another_look
from recovery.services.events import note
from recovery.services.failback_ends import (
    GIVE_UP_AFTER,
    close,
    give_up,
    later,
    look_failed,
    named,
    overdue,
    refuse,
    retry_after,
    rows_of,
    settle,
    titled,
    wait,
)
from recovery.services.failback_looks import answer_to, of_failback, same
from recovery.services.failbacks import oldest_look
from recovery.services.launches import LATE_LISTING
from recovery.services.looks import SKEW
from recovery.services.pace import poll_after, seconds, settle_time
from recovery.services.room import why_wait
from recovery.states import JOB, JobState

# A job that DRS has not listed for so long will not come back.
_GONE_AFTER: Final = timedelta(hours=1)


@reaches_outside
def bring_further(job: FailbackJob, drs: FailbackDrs, listed: Sequence[aws.Job]) -> None:
    """Take a live job as far as it goes now. `listed` is what DRS lists of jobs there right now."""
    try:
        if job.state == JobState.STARTED:
            _watch(job, drs, listed)
        elif job.state == JobState.INTENDED:
            _settle_intent(job, drs, listed)
        else:
            _send(job, drs, listed)
    except AwsError as error:
        look_failed(job, error)


def _settle_intent(job: FailbackJob, drs: FailbackDrs, listed: Sequence[aws.Job]) -> None:
    """Adopt what DRS made of a job that it was asked for; else ask again, or drop it."""
    found = answer_to(job, listed)
    settled_at = (job.asked_at or job.created_at) + settle_time()
    if found is not None:
        _adopt(job, found, said="DRS has started it; its answer was lost.")
    elif timezone.now() < settled_at:
        later(job, job.message, after=settled_at - timezone.now())
    elif job.failback.cancel_requested_at is not None:
        _withdraw(job)
    elif overdue(job):
        give_up(job, f"Whether DRS has launched it could not be found out: {job.message}")
    else:
        _intend_and_ask(job, drs, listed, again=True)


def _send(job: FailbackJob, drs: FailbackDrs, listed: Sequence[aws.Job]) -> None:
    """Ask DRS for a QUEUED job, if all of it is ready and there is room; else say why it waits."""
    if job.failback.restored_at is not None and _known_to_drs(job, listed):
        return
    if job.failback.cancel_requested_at is not None:
        _withdraw(job)
        return
    _intend_and_ask(job, drs, listed, again=False)


def _known_to_drs(job: FailbackJob, listed: Sequence[aws.Job]) -> bool:
    """Whether DRS launched these for a restored failback before it was restored. What the mirror
    had not been told is adopted; what may be part of it is for a person to decide.
    """
    rows = rows_of(job)
    _name(job, rows)
    since = job.failback.created_at - SKEW
    young = [found for found in listed if found.created_at and found.created_at >= since]
    found = answer_to(job, young)
    if found is not None:
        asked: dict[str, Any] = {"intended_at": timezone.now(), "asked_at": timezone.now()}
        asked |= {"server_ids": job.server_ids, "instance_ids": job.instance_ids}
        move(job, JobState.INTENDED, lifecycle=JOB, **asked)
        _adopt(job, found, said="DRS had started it before the portal was restored.")
        return True
    strange = _strangers(job, young)
    if strange:
        why = (
            f"DRS job {strange[0]} holds some of these servers since the failback began, and the "
            "mirror tells nothing of it. If they are not to be launched again, cancel"
        )
        wait(job, why, after=seconds(settings.POLL_SLOWEST_SECONDS))
    return bool(strange)


def _strangers(job: FailbackJob, young: Sequence[aws.Job]) -> list[str]:
    """The launches of some of these servers that neither a failback nor an execution knows."""
    wanted = set(job.server_ids)
    ids = [each.job_id for each in young if each.kind == "LAUNCH" and each.server_ids & wanted]
    ours: set[str] = set()
    for model in (FailbackJob, LaunchJob):
        known = model._default_manager.filter(drs_job_id__in=ids)
        ours |= set(known.values_list("drs_job_id", flat=True))
    return sorted(set(ids) - ours)


def _name(job: FailbackJob, rows: Sequence[FailbackInstance]) -> None:
    """The servers and instances of a job as DRS knows them where it runs."""
    job.instance_ids = [row.instance_id for row in rows]
    job.server_ids = [
        row.source_server_id if job.origin == Origin.ON_PREMISES else row.reversed_server_id
        for row in rows
    ]


def _intend_and_ask(
    job: FailbackJob, drs: FailbackDrs, listed: Sequence[aws.Job], *, again: bool
) -> None:
    # Others wait this long before they ask again. If we stand still for longer, we do not ask.
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    if _intend(job, listed):
        checkpoint("failback.intended", failback_id=str(job.failback_id))
        _ask(job, drs, again=again, before=before)


@transaction.atomic
def _intend(job: FailbackJob, listed: Sequence[aws.Job]) -> bool:
    """Take a place in the quotas, hold the servers and commit the intent; or say why it waits.

    The row of the failback lets no cancelling and no leaving out come between; the watch's lets
    one at a time count and take a place.
    """
    failback = Failback.objects.select_for_update().get(pk=job.failback_id)
    if failback.cancel_requested_at is not None:
        return False
    rows = rows_of(job)
    if not rows:
        close(job, JobState.CANCELLED, "Nothing was left to be launched back.")
        return False
    if job.state == JobState.QUEUED:
        _name(job, rows)
    JobWatch.objects.get_or_create(account=job.account, region=job.region)
    JobWatch.objects.select_for_update().get(account=job.account, region=job.region)
    why = _unready(rows) or why_wait(job, job.server_ids, listed) or _hold(job)
    if why:
        wait(job, why, after=seconds(settings.POLL_FASTEST_SECONDS * 5))
        return False
    return _commit(job, listed)


def _unready(rows: Sequence[FailbackInstance]) -> str:
    """Why these may not be launched back now, by the last look at them."""
    fresh = oldest_look()
    unready = [
        row
        for row in rows
        if row.state != ReturnState.READY or row.looked_at is None or row.looked_at < fresh
    ]
    return f"{named(unready)} is not ready any more: {unready[0].message}" if unready else ""


def _commit(job: FailbackJob, listed: Sequence[aws.Job]) -> bool:
    """Write the intent, unless somebody else has asked since the row was read."""
    now = timezone.now()
    asking: dict[str, Any] = {
        "instance_ids": job.instance_ids,
        "server_ids": job.server_ids,
        "asked_at": now,
        "attempts": job.attempts + 1,
        "due_at": now + settle_time(),
        "failures": 0,
        "message": "",
    }
    mine = FailbackJob.objects.filter(pk=job.pk, state=job.state, attempts=job.attempts)
    if job.state == JobState.QUEUED:
        known = [found.job_id for found in listed if same(job, found)]
        first = {"intended_at": now, "known_job_ids": known}
        move(job, JobState.INTENDED, lifecycle=JOB, **asking, **first)
    elif not mine.update(**asking):
        return False
    for name, value in asking.items():
        setattr(job, name, value)
    mark("FailbackJobs", job.pk)
    return True


def _hold(job: FailbackJob) -> str:
    """Hold the servers that are launched, where they are launched; or say who holds them."""
    execution = job.failback.execution
    place = {"account_id": job.aws_account_id, "region": job.region}
    held = ServerClaim.objects.filter(released_at=None, server_id__in=job.server_ids, **place)
    mine = set(held.filter(execution=execution).values_list("server_id", flat=True))
    try:
        with transaction.atomic():
            ServerClaim.objects.bulk_create(
                ServerClaim(execution=execution, server_id=server_id, **place)
                for server_id in job.server_ids
                if server_id not in mine
            )
    except IntegrityError:
        other = held.exclude(execution=execution).select_related("execution").first()
        by = (
            f"execution {other.execution_id} of {other.execution.plan_name}" if other else "another"
        )
        return f"{other.server_id if other else 'a server'} is held by {by}"
    return ""


def _ask(job: FailbackJob, drs: FailbackDrs, *, again: bool, before: float) -> None:
    """Ask DRS. `again`: it was asked before, and nobody knows whether it heard that."""
    try:
        if job.origin == Origin.ON_PREMISES:
            started = drs.start_failback_launch(job.instance_ids, before=before)
        else:
            started = drs.start_recovery(job.server_ids, drill=False, before=before)
    except AwsError as error:
        checkpoint("failback.refused_or_lost", failback_id=str(job.failback_id))
        _not_started(job, error, again=again)
        return
    checkpoint("failback.answered", failback_id=str(job.failback_id))
    _adopt(job, started)
    checkpoint("failback.adopted", failback_id=str(job.failback_id))


@transaction.atomic
def _adopt(job: FailbackJob, found: aws.Job, *, said: str = "DRS has started it.") -> None:
    """Write down that `found` is what DRS made of `job`."""
    now = timezone.now()
    move(
        job,
        JobState.STARTED,
        lifecycle=JOB,
        drs_job_id=found.job_id,
        drs_status=found.status,
        started_at=now,
        message="",
        failures=0,
        due_at=now + seconds(settings.POLL_FASTEST_SECONDS),
    )
    for row in rows_of(job):
        settle(row, ReturnState.LAUNCHING, f"{found.job_id} launches it back.")
    what = f"{titled(job)} launches {len(job.server_ids)} servers back. {said}"
    note(job.failback.execution, "failback.job_started", what)
    mark("FailbackJobs", job.pk)


@transaction.atomic
def _withdraw(job: FailbackJob) -> None:
    """Drop a job that DRS was not asked for, or has not heard."""
    close(job, JobState.CANCELLED, "It was cancelled.")
    note(job.failback.execution, "failback.job_withdrawn", f"{titled(job)} was cancelled.")


def _not_started(job: FailbackJob, error: AwsError, *, again: bool) -> None:
    if error.ambiguous:
        message = f"Whether DRS heard it is not known; looking for its job. {error.message}"
        wait(job, message, after=settle_time())
        return
    passing = passes_by_itself(error)
    listing = again and timezone.now() < (job.intended_at or job.created_at) + LATE_LISTING
    if passing or listing or worth_another_look(error, refusals=job.refusals):
        _back(job, error, again=again, counts=not passing)
    else:
        refuse(job, error)


@transaction.atomic
def _back(job: FailbackJob, error: AwsError, *, again: bool, counts: bool) -> None:
    """DRS did not do it this time: let the job wait in line again. One that DRS may have heard
    before stays an intent, so that what it made of that is found.
    """
    refusals = job.refusals + 1 if counts else job.refusals
    if not again:
        free: dict[str, Any] = {"asked_at": None, "intended_at": None}
        move(job, JobState.QUEUED, lifecycle=JOB, instance_ids=[], server_ids=[], **free)
    FailbackJob.objects.filter(pk=job.pk).update(refusals=refusals)
    wait(job, error.message, after=retry_after(job, error))


def _watch(job: FailbackJob, drs: FailbackDrs, listed: Sequence[aws.Job]) -> None:
    """Write down what DRS tells of a STARTED job."""
    found = next((each for each in listed if each.job_id == job.drs_job_id), None)
    since = timezone.now() - (job.started_at or job.created_at)
    if found is not None and found.completed:
        _take_end(job, drs, found)
    elif since > (_GONE_AFTER if found is None else GIVE_UP_AFTER):
        why = "DRS no longer lists" if found is None else "DRS has not ended for a day"
        give_up(job, f"{why} {job.drs_job_id}; what became of the launch back is not known.")
    else:
        status = found.status if found else job.drs_status
        news: dict[str, Any] = {"drs_status": status} if status != job.drs_status else {}
        later(job, "", after=poll_after(since, ending=False), **news)
    checkpoint("failback.watched", failback_id=str(job.failback_id))


def _take_end(job: FailbackJob, drs: FailbackDrs, found: aws.Job) -> None:
    rows = rows_of(job)
    words = {entry.server_id: entry.launch_status for entry in found.participants}
    log = drs.job_log(found.job_id)
    why = {item.server_id: item.error for item in log if item.server_id and item.error}
    here, back = _found_there(job, drs, found, rows)
    with transaction.atomic():
        for row in rows:
            server_id = _server_id(job, row)
            status, state = words.get(server_id, ""), here.get(row.instance_id, "")
            _end(row, status, state, why.get(server_id, ""), back.get(server_id, ""))
        close(job, JobState.ENDED, drs_status=found.status)
        note(job.failback.execution, "failback.job_ended", f"{titled(job)} has ended.")


def _found_there(
    job: FailbackJob, drs: FailbackDrs, found: aws.Job, rows: Sequence[FailbackInstance]
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """What the job left behind: of what came from on premises, DRS's words for the failbacks by
    instance; of what came from AWS, the instances that it launched by server.
    """
    if job.origin == Origin.ON_PREMISES:
        listed = drs.recovery_instances_named([row.instance_id for row in rows])
        return {each.instance_id: of_failback(each) for each in listed}, {}
    listed = drs.recovery_instances(job.server_ids)
    ours = [each for each in listed if each.job_id == found.job_id]
    return {}, {each.server_id: each.instance_id for each in ours}


def _server_id(job: FailbackJob, row: FailbackInstance) -> str:
    return row.source_server_id if job.origin == Origin.ON_PREMISES else row.reversed_server_id


def _end(row: FailbackInstance, status: str, state: str, why: str, back: str) -> None:
    """What became of an instance: by DRS's word in the job, its word for the failback, the reason
    in the job's log, and what was launched.
    """
    outcome = launched(row.origin, launch_status=status, failback_state=state)
    if outcome == ReturnState.LAUNCHED:
        settle(row, outcome, "It runs where it came from.", back_instance_id=back)
        return
    said = f"DRS reports {status or 'nothing'}"
    said += f" and {state}" if state else ""
    settle(row, outcome, f"{said}: {why}" if why else f"{said}.")
