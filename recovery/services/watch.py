"""Watching DRS: one poll per account and Region tells of every launch job that lives there.

What is seen is written as it is seen. An AWS that does not answer delays the watch and is shown;
it changes no server. A job is watched to its end even when its execution has ended before.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from drportal.aws.drs import Drs, Job
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from recovery.engine.verdicts import read_log
from recovery.models import Execution, JobWatch, LaunchJob
from recovery.services import facts, leases, sightings
from recovery.services.events import note
from recovery.services.looks import SKEW
from recovery.services.pace import poll_after, retry_after
from recovery.services.sightings import Sight, Taken
from recovery.states import JobState

logger = logging.getLogger(__name__)

# A job that DRS has not listed for so long will not come back.
GONE_AFTER: Final = timedelta(hours=1)
# How often a running job's log is read.
LOG_EVERY: Final = timedelta(seconds=3)
# So many failures in a row are told on the timeline; fewer are an everyday thing.
TOLD_AFTER: Final = 3
_BAD_ENDS: Final = frozenset({"FAILED", "TERMINATED"})


@reaches_outside
def poll(watch_id: int) -> None:
    """Look once at one account and Region, unless it is not due or somebody else looks."""
    with leases.held(JobWatch, watch_id) as lease:
        if lease is None:
            return
        watch = JobWatch.objects.select_related("account").get(pk=watch_id)
        checkpoint("watch.leased", watch_id=watch_id)
        try:
            lease.next_due_at = _look(watch, lease)
        except leases.LeaseLost:
            logger.warning("Another worker has taken over %s", watch)
            return
    checkpoint("watch.released", watch_id=watch_id)


def due(now: datetime) -> list[int]:
    """The watches to be polled now, longest due first."""
    found: list[int] = leases.due(JobWatch.objects.all(), now)
    return found


def _look(watch: JobWatch, lease: leases.Lease) -> datetime | None:
    jobs = list(
        LaunchJob.objects.filter(
            account=watch.account, region=watch.region, state=JobState.STARTED
        ).select_related("execution", "wave", "account")
    )
    wanting = facts.wanting(watch.account.account_id, watch.region)
    if not jobs and not wanting:
        return None
    scope = watch.account.scope(watch.region)
    try:
        sights, error = _see(scope, jobs)
    except AwsError as lost:
        return _failed(watch, lost)
    checkpoint("watch.seen", watch_id=watch.pk)
    lease.must_be_held()
    taken = sightings.take_in(sights)
    checkpoint("watch.written", watch_id=watch.pk)
    told = [instance for sight in sights for instance in sight.instances.values()]
    error = facts.fill_in(scope, told) or error
    return _failed(watch, error) if error else _went_well(watch, taken)


def _see(scope: Scope, jobs: Sequence[LaunchJob]) -> tuple[list[Sight], AwsError | None]:
    """What DRS shows of `jobs`. One whose details do not come is left for the next poll."""
    if not jobs:
        return [], None
    drs = Drs(scope)
    # From the intent, not from the last time it was asked: DRS may have heard the first.
    since = min(job.intended_at or job.created_at for job in jobs) - SKEW
    listed = {found.job_id: found for found in drs.jobs_since(since)}
    sights, error = [], None
    for job in jobs:
        try:
            sights.append(_details(drs, job, listed.get(job.drs_job_id)))
        except AwsError as lost:
            error = lost
    return sights, error


def _details(drs: Drs, job: LaunchJob, found: Job | None) -> Sight:
    if found is None:
        gone = timezone.now() - (job.started_at or job.created_at) > GONE_AFTER
        return Sight(job, None, gone=gone)
    lines = drs.job_log(found.job_id) if _wants_log(job, found) else None
    instances = {}
    if found.completed:
        instances = {
            instance.server_id: instance
            for instance in drs.recovery_instances(job.server_ids)
            if instance.job_id == found.job_id
        }
    log = None if lines is None else read_log(lines)
    return Sight(job, found, log=log, lines=lines, instances=instances)


def _wants_log(job: LaunchJob, found: Job) -> bool:
    """Statuses come with every poll; the log, which is a call for each job, more seldom. But a
    bad end wants its reason, and a job that has ended its last word.
    """
    if found.completed or any(entry.launch_status in _BAD_ENDS for entry in found.participants):
        return True
    return job.log_read_at is None or timezone.now() - job.log_read_at >= LOG_EVERY


def _went_well(watch: JobWatch, taken: Taken) -> datetime:
    now = timezone.now()
    if watch.failures >= TOLD_AFTER:
        _tell(watch, "aws.answers", f"AWS answers again for {_where(watch)}.")
    changed_at = now if taken.changed or watch.changed_at is None else watch.changed_at
    JobWatch.objects.filter(pk=watch.pk).update(
        polled_at=now, changed_at=changed_at, failures=0, message=""
    )
    return now + poll_after(now - changed_at, ending=taken.ending)


def _failed(watch: JobWatch, error: AwsError) -> datetime:
    logger.warning("%s: %s", watch, error.detail)
    JobWatch.objects.filter(pk=watch.pk).update(
        failures=F("failures") + 1, message=error.detail[:2000]
    )
    if watch.failures + 1 == TOLD_AFTER:
        what = f"AWS does not tell how the jobs in {_where(watch)} stand, and is asked again"
        _tell(watch, "aws.silent", f"{what}: {error.detail}")
    return timezone.now() + retry_after(watch.failures + 1, error)


@transaction.atomic
def _tell(watch: JobWatch, kind: str, message: str) -> None:
    """Say something about the account and Region on every timeline that it concerns."""
    live = LaunchJob.objects.filter(
        account=watch.account, region=watch.region, state=JobState.STARTED
    )
    for execution in Execution.objects.filter(pk__in=live.values("execution_id")).order_by("pk"):
        note(execution, kind, message)


def _where(watch: JobWatch) -> str:
    return f"{watch.account.account_id}/{watch.region}"
