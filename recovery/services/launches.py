"""Launching exactly once: the journal of every StartRecovery.

DRS takes no idempotency token, so the intent is committed before DRS is asked, and a job of which
we do not know whether DRS heard it is looked for before it is asked for again. Two things make
the repetition safe: DRS refuses a server that is in a running job, and a job that was accepted is
listed long before it ends. Hence LAUNCH_SETTLE_SECONDS may be short.
"""

import time
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.aws.errors import AwsError, Failure
from drportal.aws.roles import forget_sessions
from drportal.mirror.services import mark
from drportal.observability import checkpoint
from drportal.state import move, move_all
from drportal.transactions import reaches_outside
from recovery.engine.wording import counted
from recovery.models import JobWatch, LaunchJob
from recovery.services import refusals
from recovery.services.events import note, titled
from recovery.services.leases import sooner
from recovery.services.looks import (
    LOOK_BACK,
    SKEW,
    Look,
    answer_to,
    look_for,
    same,
    says_busy,
    unknown_jobs,
    worth_a_look_since,
)
from recovery.services.pace import retry_after, seconds, settle_time
from recovery.services.room import why_wait
from recovery.states import JOB, SERVER, JobState, Kind, Phase, ServerState

# When nobody may ask again and AWS does not answer, it stays unknown what became of a job.
LOST_AFTER: Final = timedelta(hours=1)
# For how long a job that DRS accepted may be missing from its list.
LATE_LISTING: Final = timedelta(minutes=2)


@reaches_outside
def send(job: LaunchJob) -> None:
    """Ask DRS for a QUEUED job, if its quotas leave room; else let it wait and say why."""
    try:
        look = look_for(job, since=worth_a_look_since(job))
    except AwsError as error:
        _wait(job, error.detail, after=_retry_after(job, error), failed=True)
        return
    if job.execution.restored_at is not None and _known_to_drs(job, look):
        return
    if _intend(job, look):
        checkpoint("launch.intended", execution_id=str(job.execution_id))
        _ask(job, again=False)


@reaches_outside
def settle(job: LaunchJob, *, may_ask: bool) -> None:
    """Bring an INTENDED job further: adopt what DRS made of it, or ask (again) if it `may_ask`."""
    if job.asked_at is None:
        _ask(job, again=False)
        return
    try:
        look = look_for(job, since=(job.intended_at or job.asked_at) - SKEW)
    except AwsError as error:
        if not may_ask and timezone.now() > job.asked_at + LOST_AFTER:
            _lose(job, error)
        else:
            _postpone(job, error.detail, after=_retry_after(job, error))
        return
    checkpoint("launch.looked", execution_id=str(job.execution_id))
    found = answer_to(job, look)
    # Asking again does no harm while DRS runs what it has heard: it refuses. But nothing saves us
    # from giving up a job that it lists late.
    settled_at = job.asked_at + (settle_time() if may_ask else max(settle_time(), LATE_LISTING))
    if found is not None:
        adopt(job, found, said="DRS has started it; its answer was lost.")
    elif timezone.now() < settled_at:
        _postpone(job, job.message, after=settled_at - timezone.now())
    elif may_ask:
        _ask(job, again=True)
    else:
        deadline = job.wave.deadline_at
        withdraw(job, overdue=deadline is not None and deadline <= timezone.now())


@transaction.atomic
def withdraw(job: LaunchJob, *, overdue: bool) -> None:
    """Drop a job that DRS was not asked for, or has not heard. Its servers were never touched."""
    reason = job.message if overdue else ""
    said = "It was not started within the wave's time limit" if overdue else "It was cancelled"
    message = f"{said}: {reason}" if reason else f"{said}."
    move(job, JobState.CANCELLED, lifecycle=JOB, message=message, ended_at=timezone.now())
    state = ServerState.FAILED if overdue else ServerState.CANCELLED
    _move_servers(job, state, message=message, finished_at=timezone.now())
    note(job.execution, "job.withdrawn", f"{titled(job)}: {message}", wave=job.wave)


@transaction.atomic
def adopt(job: LaunchJob, found: aws.Job, *, said: str = "DRS has started it.") -> None:
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
        due_at=None,
    )
    launching = {"phase": Phase.REQUESTED, "message": "", "started_at": now}
    _move_servers(job, ServerState.LAUNCHING, **launching)
    watch, _ = JobWatch.objects.get_or_create(account=job.account, region=job.region)
    JobWatch.objects.filter(pk=watch.pk).update(changed_at=now, failures=0)
    sooner(JobWatch.objects.filter(pk=watch.pk), now + seconds(settings.POLL_FASTEST_SECONDS))
    what = f"{found.job_id} in {job.where} with {counted(len(job.server_ids), 'server')}. {said}"
    note(job.execution, "job.started", what, wave=job.wave)


