"""Leaving a job of a clean-up for later, and saying why."""

from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from drportal.aws.errors import AwsError, Failure
from drportal.aws.roles import forget_sessions
from drportal.mirror.services import mark
from recovery.models import TerminationJob
from recovery.services import pace
from recovery.services.events import note
from recovery.services.termination_ends import give_up, titled

# What has not come to an end in a day is told as unknown, so that somebody can ask again.
GIVE_UP_AFTER: Final = timedelta(hours=24)
# So many failures in a row are told on the timeline; fewer are an everyday thing.
_TOLD_AFTER: Final = 3


@transaction.atomic
def look_failed(job: TerminationJob, error: AwsError) -> None:
    """AWS did not tell how it stands: look again later, and say so. After a day, it is unknown."""
    if timezone.now() - job.created_at > GIVE_UP_AFTER:
        give_up(job, f"What became of it could not be found out: {error.message}")
        return
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()  # the role's session may have been revoked, or be over
    if job.failures + 1 == _TOLD_AFTER:
        said = f"{titled(job)}: AWS does not answer, and is asked again: {error.detail}"
        note(job.termination.execution, "aws.silent", said)
    later(job, error.detail, after=retry_after(job, error), failures=job.failures + 1)


def wait(job: TerminationJob, why: str, *, after: timedelta) -> None:
    """Leave a job where it is and say, once per reason, what it waits for."""
    with transaction.atomic():
        if timezone.now() - job.created_at > GIVE_UP_AFTER:
            give_up(job, f"It waited for a day: {why}")
            return
        if why != job.message:
            said = f"{titled(job)} of {job.instances.count()} instances waits: {why}"
            note(job.termination.execution, "termination.job_waiting", said)
        later(job, why, after=after)


def later(
    job: TerminationJob, message: str, *, after: timedelta, failures: int = 0, **changes: Any
) -> None:
    """Look at a live job again later."""
    with transaction.atomic():
        TerminationJob.objects.filter(pk=job.pk, state=job.state).update(
            message=message[:2000], due_at=timezone.now() + after, failures=failures, **changes
        )
        if changes or message[:2000] != job.message:
            mark("TerminationJobs", job.pk)


def retry_after(job: TerminationJob, error: AwsError) -> timedelta:
    """How long to wait after what AWS said, longer each time."""
    return pace.retry_after(max(job.attempts, job.failures) + 1, error)
