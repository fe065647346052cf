"""How the jobs of a clean-up and their instances end, written down as it is learned."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from drportal.aws.errors import AwsError, Failure
from drportal.mirror.services import mark
from drportal.state import move, move_all
from recovery.engine.terminating import Finding
from recovery.models import TerminationInstance, TerminationJob, WaveServer
from recovery.services.events import note
from recovery.states import INSTANCE, TERMINATION_JOB, InstanceOutcome, JobState

# These are about instances; the rest are about the account, and cutting would not help.
_ABOUT_INSTANCES = frozenset({Failure.CONFLICT, Failure.INVALID, Failure.NOT_FOUND})
_NOT_THERE = frozenset({InstanceOutcome.TERMINATED, InstanceOutcome.GONE})


def titled(job: TerminationJob) -> str:
    """What the timeline calls a job: what it is, and where."""
    return f"{job.drs_job_id or 'A termination'} in {job.where}"


def open_instances(job: TerminationJob) -> list[TerminationInstance]:
    """The instances of a job of which it is not known yet what becomes of them."""
    rows = job.instances.filter(state__in=sorted(INSTANCE.active)).select_related("server")
    return list(rows.order_by("source_server_id"))


@transaction.atomic
def settle(job: TerminationJob, ended: Iterable[tuple[TerminationInstance, Finding]]) -> None:
    """Write what became of instances. What was not simply terminated is said one by one."""
    now = timezone.now()
    alike: dict[Finding, list[TerminationInstance]] = {}
    for row, finding in ended:
        alike.setdefault(finding, []).append(row)
    for finding, rows in alike.items():
        if finding.outcome is None:
            continue
        _move(rows, finding.outcome, message=finding.message[:2000], finished_at=now)
        if finding.outcome in _NOT_THERE:
            WaveServer.objects.filter(pk__in=[row.server.pk for row in rows]).update(
                instance_gone_at=now
            )
            mark("WaveStatus", *{row.server.wave_id for row in rows})
        if finding.outcome != InstanceOutcome.TERMINATED:
            _say(job, rows, finding.outcome, finding.message)
    mark("TerminationJobs", job.pk)


def _move(rows: Sequence[TerminationInstance], outcome: InstanceOutcome, **changes: Any) -> None:
    found = TerminationInstance.objects.filter(pk__in=[row.pk for row in rows])
    for source in sorted({row.state for row in rows}):
        move_all(found, outcome, lifecycle=INSTANCE, source=source, **changes)


def _say(
    job: TerminationJob, rows: Sequence[TerminationInstance], outcome: InstanceOutcome, why: str
) -> None:
    for row in rows:
        said = f"{row} of {row.server.name}: {outcome.label.lower()}. {why}"
        kind = f"instance.{outcome.lower()}"
        note(job.termination.execution, kind, said, server=row.server)


@transaction.atomic
def end(job: TerminationJob, *, drs_status: str = "") -> None:
    """End a job of which every instance is accounted for."""
    asked = bool(job.drs_job_id)
    message = "" if asked else "Nothing was left to ask for."
    _close(job, JobState.ENDED, message, drs_status=drs_status)
    counts: dict[str, int] = {}
    for state in job.instances.values_list("state", flat=True):
        label = InstanceOutcome(state).label.lower()
        counts[label] = counts.get(label, 0) + 1
    said = ", ".join(f"{count} {label}" for label, count in sorted(counts.items()))
    note(
        job.termination.execution,
        "termination.job_ended",
        f"{titled(job)} has ended: {said or 'nothing was left'}.",
    )


@transaction.atomic
def give_up(job: TerminationJob, why: str, *, gone: Sequence[TerminationInstance] = ()) -> None:
    """End a job of which nobody can tell any more what became of its instances. Those that are
    certainly `gone` are terminated; the rest is unknown, and may be asked for again.
    """
    lost = job.state == JobState.STARTED or job.asked_at is not None
    _close(job, JobState.LOST if lost else JobState.REFUSED, why)
    away = {row.pk for row in gone}
    settle(
        job,
        [
            (row, Finding(InstanceOutcome.TERMINATED))
            if row.pk in away
            else (row, Finding(InstanceOutcome.UNKNOWN, why))
            for row in open_instances(job)
        ],
    )
    note(job.termination.execution, "termination.job_lost", f"{titled(job)}: {why}")


@transaction.atomic
def refuse(job: TerminationJob, error: AwsError) -> None:
    """End a job that DRS refused. It takes all instances or none, so what may yet be terminated
    goes into new jobs: all but the one that DRS named, or two halves.
    """
    account = job.account
    rows = open_instances(job)
    _close(job, JobState.REFUSED, error.message)
    guilty, parts = _cut(rows, error)
    for part in parts:
        made = TerminationJob.objects.create(
            termination=job.termination,
            account=account,
            aws_account_id=job.aws_account_id,
            account_name=job.account_name,
            region=job.region,
        )
        job.instances.filter(pk__in=[row.pk for row in part]).update(job=made)
        mark("TerminationJobs", made.pk)
    note(job.termination.execution, "termination.job_refused", f"{titled(job)}: {error.detail}")
    failed = Finding(InstanceOutcome.FAILED, f"DRS refused to terminate it: {error.message}")
    settle(job, [(row, failed) for row in guilty])


def _cut(
    rows: list[TerminationInstance], error: AwsError
) -> tuple[list[TerminationInstance], list[list[TerminationInstance]]]:
    """The instances that fail for good, and the parts that are tried again."""
    if error.failure not in _ABOUT_INSTANCES or len(rows) == 1:
        return rows, []
    named = [row for row in rows if error.resource_id in {row.instance_id, row.source_server_id}]
    if error.resource_id and named:
        return named, [[row for row in rows if row not in named]]
    middle = len(rows) // 2
    return [], [rows[:middle], rows[middle:]]


def _close(job: TerminationJob, state: JobState, message: str, *, drs_status: str = "") -> None:
    """Move a job to its end, and let go of its account."""
    move(
        job,
        state,
        lifecycle=TERMINATION_JOB,
        message=message[:2000],
        drs_status=drs_status or job.drs_status,
        ended_at=timezone.now(),
        due_at=None,
        account=None,
    )
    mark("TerminationJobs", job.pk)