def _ask(job: LaunchJob, *, again: bool) -> None:
    """Ask DRS. `again`: it was asked before, and nobody knows whether it heard that."""
    # Others wait this long before they ask again. If we stand still for longer, we do not ask.
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    if not _about_to_ask(job):
        return
    checkpoint("launch.asking", execution_id=str(job.execution_id))
    drs = aws.Drs(job.scope())
    drill = job.kind == Kind.DRILL
    try:
        started = drs.start_recovery(
            job.server_ids, drill=drill, points=job.point_ids, before=before
        )
    except AwsError as error:
        checkpoint("launch.refused_or_lost", execution_id=str(job.execution_id))
        _not_launched(job, error, again=again)
        return
    checkpoint("launch.answered", execution_id=str(job.execution_id), drs_job_id=started.job_id)
    adopt(job, started)
    checkpoint("launch.adopted", execution_id=str(job.execution_id))


def _about_to_ask(job: LaunchJob) -> bool:
    """Write that DRS is asked now, unless somebody else has written so since we read the row."""
    now = timezone.now()
    mine = LaunchJob.objects.filter(
        pk=job.pk, state=JobState.INTENDED, asked_at=job.asked_at, attempts=job.attempts
    )
    asked = {"asked_at": now, "attempts": job.attempts + 1, "due_at": now + settle_time()}
    with transaction.atomic():
        if not mine.update(**asked):
            return False
        mark("WaveStatus", job.wave_id)
    job.asked_at, job.attempts = now, job.attempts + 1
    return True


def _intend(job: LaunchJob, look: Look) -> bool:
    """Take a place in the quotas and commit the intent, or say why the job has to wait.

    The watch's row lock lets one execution at a time count and take a place.
    """
    with transaction.atomic():
        JobWatch.objects.get_or_create(account=job.account, region=job.region)
        JobWatch.objects.select_for_update().get(account=job.account, region=job.region)
        why = why_wait(job, job.server_ids, look.jobs)
        if why:
            _wait(job, why, after=seconds(settings.POLL_FASTEST_SECONDS * 5))
            return False
        _note_intent(job, [found.job_id for found in look.jobs if same(job, found)])
        job.servers.filter(state=ServerState.PENDING).update(phase=Phase.REQUESTED, message="")
        mark("WaveStatus", job.wave_id)
    return True


def _known_to_drs(job: LaunchJob, look: Look) -> bool:
    """Whether DRS launched these servers for a restored execution before it was restored.

    What the mirror had not been told yet is adopted. A job that holds some of the servers, and
    that no execution knows, may be part of it: then a person has to decide.
    """
    since = job.execution.created_at - SKEW
    jobs = tuple(found for found in look.jobs if found.created_at and found.created_at >= since)
    found = answer_to(job, Look(jobs))
    if found is not None:
        _note_intent(job, [])
        adopt(job, found, said="DRS had started it before the portal was restored.")
        return True
    strange = unknown_jobs(job, Look(jobs))
    if strange:
        why = (
            f"DRS job {strange[0]} holds some of these servers since the execution began, and the "
            "mirror tells nothing of it. If they are not to be launched again, cancel"
        )
        _wait(job, why, after=seconds(settings.POLL_SLOWEST_SECONDS))
    return bool(strange)


def _note_intent(job: LaunchJob, known_job_ids: list[str]) -> None:
    move(
        job,
        JobState.INTENDED,
        lifecycle=JOB,
        intended_at=timezone.now(),
        asked_at=None,
        message="",
        known_job_ids=known_job_ids,
        due_at=timezone.now(),
    )


def _not_launched(job: LaunchJob, error: AwsError, *, again: bool) -> None:
    if error.ambiguous:
        message = f"Whether DRS heard it is not known; looking for its job. {error.message}"
        _postpone(job, message, after=settle_time())
    elif error.failure == Failure.CONFLICT:
        _conflict(job, error, again=again)
    elif error.passing or error.failure == Failure.QUOTA or _worth_new_credentials(job, error):
        _later(job, error, again=again)
    else:
        _refused(job, error, again=again)


