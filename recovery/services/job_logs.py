"""The logs that DRS keeps of launch jobs: what the watch has read, and what DRS says now.

The watch reads them anyway, so nobody has to ask AWS to see one. They are not mirrored: DRS has
them, and a rebuilt portal that still watches a job reads its log again.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from drportal.aws.drs import Drs, LogItem
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from recovery.models import Execution, JobLog, LaunchJob
from recovery.states import JobState

# A job of 100 servers that all fail and are tried again has fewer.
MOST_LINES: Final = 2000
_LONGEST: Final = 2000
# So that the request as a whole keeps its five seconds.
WITHIN: Final = 4.5
_THREADS: Final = 8

Line = Mapping[str, Any]


class Source(StrEnum):
    """Where the lines of a log come from."""

    RECORDED = "RECORDED"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True)
class ToldLog:
    """A job's log, as far as it is known. `items` is None where nobody has told it; then, and where
    DRS was to be asked and did not answer, `missing` says why. `as_of` is when DRS told it.
    """

    job: LaunchJob
    items: Sequence[Line] | None
    left_out: int = 0
    source: Source | None = None
    as_of: datetime | None = None
    missing: str = ""


def keep(told: Iterable[tuple[LaunchJob, Sequence[LogItem]]]) -> None:
    """Keep what DRS told of the logs of jobs, if it is new: all of it, or nothing. One query, and
    one write where something is new, for any number of jobs.

    DRS forgets logs: an empty one takes the place of none.
    """
    logs = {job: _kept(lines) for job, lines in told}
    known = dict(JobLog.objects.filter(job__in=logs).values_list("job_id", "digest"))
    new = []
    for job, (items, left_out) in logs.items():
        digest = hashlib.sha256(json.dumps([items, left_out]).encode()).hexdigest()
        before = known.get(job.pk)
        if before != digest and (before is None or items):
            new.append(JobLog(job=job, items=items, left_out=left_out, digest=digest))
    JobLog.objects.bulk_create(
        new,
        update_conflicts=True,
        unique_fields=["job"],
        update_fields=["items", "left_out", "digest"],
    )


def jobs_of(execution: Execution) -> QuerySet[LaunchJob]:
    """The launch jobs of an execution, with their waves, accounts and kept logs."""
    return LaunchJob.objects.filter(execution=execution).select_related("wave", "account", "log")


def recorded(job: LaunchJob) -> ToldLog:
    """What the watch has read of a job of `jobs_of`. AWS is not asked."""
    log: JobLog | None = getattr(job, "log", None)
    if log is None:
        return ToldLog(job, None, missing=_why_unrecorded(job))
    return ToldLog(job, log.items, log.left_out, Source.RECORDED, job.log_read_at)


@reaches_outside
def asked(jobs: Sequence[LaunchJob]) -> list[ToldLog]:
    """What DRS says now of the logs of `jobs`, as far as it answers within WITHIN seconds. Where it
    does not, what is recorded, and why it is not newer.
    """
    ends = time.monotonic() + WITHIN
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="job-logs")
    try:
        waiting: dict[UUID, Future[list[LogItem]]] = {
            job.pk: pool.submit(_ask, job.scope(), job.drs_job_id, correlation_id())
            for job in jobs
            if job.drs_job_id and job.account is not None
        }
        return [_answer(job, waiting.get(job.pk), ends) for job in jobs]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _ask(scope: Scope, job_id: str, work: str) -> list[LogItem]:
    with correlated(work):
        try:
            return Drs(scope).job_log(job_id)
        finally:
            connection.close()


def _answer(job: LaunchJob, waiting: Future[list[LogItem]] | None, ends: float) -> ToldLog:
    if waiting is None:
        gone = f"Account {job.aws_account_id} is no longer registered, so DRS cannot be asked."
        return _not_newer(job, gone if job.drs_job_id else _why_unrecorded(job))
    try:
        lines = waiting.result(max(0.0, ends - time.monotonic()))
    except AwsError as error:
        return _not_newer(job, error.detail)
    except NotInTime:
        return _not_newer(job, f"DRS in {job.where} did not answer within {WITHIN:g} seconds.")
    if not lines and job.state != JobState.STARTED:
        # Every job has at least its start in its log.
        return _not_newer(job, f"DRS in {job.where} no longer has the log of {job.drs_job_id}.")
    items, left_out = _kept(lines)
    return ToldLog(job, items, left_out, Source.LIVE, timezone.now())


def _not_newer(job: LaunchJob, why: str) -> ToldLog:
    found = recorded(job)
    return ToldLog(job, found.items, found.left_out, found.source, found.as_of, why)


def _why_unrecorded(job: LaunchJob) -> str:
    if not job.drs_job_id:
        return "DRS has not been heard to have started this job, so it has no log that is known."
    return "The portal has not read this log from DRS."


def _kept(lines: Sequence[LogItem]) -> tuple[list[Line], int]:
    """The newest lines, and how many older ones there are."""
    return [_line(item) for item in lines[-MOST_LINES:]], max(0, len(lines) - MOST_LINES)


def _line(item: LogItem) -> Line:
    told = {
        name: _text(value) if isinstance(value, str) else value
        for name, value in asdict(item).items()
        if value not in {None, ""}
    }
    return told | ({"at": item.at.isoformat()} if item.at else {})


def _text(told: str) -> str:
    """As the database can hold it: what AWS writes must never keep a sight from being written."""
    return told.encode(errors="replace").decode().replace("\x00", "")[:_LONGEST]
