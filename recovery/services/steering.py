"""What people ask of an execution under way: written down here, carried out by the engine.

A request is in rows, never in a state that the engine owns, so it is there whether or not a worker
runs, and nothing writes over it.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.state import move
from recovery.errors import (
    BeingCancelled,
    GateMustBeNamed,
    NothingLeft,
    NothingToPause,
    NotInTheWave,
    NotPaused,
    ReasonNeeded,
    TimeIsUp,
    WaveHasStarted,
    WaveNotFound,
)
from recovery.models import Execution, Wave, WaveServer
from recovery.services import executions, waves
from recovery.services.events import note
from recovery.states import SERVER, WAVE, ServerState, WaveState

BEFORE_LAUNCH: Final = (WaveState.PENDING, WaveState.WAITING)
# The most by which a time limit is extended at once: a slip of the hand is no week.
MOST_MINUTES: Final = 24 * 60


def pause(execution: Execution, *, reason: str = "", actor: Actor) -> Execution:
    """Ask that no further wave starts. Waves that launch go on to their end; gates may be opened
    and timers run, but what they let start waits. Asking twice changes nothing.

    Raises ExecutionEnded, BeingCancelled, and NothingToPause if every wave has started or ended.
    """
    with transaction.atomic():
        execution = live(execution)
        if execution.pause_requested_at is not None:
            return execution
        if not execution.waves.filter(state__in=BEFORE_LAUNCH).exists():
            raise NothingToPause(execution)
        execution.pause_requested_at, execution.pause_lifted_at = timezone.now(), None
        execution.pause_requested_by, execution.pause_reason = actor.name, reason
        _save_pause(execution)
        said = sentence(f"Pause requested by {actor.name}", reason)
        note(execution, "execution.pause_requested", said, actor=actor)
        record("recovery.execution.pause_requested", actor=actor, subject=execution, reason=reason)
        executions.wake(execution)
    return execution


def lift_pause(execution: Execution, *, comment: str = "", actor: Actor) -> Execution:
    """Let waves start again. No gate is opened by it.

    Raises ExecutionEnded, BeingCancelled, and NotPaused if no pause is requested.
    """
    with transaction.atomic():
        execution = live(execution)
        if execution.pause_requested_at is None:
            raise NotPaused(execution)
        asked_by, since = execution.pause_requested_by, execution.pause_requested_at
        execution.pause_requested_at, execution.pause_lifted_at = None, timezone.now()
        execution.pause_requested_by, execution.pause_reason = "", ""
        _save_pause(execution)
        said = sentence(f"Pause lifted by {actor.name}", comment)
        note(execution, "execution.pause_lifted", said, actor=actor)
        record(
            "recovery.execution.pause_lifted",
            actor=actor,
            subject=execution,
            comment=comment,
            requested_by=asked_by,
            requested_at=since,
        )
        executions.wake(execution)
    return execution


def resume(
    execution: Execution, *, position: int | None = None, comment: str = "", actor: Actor
) -> Execution:
    """With a position, open the gate of that wave. Without one, lift the pause, if one is
    requested, and else open the gate of every wave that waits.

    But where a pause has been lifted, gates are opened by name only: of two people who lift one
    pause, the second must not open a gate by that. Raises GateMustBeNamed then, and what
    `lift_pause` and `executions.resume` raise.
    """
    with transaction.atomic():
        if position is None:
            now = executions.locked_and_live(execution)
            if now.pause_requested_at is not None:
                return lift_pause(now, comment=comment, actor=actor)
            if now.pause_lifted_at is not None:
                raise GateMustBeNamed(now)
        return executions.resume(execution, position=position, comment=comment, actor=actor)


def leave_out(
    execution: Execution,
    *,
    position: int,
    server_ids: Collection[str] = (),
    reason: str,
    actor: Actor,
) -> Execution:
    """Leave the wave at `position` out, or of its servers `server_ids`, before it launches.

    What is left out counts for no verdict, critical or not, and waves that depend on a wave that
    is left out go on. It cannot be taken back. Raises ReasonNeeded, WaveNotFound, WaveHasStarted,
    NotInTheWave, NothingLeft if nothing would be left to launch, BeingCancelled and
    ExecutionEnded; then nothing is written.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        execution = live(execution)
        wave = _wave(execution, position)
        if wave.state not in BEFORE_LAUNCH:
            raise WaveHasStarted(wave, WaveState(wave.state).label)
        servers = _waiting(wave, server_ids)
        _must_leave_something(execution, servers)
        _move_out(wave, servers, said=f"Left out by {actor.name}: {reason}", actor=actor)
        record(
            "recovery.servers.left_out",
            actor=actor,
            subject=execution,
            wave=str(wave),
            wave_state=wave.state,
            servers=[str(server) for server in servers],
            reason=reason,
        )
        executions.wake(execution)
    return execution