def _worth_new_credentials(job: LaunchJob, error: AwsError) -> bool:
    """A role session may have been revoked: forget it, and try twice more."""
    if error.failure != Failure.CREDENTIALS or job.refusals >= 2:  # noqa: PLR2004  # twice
        return False
    forget_sessions()
    return True


def _conflict(job: LaunchJob, error: AwsError, *, again: bool) -> None:
    """DRS says Conflict for a server in a running job, and for much else. So look."""
    try:
        look = look_for(job, since=timezone.now() - LOOK_BACK)
    except AwsError as lost:
        _postpone(job, lost.detail, after=_retry_after(job, lost))
        return
    found = answer_to(job, look)
    busy = {server for running in look.running() for server in running.server_ids}
    if found is not None:
        adopt(job, found, said="DRS had started it when it was asked before.")
    elif busy & set(job.server_ids) or says_busy(error):
        _later(job, error, again=again)
    else:
        _refused(job, error, again=again)


def _refused(job: LaunchJob, error: AwsError, *, again: bool) -> None:
    """DRS said no. But what it was asked before may yet turn up in its list: then wait a while."""
    since = job.intended_at or job.created_at
    if again and timezone.now() < since + LATE_LISTING:
        _later(job, error, again=True)
    else:
        refusals.refuse(job, error)


def _later(job: LaunchJob, error: AwsError, *, again: bool) -> None:
    """DRS certainly did not do it this time. A job that it may have done before keeps its intent:
    in the queue, what DRS made of it would be taken for somebody else's.
    """
    if again:
        _postpone(job, error.message, after=_retry_after(job, error))
    else:
        _back_to_queue(job, error)


@transaction.atomic
def _lose(job: LaunchJob, error: AwsError) -> None:
    """Give up: whether DRS launched the servers can no longer be found out."""
    message = f"Whether DRS has launched it could not be found out: {error.message}"
    now = timezone.now()
    move(job, JobState.LOST, lifecycle=JOB, message=message[:2000], ended_at=now)
    _move_servers(job, ServerState.UNKNOWN, message=message, finished_at=now)
    note(job.execution, "job.lost", f"{titled(job)}: {message}", wave=job.wave)


def _wait(job: LaunchJob, why: str, *, after: timedelta, failed: bool = False) -> None:
    """Leave a QUEUED job where it is, and say why it waits. Said once per reason."""
    with transaction.atomic():
        if why != job.message:
            note(job.execution, "job.waiting", f"{titled(job)} waits: {why}", wave=job.wave)
            job.servers.filter(state=ServerState.PENDING).update(phase=Phase.QUEUED, message=why)
        LaunchJob.objects.filter(pk=job.pk, state=JobState.QUEUED).update(
            message=why[:2000],
            due_at=timezone.now() + after,
            attempts=job.attempts + 1 if failed else 0,
        )


def _postpone(job: LaunchJob, why: str, *, after: timedelta) -> None:
    """Leave an INTENDED job where it is, and look again later."""
    with transaction.atomic():
        if why and why != job.message:
            note(job.execution, "job.answer_lost", f"{titled(job)}: {why}", wave=job.wave)
        LaunchJob.objects.filter(pk=job.pk, state=JobState.INTENDED).update(
            message=why[:2000], due_at=timezone.now() + after
        )
        mark("WaveStatus", job.wave_id)


def _back_to_queue(job: LaunchJob, error: AwsError) -> None:
    """DRS certainly did not do it: let the job wait in line again."""
    after = _retry_after(job, error)
    with transaction.atomic():
        move(
            job,
            JobState.QUEUED,
            lifecycle=JOB,
            asked_at=None,
            intended_at=None,
            refusals=job.refusals + 1,
            due_at=timezone.now() + after,
            message=error.message[:2000],
        )
        job.servers.filter(state=ServerState.PENDING).update(
            phase=Phase.QUEUED, message=error.message
        )
        said = f"{titled(job)} waits, and is tried again: {error.message}"
        note(job.execution, "job.waiting", said, wave=job.wave)


def _retry_after(job: LaunchJob, error: AwsError) -> timedelta:
    return retry_after(job.attempts + 1, error)


def _move_servers(job: LaunchJob, state: ServerState, **changes: Any) -> None:
    """Move the servers of a job that has not been started."""
    move_all(job.servers.all(), state, lifecycle=SERVER, source=ServerState.PENDING, **changes)
