"""The timeline of an execution."""

from drportal.actor import PORTAL, Actor
from drportal.mirror.services import mark
from drportal.transactions import must_be_in_transaction
from recovery.engine.wording import counted
from recovery.models import Execution, ExecutionEvent, LaunchJob, Wave, WaveServer
from recovery.services import notices

_LONGEST = 2000


def note(
    execution: Execution,
    kind: str,
    message: str,
    *,
    wave: Wave | None = None,
    server: WaveServer | None = None,
    actor: Actor = PORTAL,
) -> None:
    """Add a line to the timeline, in the transaction of what it tells, and the notices that it
    calls for.
    """
    must_be_in_transaction("note()")
    event = ExecutionEvent.objects.create(
        execution=execution,
        wave=wave,
        server=server,
        kind=kind,
        message=message[:_LONGEST],
        actor=actor.name,
    )
    mark("ExecutionHistory", execution.pk)
    if wave is not None:
        mark("WaveStatus", wave.pk)
    notices.of_event(event)


def titled(job: LaunchJob) -> str:
    """What the timeline calls a launch job: what it is, and where."""
    what = job.drs_job_id or f"Launch of {counted(len(job.server_ids), 'server')}"
    return f"{what} in {job.where}"
