"""The journal of every TerminateRecoveryInstances: looked for, compared, intended, asked, watched.

An instance's id is never given to another, and DRS keeps a server in one job at a time. So asking
twice can be refused but cannot do harm; still, what DRS made of a question whose answer was lost
is looked for first, so that it is told as what it was.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.aws.errors import AwsError
from drportal.mirror.services import mark
from drportal.observability import checkpoint
from drportal.state import move, move_all
from drportal.transactions import reaches_outside
from recovery.engine.terminating import Finding, Wanted, compare
from recovery.models import JobWatch, LaunchJob, TerminationInstance, TerminationJob, WaveServer
from recovery.services.answers import passes_by_itself, worth_another_look
from recovery.services.events import note
from recovery.services.launches import LATE_LISTING
from recovery.services.pace import seconds, settle_time
from recovery.services.room import why_wait
from recovery.services.termination_ends import end, open_instances, refuse, settle, titled
from recovery.services.termination_looks import answer_to, in_ec2, same, there
from recovery.services.termination_waits import (
    later,
    look_failed,
    retry_after,
    wait,
)
from recovery.services.termination_watch import watch
from recovery.services.terminations import held_by_others
from recovery.states import INSTANCE, TERMINATION_JOB, InstanceOutcome, JobState

# How often a refusal is met with another look before it is believed.


@reaches_outside
def bring_further(job: TerminationJob, drs: aws.Drs, listed: Sequence[aws.Job]) -> None:
    """Take a live job as far as it goes now. `listed` is what DRS lists of jobs there right now."""
    try:
        if job.state == JobState.STARTED:
            watch(job, drs, listed)
        else:
            _send(job, drs, listed)
    except AwsError as error:
        look_failed(job, error)


def _send(job: TerminationJob, drs: aws.Drs, listed: Sequence[aws.Job]) -> None:
    """Ask DRS to terminate what still is what it was; or adopt what it made of an earlier ask."""
    again = job.asked_at is not None
    found = answer_to(job, listed) if again else None
    if found is not None:
        _adopt(job, found, said="DRS has started it; its answer was lost.")
        return
    if job.asked_at is not None and timezone.now() < job.asked_at + settle_time():
        later(job, job.message, after=job.asked_at + settle_time() - timezone.now())
        return
    rows = open_instances(job)
    seen = there(drs, rows)
    known = {instance.instance_id for instance in seen}
    unlisted = in_ec2(drs.scope, [row for row in rows if row.instance_id not in known])
    wanted = _sort_out(job, rows, seen, unlisted)
    checkpoint("termination.looked", termination_id=str(job.termination_id))
    if not wanted:
        end(job)
        return
    # Others wait this long before they ask again. If we stand still for longer, we do not ask.
    before = time.monotonic() + settings.LAUNCH_SETTLE_SECONDS
    if _intend(job, wanted, listed):
        checkpoint("termination.intended", termination_id=str(job.termination_id))
        _ask(job, drs, again=again, before=before)


@transaction.atomic
def _sort_out(
    job: TerminationJob,
    rows: Sequence[TerminationInstance],
    listed: Sequence[aws.RecoveryInstance],
    unlisted: Mapping[str, str],
) -> list[TerminationInstance]:
    """The instances that may be terminated. What became of the others is written down."""
    wanted, ended = [], []
    place = job.aws_account_id, job.region
    held = held_by_others(
        job.termination.execution, {(*place, row.source_server_id) for row in rows}
    )
    for row in rows:
        meant = Wanted(row.source_server_id, row.instance_id, frozenset(row.launch_job_ids))
        finding = compare(meant, listed, unlisted)
        holder = held.get((*place, row.source_server_id))
        if finding.outcome is not None:
            ended.append((row, finding))
        elif holder is not None:
            why = f"Execution {holder.pk} of {holder.plan_name} needs the server now."
            ended.append((row, Finding(InstanceOutcome.LEFT, why)))
        else:
            _name(row, finding.instance_id)
            wanted.append(row)
    if ended:
        settle(job, ended)
    return wanted


def _name(row: TerminationInstance, instance_id: str) -> None:
    """Keep an id that DRS tells only now."""
    if row.instance_id == instance_id:
        return
    row.instance_id = instance_id
    row.save(update_fields=["instance_id"])
    WaveServer.objects.filter(pk=row.server.pk).update(recovery_instance_id=instance_id)
    mark("WaveStatus", row.server.wave_id)


def _intend(
    job: TerminationJob, wanted: Sequence[TerminationInstance], listed: Sequence[aws.Job]
) -> bool:
    """Take a place in the quotas and commit the intent, or say why the job has to wait.

    The watch's row lock lets one at a time count and take a place, be it to launch or to terminate.
    """
    now = timezone.now()
    server_ids = [row.source_server_id for row in wanted]
    asking: dict[str, Any] = {
        "instance_ids": [row.instance_id for row in wanted],
        "server_ids": server_ids,
        "asked_at": now,
        "attempts": job.attempts + 1,
        "due_at": now + settle_time(),
        "failures": 0,
        "message": "",
    }
    with transaction.atomic():
        JobWatch.objects.get_or_create(account=job.account, region=job.region)
        JobWatch.objects.select_for_update().get(account=job.account, region=job.region)
        why = _why_wait(job, server_ids, listed)
        if why:
            wait(job, why, after=seconds(settings.POLL_FASTEST_SECONDS * 5))
            return False
        if job.state == JobState.QUEUED:
            known = [found.job_id for found in listed if same(server_ids, found)]
            first = {"intended_at": now, "known_job_ids": known}
            move(job, JobState.INTENDED, lifecycle=TERMINATION_JOB, **asking, **first)
        elif not _mine(job).update(**asking):
            return False  # somebody else has asked since we read the row
        mark("TerminationJobs", job.pk)
    for name, value in asking.items():
        setattr(job, name, value)
    return True


def _why_wait(job: TerminationJob, server_ids: Sequence[str], listed: Sequence[aws.Job]) -> str:
    """A recovery goes before a clean-up: launches that wait for room take it first."""
    why = why_wait(job, server_ids, listed)
    queued = LaunchJob.objects.filter(account=job.account, region=job.region, state=JobState.QUEUED)
    if not why and queued.exists():
        return "launches wait for their turn there, and go first"
    return why


def _ask(job: TerminationJob, drs: aws.Drs, *, again: bool, before: float) -> None:
    """Ask DRS. `again`: it was asked before, and nobody knows whether it heard that."""
    try:
        started = drs.terminate_recovery_instances(job.instance_ids, before=before)
    except AwsError as error:
        checkpoint("termination.refused_or_lost", termination_id=str(job.termination_id))
        _not_started(job, error, again=again)
        return
    checkpoint("termination.answered", termination_id=str(job.termination_id))
    _adopt(job, started)
    checkpoint("termination.adopted", termination_id=str(job.termination_id))


@transaction.atomic
def _adopt(job: TerminationJob, found: aws.Job, *, said: str = "DRS has started it.") -> None:
    """Write down that `found` is what DRS made of `job`."""
    now = timezone.now()
    move(
        job,
        JobState.STARTED,
        lifecycle=TERMINATION_JOB,
        drs_job_id=found.job_id,
        drs_status=found.status,
        started_at=now,
        message="",
        failures=0,
        due_at=now + seconds(settings.POLL_FASTEST_SECONDS),
    )
    waiting = InstanceOutcome.WAITING
    move_all(job.instances.all(), InstanceOutcome.TERMINATING, lifecycle=INSTANCE, source=waiting)
    what = f"{titled(job)} terminates {len(job.instance_ids)} instances. {said}"
    note(job.termination.execution, "termination.job_started", what)
    mark("TerminationJobs", job.pk)


def _not_started(job: TerminationJob, error: AwsError, *, again: bool) -> None:
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
def _back(job: TerminationJob, error: AwsError, *, again: bool, counts: bool) -> None:
    """DRS did not do it this time: let the job wait in line again. One that DRS may have heard
    before stays an intent, so that what it made of that is found.
    """
    refusals = job.refusals + 1 if counts else job.refusals
    if not again:
        move(
            job,
            JobState.QUEUED,
            lifecycle=TERMINATION_JOB,
            asked_at=None,
            intended_at=None,
            instance_ids=[],
            server_ids=[],
        )
    TerminationJob.objects.filter(pk=job.pk).update(refusals=refusals)
    wait(job, error.message, after=retry_after(job, error))


def _mine(job: TerminationJob) -> QuerySet[TerminationJob]:
    """The row, if nobody else has asked, or ended it, since we read it."""
    return TerminationJob.objects.filter(pk=job.pk, state=job.state, attempts=job.attempts)
