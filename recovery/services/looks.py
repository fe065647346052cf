"""Looking in DRS for what was made of a launch job."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from drportal.aws import drs as aws
from drportal.aws.errors import AwsError, Failure
from recovery.models import LaunchJob
from recovery.states import Kind

# How far back jobs can have been started that still count: no DRS job is known to last a day.
LOOK_BACK: Final = timedelta(hours=24)
# How far AWS's clock may be behind ours.
SKEW: Final = timedelta(minutes=5)
# What DRS says when a server is in a running job (DRS and MGN field logs).
_BUSY: Final = "being processed by a job"
_INITIATED_BY: Final = {Kind.DRILL: "START_DRILL", Kind.RECOVERY: "START_RECOVERY"}


@dataclass(frozen=True, slots=True)
class Look:
    """What DRS lists right now in one account and Region."""

    jobs: tuple[aws.Job, ...]

    def running(self) -> list[aws.Job]:
        return [job for job in self.jobs if not job.completed]


def look_for(job: LaunchJob, *, since: datetime) -> Look:
    """What DRS lists since then where `job` is to run. Raises AwsError."""
    return Look(tuple(aws.Drs(job.scope()).jobs_since(since)))


def worth_a_look_since(job: LaunchJob) -> datetime:
    """Since when jobs matter: in a restored execution, DRS may have done any since it began."""
    recent = timezone.now() - LOOK_BACK
    if job.execution.restored_at is None:
        return recent
    return min(recent, job.execution.created_at - SKEW)


def answer_to(job: LaunchJob, look: Look) -> aws.Job | None:
    """The job that DRS made of `job`: the same servers and kind, and nobody else's."""
    candidates = [
        found for found in look.jobs if same(job, found) and found.job_id not in job.known_job_ids
    ]
    taken = set(
        LaunchJob.objects.filter(
            account=job.account,
            region=job.region,
            drs_job_id__in=[found.job_id for found in candidates],
        ).values_list("drs_job_id", flat=True)
    )
    free = [found for found in candidates if found.job_id not in taken]
    return free[-1] if free else None  # newest first: ours is the first after we asked


def same(job: LaunchJob, found: aws.Job) -> bool:
    """Whether a DRS job has the servers and the kind of `job`."""
    wanted = _INITIATED_BY[Kind(job.kind)]
    return found.initiated_by == wanted and found.server_ids == frozenset(job.server_ids)


def unknown_jobs(job: LaunchJob, look: Look) -> list[str]:
    """The DRS jobs with some of its servers that no execution knows."""
    ids = [found.job_id for found in look.jobs if set(job.server_ids) & found.server_ids]
    ours = LaunchJob.objects.filter(drs_job_id__in=ids).values_list("drs_job_id", flat=True)
    return sorted(set(ids) - set(ours))


def says_busy(error: AwsError) -> bool:
    """Whether DRS refused because a server is in a running job."""
    return error.failure == Failure.CONFLICT and _BUSY in error.message.lower()
