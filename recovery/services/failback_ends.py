"""What became of the instances and the jobs of a failback, written down as it is learned."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from drportal.aws.errors import AwsError, Failure
from drportal.aws.roles import forget_sessions
from drportal.mirror.services import mark
from drportal.state import move
from recovery.failback_states import NOT_LAUNCHED, RETURN, ReturnState
from recovery.models import FailbackInstance, FailbackJob
from recovery.services import pace
from recovery.services.events import note
from recovery.states import JOB, JobState

# What has not come to an end in a day is told as unknown.
GIVE_UP_AFTER: Final = timedelta(hours=24)
# So many failures in a row are told on the timeline; fewer are an everyday thing.
_TOLD_AFTER: Final = 3
# These are about instances; the rest are about the account, and cutting would not help.
_ABOUT_INSTANCES = frozenset({Failure.CONFLICT, Failure.INVALID, Failure.NOT_FOUND})
_BAD: Final = {ReturnState.FAILED, ReturnState.UNKNOWN, ReturnState.KEPT}


@transaction.atomic
def settle(row: FailbackInstance, state: ReturnState, message: str = "", **changes: Any) -> None:
    """Move an instance on. What did not go well is said on the timeline."""
    if state in RETURN.terminal:
        changes["finished_at"] = timezone.now()
    move(row, state, lifecycle=RETURN, message=message[:2000], **changes)
    if state in _BAD:
        said = f"Failback of {row.server.name}: {state.label.lower()}. {message}"
        note(row.failback.execution, f"failback.{state.lower()}", said.strip(), server=row.server)
    mark("FailbackInstances", row.pk)


def remember(row: FailbackInstance, *, sends: bool = False, **changes: Any) -> None:
    """Write what is no move: a time, a word of DRS. With `sends` the mirror is told at once."""
    with transaction.atomic():
        FailbackInstance.objects.filter(pk=row.pk).update(**changes)
        for name, value in changes.items():
            setattr(row, name, value)
        if sends:
            mark("FailbackInstances", row.pk)


def titled(job: FailbackJob) -> str:
    """What the timeline calls a job: what it is, and where."""
    return f"{job.drs_job_id or 'A launch back'} in {job.where}"


def rows_of(job: FailbackJob) -> list[FailbackInstance]:
    """The instances of a job of which it is not known yet what becomes of them."""
    open_ = {*NOT_LAUNCHED, ReturnState.LAUNCHING}
    rows = job.instances.filter(state__in=sorted(open_))
    return list(
        rows.select_related("server", "failback__execution").order_by("source_server_id", "id")
    )


@transaction.atomic
def close(job: FailbackJob, state: JobState, message: str = "", *, drs_status: str = "") -> None:
    """Move a job to its end, and let go of its account."""
    move(
        job,
        state,
        lifecycle=JOB,
        message=message[:2000],
        drs_status=drs_status or job.drs_status,
        ended_at=timezone.now(),
        due_at=None,
        account=None,
    )
    mark("FailbackJobs", job.pk)


@transaction.atomic
def give_up(job: FailbackJob, why: str) -> None:
    """End a job of which nobody can tell any more what it did: its instances are unknown."""
    close(job, JobState.LOST, why)
    for row in rows_of(job):
        settle(row, ReturnState.UNKNOWN, why)
    note(job.failback.execution, "failback.job_lost", f"{titled(job)}: {why}")


@transaction.atomic
def refuse(job: FailbackJob, error: AwsError) -> None:
    """End a job that DRS refused. It takes all instances or none, so what may yet be launched goes
    into new jobs: all but the one that DRS named, or two halves.
    """
    account, rows = job.account, rows_of(job)
    close(job, JobState.REFUSED, error.message)
    guilty, parts = _cut(rows, error)
    for part in parts:
        made = FailbackJob.objects.create(
            failback=job.failback,
            account=account,
            aws_account_id=job.aws_account_id,
            account_name=job.account_name,
            region=job.region,
            origin=job.origin,
        )
        job.instances.filter(pk__in=[row.pk for row in part]).update(job=made)
        mark("FailbackJobs", made.pk)
        mark("FailbackInstances", *[row.pk for row in part])
    note(job.failback.execution, "failback.job_refused", f"{titled(job)}: {error.detail}")
    for row in guilty:
        settle(row, ReturnState.FAILED, f"DRS refused to launch it back: {error.message}")


def _cut(
    rows: list[FailbackInstance], error: AwsError
) -> tuple[list[FailbackInstance], list[list[FailbackInstance]]]:
    """The instances that fail for good, and the parts that are tried again."""
    if error.failure not in _ABOUT_INSTANCES or len(rows) == 1:
        return rows, []
    named = [row for row in rows if error.resource_id in _names(row)]
    if error.resource_id and named:
        return named, [[row for row in rows if row not in named]]
    middle = len(rows) // 2
    return [], [rows[:middle], rows[middle:]]


def _names(row: FailbackInstance) -> set[str]:
    return {row.instance_id, row.source_server_id, row.reversed_server_id}


@transaction.atomic
def look_failed(job: FailbackJob, error: AwsError) -> None:
    """AWS did not tell how it stands: look again later, and say so. What it was asked for more than
    a day ago is unknown then; what it was not asked for yet may wait as long as it takes.
    """
    if overdue(job):
        give_up(job, f"What became of it could not be found out: {error.message}")
        return
    if error.failure == Failure.CREDENTIALS:
        forget_sessions()  # the role's session may have been revoked, or be over
    if job.failures + 1 == _TOLD_AFTER:
        said = f"{titled(job)}: AWS does not answer, and is asked again: {error.detail}"
        note(job.failback.execution, "aws.silent", said)
    later(job, error.detail, after=retry_after(job, error), failures=job.failures + 1)


def overdue(job: FailbackJob) -> bool:
    """Whether DRS was asked for it more than a day ago."""
    return job.intended_at is not None and timezone.now() - job.intended_at > GIVE_UP_AFTER


@transaction.atomic
def wait(job: FailbackJob, why: str, *, after: timedelta) -> None:
    """Leave a job where it is and say, once per reason, what it waits for."""
    if why != job.message:
        note(job.failback.execution, "failback.job_waiting", f"{titled(job)} waits: {why}")
    later(job, why, after=after)


@transaction.atomic
def later(
    job: FailbackJob, message: str, *, after: timedelta, failures: int = 0, **changes: Any
) -> None:
    """Look at a live job again later."""
    FailbackJob.objects.filter(pk=job.pk, state=job.state).update(
        message=message[:2000], due_at=timezone.now() + after, failures=failures, **changes
    )
    if changes or message[:2000] != job.message:
        mark("FailbackJobs", job.pk)


def retry_after(job: FailbackJob, error: AwsError) -> timedelta:
    """How long to wait after what AWS said, longer each time."""
    return pace.retry_after(max(job.attempts, job.failures) + 1, error)


def not_told(rows: Iterable[FailbackInstance], why: str) -> None:
    """AWS did not tell how these stand: what it told before is no longer taken for true."""
    for row in rows:
        if row.state == ReturnState.READY:
            settle(row, ReturnState.REPLICATING, why)
        elif row.message != why:
            remember(row, message=why[:2000])


def named(rows: Sequence[FailbackInstance]) -> str:
    """Some instances in a sentence."""
    names = ", ".join(row.server.name for row in rows[:5])
    return f"{names} and {len(rows) - 5} more" if len(rows) > 5 else names  # noqa: PLR2004  # as it says
