"""Looking at a launch from the outside."""

from datetime import UTC, datetime, timedelta
from typing import Any

LONG_ENOUGH = timedelta(hours=2)


def ids(drs: Any) -> list[str]:
    found = []
    for page in drs.get_paginator("describe_source_servers").paginate():
        found += [item["sourceServerID"] for item in page["items"]]
    return found


def launch(drs: Any, server_ids: list[str] | None = None, *, drill: bool = True) -> Any:
    wanted = [{"sourceServerID": each} for each in server_ids or ids(drs)]
    return drs.start_recovery(sourceServers=wanted, isDrill=drill)["job"]


def job(drs: Any, job_id: str) -> Any:
    [found] = drs.describe_jobs(filters={"jobIDs": [job_id]})["items"]
    return found


def log(drs: Any, job_id: str) -> Any:
    return drs.describe_job_log_items(jobID=job_id)["items"]


def events(drs: Any, job_id: str, server_id: str | None = None) -> list[str]:
    return [
        line["event"]
        for line in log(drs, job_id)
        if server_id is None or line["eventData"].get("sourceServerID") == server_id
    ]


def statuses(job_shape: dict[str, Any]) -> dict[str, str]:
    return {
        each["sourceServerID"]: each["launchStatus"] for each in job_shape["participatingServers"]
    }


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def instances(drs: Any) -> dict[str, dict[str, Any]]:
    """Recovery instances by source server."""
    return {item["sourceServerID"]: item for item in drs.describe_recovery_instances()["items"]}
