"""The order in which a job log may tell what happened, as one expression per kind of job.

From the raw logs of two AWS sample drills, and for what they do not show from the names of the
events in the model.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

_CLEANUP = r"(CLEANUP_START CLEANUP_END )?"
_SNAPSHOT_LOST = r"SNAPSHOT_FAIL (USING_PREVIOUS_SNAPSHOT )?"
_SNAPSHOT_GONE = r"SNAPSHOT_START SNAPSHOT_FAIL (USING_PREVIOUS_SNAPSHOT_FAILED )?"
_SNAPSHOT = rf"(SNAPSHOT_START (SNAPSHOT_END |{_SNAPSHOT_LOST}))?"
_CONVERSION = r"(CONVERSION_START CONVERSION_FAIL )*CONVERSION_START "
_LAUNCH = r"LAUNCH_START (LAUNCH_END |LAUNCH_FAILED )"

LAUNCH_OF_A_SERVER = re.compile(
    rf"SERVER_SKIPPED |CLEANUP_START CLEANUP_FAIL |{_CLEANUP}("
    rf"{_SNAPSHOT_GONE}"
    rf"|{_SNAPSHOT}{_CONVERSION}(CONVERSION_FAIL |CONVERSION_END {_LAUNCH})"
    rf")"
)
FAILBACK_OF_A_SERVER = re.compile(r"LAUNCH_START (LAUNCH_END |LAUNCH_FAILED )")
TERMINATION_OF_A_SERVER = re.compile(r"CLEANUP_START (CLEANUP_END |CLEANUP_FAIL )")


def of_a_server(job: dict[str, Any]) -> re.Pattern[str]:
    if job["type"] == "TERMINATE":
        return TERMINATION_OF_A_SERVER
    return FAILBACK_OF_A_SERVER if job["initiatedBy"] == "FAILBACK" else LAUNCH_OF_A_SERVER


def faults(job: dict[str, Any], log: Sequence[dict[str, Any]]) -> list[str]:
    """What is wrong with the log of a job; nothing for a log that AWS could have written."""
    found = _frame_faults(job, log)
    per_server: dict[str, list[str]] = defaultdict(list)
    for item in log:
        if item["event"] in {"JOB_START", "JOB_END"}:
            if item.get("eventData"):
                found.append(f"{item['event']} carries data")
        elif "sourceServerID" not in item.get("eventData", {}):
            found.append(f"{item['event']} names no server")
        else:
            per_server[item["eventData"]["sourceServerID"]].append(item["event"])
    if job["status"] == "COMPLETED":
        found += _sequence_faults(job, per_server)
    return found


def _frame_faults(job: dict[str, Any], log: Sequence[dict[str, Any]]) -> list[str]:
    found = []
    events = [item["event"] for item in log]
    times = [item["logDateTime"] for item in log]
    if times != sorted(times):
        found.append("times go back")
    if events and (events[0] != "JOB_START" or events.count("JOB_START") != 1):
        found.append("JOB_START is not the one first event")
    ended = job["status"] == "COMPLETED"
    if ended != ("JOB_END" in events) or events[-1:].count("JOB_END") != events.count("JOB_END"):
        found.append("JOB_END is not the one last event of a job that is COMPLETED")
    if ended != bool(job.get("endDateTime")):
        found.append("endDateTime does not go with COMPLETED")
    return found


def _sequence_faults(job: dict[str, Any], per_server: dict[str, list[str]]) -> list[str]:
    pattern = of_a_server(job)
    return [
        f"{server}: {' '.join(events)}"
        for server, events in per_server.items()
        if not pattern.fullmatch("".join(f"{event} " for event in events))
    ]
