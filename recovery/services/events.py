"""The timeline of an execution."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the timeline that is to be written."""

    kind: str
    message: str
    server: WaveServer | None = None


def note_all(execution: Execution, lines: Sequence[Line], *, wave: Wave) -> None:
    """Add lines about a wave to the timeline, in their order, as `note` adds one: in as many
    statements, however many they are.
    """
    must_be_in_transaction("note_all()")
    if not lines:
        return
    events = ExecutionEvent.objects.bulk_create(
        ExecutionEvent(
            execution=execution,
            wave=wave,
            server=line.server,
            kind=line.kind,
            message=line.message[:_LONGEST],
            actor=PORTAL.name,
        )
        for line in lines
    )
    mark("ExecutionHistory", execution.pk)
    mark("WaveStatus", wave.pk)
    for event in events:
        notices.of_event(event)


def titled(job: LaunchJob) -> str:
    """What the timeline calls a launch job: what it is, and where."""
    what = job.drs_job_id or f"Launch of {counted(len(job.server_ids), 'server')}"
    return f"{what} in {job.where}"
