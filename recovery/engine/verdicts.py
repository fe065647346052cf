"""What DRS's words about a server in a job amount to.

A completed job says nothing of success, `launchStatus` may stay PENDING until late, and a finished
job may leave a server without a last word (DRS field logs). So everything is read together, and
what nothing tells is UNKNOWN.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from drportal.aws.drs import LogItem
from recovery.states import Phase, ServerState

_PHASES = {
    "CLEANUP_START": Phase.CLEANUP,
    "SNAPSHOT_START": Phase.SNAPSHOT,
    "USING_PREVIOUS_SNAPSHOT": Phase.SNAPSHOT,
    "CONVERSION_START": Phase.CONVERSION,
    "LAUNCH_START": Phase.LAUNCH,
    "LAUNCH_END": Phase.DONE,
}
_FAILURES = {
    "CLEANUP_FAIL": "Removing the previous instance failed",
    "SNAPSHOT_FAIL": "Taking a snapshot failed",
    "USING_PREVIOUS_SNAPSHOT_FAILED": "Using the previous snapshot failed",
    "CONVERSION_FAIL": "Conversion failed",
    "LAUNCH_FAILED": "Launch failed",
    "JOB_CANCEL": "DRS cancelled the job",
}
_SKIPPED = "SERVER_SKIPPED"


@dataclass(frozen=True, slots=True)
class ServerLog:
    """What a job's log tells of one server."""

    phase: Phase = Phase.REQUESTED
    failure: str = ""
    skipped: str = ""
    instance_id: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What became of a server, and why."""

    state: ServerState
    message: str = ""


def read_log(items: Iterable[LogItem]) -> dict[str, ServerLog]:
    """What a job's log tells, by server. Events that we do not know change nothing."""
    found: dict[str, ServerLog] = {}
    for item in items:
        if item.server_id:
            found[item.server_id] = _after(found.get(item.server_id, ServerLog()), item)
    return found


def _after(log: ServerLog, item: LogItem) -> ServerLog:
    failure, skipped = log.failure, log.skipped
    if item.event in _FAILURES:
        failure = _sentence(_FAILURES[item.event], item.error)
    elif item.event == "USING_PREVIOUS_SNAPSHOT":
        failure = ""  # the snapshot failed, and DRS found a way round
    elif item.event == _SKIPPED:
        skipped = _sentence("DRS skipped the server", item.error)
    return ServerLog(
        phase=_PHASES.get(item.event, log.phase),
        failure=failure,
        skipped=skipped,
        instance_id=item.instance_id or log.instance_id,
    )


def judge(*, launch_status: str, log: ServerLog, completed: bool, instance_id: str) -> Judgement:
    """What became of a server.

    `launch_status` is DRS's word, empty if the job does not list the server; `instance_id` is a
    recovery instance that this very job left behind, if there is one.
    """
    if launch_status == "LAUNCHED":
        return Judgement(ServerState.LAUNCHED)
    if launch_status == "TERMINATED":
        return Judgement(ServerState.FAILED, "DRS reports that its instance was terminated.")
    if launch_status == "FAILED":
        return _bad_end(log) or Judgement(ServerState.FAILED, "DRS reports FAILED, and no reason.")
    if not completed:
        return Judgement(ServerState.LAUNCHING, log.failure or log.skipped)
    last = launch_status or "nothing"
    if instance_id:
        return Judgement(
            ServerState.LAUNCHED, f"DRS reports {last}, but the instance of this job is there."
        )
    return _bad_end(log) or Judgement(
        ServerState.UNKNOWN,
        f"The DRS job ended without saying what became of it (its last word: {last}).",
    )


def _bad_end(log: ServerLog) -> Judgement | None:
    if log.skipped:
        return Judgement(ServerState.SKIPPED, log.skipped)
    if log.failure:
        return Judgement(ServerState.FAILED, log.failure)
    return None


def _sentence(what: str, error: str) -> str:
    return f"{what}: {error}" if error else f"{what}."