def extend(
    execution: Execution, *, position: int, minutes: int, reason: str, actor: Actor
) -> Execution:
    """Give the wave at `position`, which launches, 1 to MOST_MINUTES more minutes.

    Raises ReasonNeeded, WaveNotFound, TimeIsUp if it does not launch or its time is up already,
    BeingCancelled and ExecutionEnded; then nothing is written.
    """
    _must_have_a_reason(reason)
    if not 1 <= minutes <= MOST_MINUTES:
        raise ValueError(f"A time limit is extended by 1 to {MOST_MINUTES} minutes")
    with transaction.atomic():
        execution = live(execution)
        wave = _wave(execution, position)
        before = wave.deadline_at
        if wave.state != WaveState.LAUNCHING or before is None or before <= timezone.now():
            raise TimeIsUp(wave)
        wave.deadline_at = before + timedelta(minutes=minutes)
        wave.save(update_fields=["deadline_at"])
        until = f"until {wave.deadline_at:%Y-%m-%d %H:%M:%S} UTC"
        more = f"{waves.title(wave)} may take {minutes} minutes more, {until}"
        said = f"{more}, as {actor.name} asked: {reason}"
        note(execution, "wave.extended", said, wave=wave, actor=actor)
        record(
            "recovery.wave.extended",
            actor=actor,
            subject=execution,
            wave=str(wave),
            minutes=minutes,
            deadline_before=before,
            deadline=wave.deadline_at,
            reason=reason,
        )
        executions.wake(execution)
    return execution


def live(execution: Execution) -> Execution:
    """The execution's row, locked; not ended, and not to be cancelled. Raises ExecutionEnded and
    BeingCancelled.
    """
    execution = executions.locked_and_live(execution)
    if execution.cancel_requested_at is not None:
        raise BeingCancelled(execution)
    return execution


def sentence(said: str, reason: str) -> str:
    """What somebody did and, if they said so, why."""
    return f"{said}: {reason}" if reason else f"{said}."


def _must_have_a_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonNeeded


def _wave(execution: Execution, position: int) -> Wave:
    wave = execution.waves.select_for_update().filter(position=position).first()
    if wave is None:
        raise WaveNotFound(execution, position)
    return wave


def _waiting(wave: Wave, server_ids: Collection[str]) -> list[WaveServer]:
    """Those of its servers that are meant and would be launched. Raises NotInTheWave."""
    waiting = wave.servers.filter(state=ServerState.PENDING).order_by("name", "id")
    if not server_ids:
        return list(waiting)
    found = list(waiting.filter(server_id__in=server_ids))
    missing = set(server_ids) - {server.server_id for server in found}
    if missing:
        raise NotInTheWave(wave, missing)
    return found


def _must_leave_something(execution: Execution, servers: Collection[WaveServer]) -> None:
    rest = execution.servers.exclude(state=ServerState.LEFT_OUT)
    if not rest.exclude(pk__in=[server.pk for server in servers]).exists():
        raise NothingLeft(execution)


def _move_out(wave: Wave, servers: Collection[WaveServer], *, said: str, actor: Actor) -> None:
    """Move servers, and their wave if that was all of it. Their groups are held no longer then."""
    ended = {"message": said, "finished_at": timezone.now()}
    for server in servers:
        move(server, ServerState.LEFT_OUT, lifecycle=SERVER, **ended)
        told = f"{server}: {said}"
        note(wave.execution, "server.left_out", told, wave=wave, server=server, actor=actor)
    if not wave.servers.exclude(state=ServerState.LEFT_OUT).exists():
        ended["message"] = said[:1000]
        move(wave, WaveState.LEFT_OUT, lifecycle=WAVE, **ended)
        waves.release_groups(wave.execution)
        told = f"{waves.title(wave)}: {said}"
        note(wave.execution, "wave.left_out", told, wave=wave, actor=actor)


def _save_pause(execution: Execution) -> None:
    execution.save(
        update_fields=[
            "pause_requested_at",
            "pause_requested_by",
            "pause_reason",
            "pause_lifted_at",
        ]
    )
