# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any

from drportal.simulator.exceptions import ConflictException, ValidationException
from drportal.simulator.faults import Kind
from drportal.simulator.handlers import Handler
from drportal.simulator.identifiers import fresh
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.resources import Job, LogItem, Participant
from drportal.simulator.wire import parse_timestamp, timestamp
from drportal.simulator.world import world

BEFORE_START = timedelta(seconds=0.4)
# Things that DRS does for all servers of a job start this far apart.
STAGGER = timedelta(milliseconds=25)


def create(
    backend: DRSBackend,
    *,
    kind: str,
    initiated_by: str,
    participants: list[Participant],
    tags: dict[str, str] | None = None,
) -> Job:
    """A new PENDING job. What it does is for the caller to plan on the backend's agenda."""
    now = world.clock.now()
    place = {"account": backend.account_id, "region": backend.region_name}
    late = world.faults.strike(Kind.LIST_LATE, **place)
    identifier = fresh("drsjob-")
    job = Job(
        id=identifier,
        arn=backend.arn_of("job", identifier),
        type=kind,
        initiated_by=initiated_by,
        created_at=now,
        participants=participants,
        listed_from=now + timedelta(seconds=late.seconds if late else 0),
        number=len(backend.jobs) + 1,
    )
    backend.jobs[job.id] = job
    backend.tags[job.arn] = dict(tags or {})
    return job


def start(job: Job, at: datetime) -> None:
    """PENDING becomes STARTED, with its line in the log."""
    job.status = "STARTED"
    note(job, at, "JOB_START")


def note(job: Job, at: datetime, event: str, **data: Any) -> None:
    """A line of the log; `data` is `eventData` by wire name."""
    if event == "LAUNCH_END" and world.settings.strict_model:
        return
    job.log.append(LogItem(at, event, data))


def complete(job: Job, at: datetime) -> None:
    """Nothing more will happen. It says nothing of success: the participants do."""
    note(job, at, "JOB_END")
    job.status = "COMPLETED"
    job.ended_at = at


def described(backend: DRSBackend, job: Job) -> dict[str, Any]:
    """The wire shape Job."""
    shape: dict[str, Any] = {
        "jobID": job.id,
        "arn": job.arn,
        "type": job.type,
        "initiatedBy": job.initiated_by,
        "creationDateTime": timestamp(job.created_at),
        "status": job.status,
        "participatingServers": _participants(job),
        "participatingResources": [],
        "tags": dict(backend.tags[job.arn]),
    }
    if job.ended_at:
        shape["endDateTime"] = timestamp(job.ended_at)
    return shape


def _participants(job: Job) -> list[dict[str, Any]]:
    settings = world.settings
    if job.type == "TERMINATE" and not job.active and not settings.termination_keeps_servers:
        return []
    names_instance = job.type == "TERMINATE" or settings.launch_job_names_instance
    shapes = []
    for each in job.participants:
        shape: dict[str, Any] = {
            "sourceServerID": each.server_id,
            "launchStatus": each.launch_status,
            "launchActionsStatus": {"runs": deepcopy(each.runs)},
        }
        if names_instance and each.instance_id:
            shape["recoveryInstanceID"] = each.instance_id
        shapes.append(shape)
    return shapes


def describe_jobs(
    backend: DRSBackend,
    *,
    filters: dict[str, Any] | None = None,
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """Newest first. Unknown ids in the filter show fewer jobs and are no error."""
    shown, token = page(
        _matching(backend, filters or {}),
        key=lambda job: (job.created_at.isoformat(timespec="microseconds"), job.number),
        next_token=nextToken,
        max_results=maxResults,
        default=world.settings.default_page_size,
        reverse=True,
        scope="DescribeJobs",
    )
    items = [described(backend, job) for job in shown]
    return {"items": items} | ({"nextToken": token} if token else {})


def _matching(backend: DRSBackend, filters: dict[str, Any]) -> list[Job]:
    now = world.clock.now()
    found = [job for job in backend.jobs.values() if job.listed_from <= now]
    if filters.get("jobIDs"):
        wanted = set(filters["jobIDs"])
        found = [job for job in found if job.id in wanted]
    if filters.get("fromDate"):
        since = parse_timestamp(filters["fromDate"])
        found = [job for job in found if job.created_at >= since]
    if filters.get("toDate"):
        until = parse_timestamp(filters["toDate"])
        found = [job for job in found if job.created_at <= until]
    return found


def describe_job_log_items(
    backend: DRSBackend,
    *,
    jobID: str,
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """Oldest first. What an unknown job gives is the setting `unknown_job_log`."""
    job = backend.jobs.get(jobID)
    if job is None and world.settings.unknown_job_log == "validation":
        raise ValidationException(
            f"Job {jobID} does not exist.",
            reason="fieldValidationFailed",
            fields=[("jobID", "does not exist")],
        )
    shown, token = page(
        list(enumerate(job.log if job else [])),
        key=lambda numbered: numbered[0],
        next_token=nextToken,
        max_results=maxResults,
        default=world.settings.default_page_size,
        scope=f"DescribeJobLogItems/{jobID}",
    )
    items = [
        {"logDateTime": timestamp(line.at), "event": line.event, "eventData": dict(line.data)}
        for _, line in shown
    ]
    return {"items": items} | ({"nextToken": token} if token else {})


def delete_job(backend: DRSBackend, *, jobID: str) -> dict[str, Any]:
    """Only a finished one."""
    job = backend.job(jobID)
    if job.active:
        raise ConflictException(
            f"Job {job.id} is {job.status}.", resourceId=job.id, resourceType="Job"
        )
    del backend.jobs[job.id]
    backend.tags.pop(job.arn)
    return {}


HANDLERS: dict[str, Handler] = {
    "DescribeJobs": describe_jobs,
    "DescribeJobLogItems": describe_job_log_items,
    "DeleteJob": delete_job,
}
