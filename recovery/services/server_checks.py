"""The checks of launched servers: their rows, and what their findings make of a server.

Whoever writes here locks the server first. The engine does not wait for any of it: while checks
are under way a wave is launching, and what ends the last of them wakes the execution.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone

from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.state import move
from recovery.engine import checks as rules
from recovery.models import Execution, ServerCheck, Wave, WaveServer
from recovery.services import leases
from recovery.services.events import note
from recovery.states import (
    SERVER_CHECK,
    SERVER_CHECKED,
    Phase,
    ServerCheckState,
    ServerState,
    WaveState,
)

_LONGEST = 2000
_ENDS = {
    ServerCheckState.PASSED: ServerState.READY,
    ServerCheckState.FAILED: ServerState.FAILED,
    ServerCheckState.UNKNOWN: ServerState.UNKNOWN,
}


def wanted(wave: Wave, server: WaveServer) -> list[rules.Check]:
    """The checks that the wave's plan says are made of this server."""
    return [check for check in wave.checks if rules.applies(check, critical=server.critical)]


def may_begin(server: WaveServer) -> bool:
    """Whether its wave still launches, so that what is checked now can count for it."""
    return Wave.objects.filter(pk=server.wave_id, state=WaveState.LAUNCHING).exists()


def begin(server: WaveServer, checks: Sequence[rules.Check]) -> None:
    """Write the checks of a server that has been launched, to be made by a worker."""
    # An id that is the same after a restore: what was sent under it is found by it.
    now = timezone.now()
    ServerCheck.objects.filter(server=server).delete()
    ServerCheck.objects.bulk_create(
        ServerCheck(
            id=uuid5(server.pk, f"{server.attempt}/{position}"),
            server=server,
            position=position,
            name=check["name"],
            kind=check["kind"],
            required=check["required"],
            definition=check,
            started_at=now,
            due_at=now,
            deadline_at=now + timedelta(seconds=check["time_limit_seconds"]),
        )
        for position, check in enumerate(checks, start=1)
    )
    hint("recovery.run_checks")


def close(execution: Execution, wave: Wave) -> None:
    """End what is still being checked when the time of its wave is up: nobody knows how it is."""
    said = "The time limit of its wave was up before this check had ended."
    checking = wave.servers.filter(state=ServerState.LAUNCHED, phase=Phase.CHECKING)
    for server in checking.order_by("pk"):
        for check in server.checks.filter(state=ServerCheckState.WAITING):
            last = f" Last seen: {check.message}" if check.message else ""
            end(check, ServerCheckState.UNKNOWN, message=f"{said}{last}")
        settle(execution, server, out_of_time=True)


def end(check: ServerCheck, state: ServerCheckState, *, message: str, **changes: Any) -> None:
    """Move a check to its end. Raises StaleState."""
    free = {"leased_until": None, "lease_token": None, "due_at": None}
    ended = {"finished_at": timezone.now(), "message": message[:_LONGEST], **free}
    move(check, state, lifecycle=SERVER_CHECK, **ended | changes)


def settle(execution: Execution, server: WaveServer, *, out_of_time: bool = False) -> None:
    """Give a server its state once all of its checks have ended, and wake its execution. With
    `out_of_time` it has one then, at the latest.
    """
    checks = list(server.checks.all())
    found = rules.of_server([(check.state, check.required) for check in checks])
    mark("WaveStatus", server.wave_id)
    if found == ServerCheckState.WAITING:
        return
    state, message = _ENDS[found], _told(found, checks)
    if out_of_time and not checks:
        state = ServerState.UNKNOWN
    ended = {"finished_at": timezone.now(), "phase": Phase.DONE, "message": message}
    move(server, state, lifecycle=SERVER_CHECKED, **ended)
    said = (
        f"{server} is ready: it has passed its checks." if not message else f"{server}: {message}"
    )
    note(execution, f"server.{state.lower()}", said, wave=server.wave, server=server)
    leases.sooner(Execution.objects.active().filter(pk=execution.pk), timezone.now())
    hint("recovery.advance", execution_id=str(execution.pk))


@transaction.atomic
def take_in(check_id: UUID, token: UUID, finding: rules.Finding) -> None:
    """Write what a look found, unless the check was ended or taken over meanwhile."""
    check = _locked(check_id, token)
    if check is None:
        return
    now, said = timezone.now(), check.definition
    attempts = check.attempts + (1 if finding.attempt else 0)
    state = rules.verdict(
        finding,
        attempts=attempts,
        allowed=said["attempts"],
        deadline=check.deadline_at,
        now=now,
    )
    changes: dict[str, Any] = {"attempts": attempts, "looked_at": now}
    if finding.attempt:
        # The next command is another one.
        changes |= {"intended_at": None, "command_id": ""}
    if state == ServerCheckState.WAITING:
        _wait(check, finding, now, changes)
        return
    end(check, state, message=finding.message, **changes)
    server = check.server
    execution = server.execution
    if state != ServerCheckState.PASSED:
        told = f"Check {check.name} of {server} {state.lower()}: {finding.message}"
        note(execution, f"check.{state.lower()}", told, wave=server.wave, server=server)
    settle(execution, server)


def _wait(
    check: ServerCheck, finding: rules.Finding, now: datetime, changes: dict[str, Any]
) -> None:
    """Let a check wait for its next look, and nobody hold it meanwhile."""
    pause = finding.soon or timedelta(seconds=check.definition["interval_seconds"])
    ServerCheck.objects.filter(pk=check.pk).update(
        due_at=min(now + pause, check.deadline_at),
        leased_until=None,
        lease_token=None,
        message=finding.message[:_LONGEST],
        **changes,
    )
    if finding.attempt:
        mark("WaveStatus", check.server.wave_id)


def _locked(check_id: UUID, token: UUID) -> ServerCheck | None:
    """The check with its server locked, if this lease on it still holds."""
    servers = WaveServer.objects.select_for_update(of=("self",)).filter(checks=check_id)
    server = servers.select_related("wave", "execution").first()
    found = ServerCheck.objects.filter(
        pk=check_id, lease_token=token, state=ServerCheckState.WAITING
    ).first()
    if server is None or found is None or not server.being_checked:
        return None
    found.server = server
    return found


def _told(found: ServerCheckState, checks: Sequence[ServerCheck]) -> str:
    """Why a server is not ready, by its checks."""
    if found == ServerCheckState.PASSED:
        return ""
    words = {ServerCheckState.FAILED: "failed", ServerCheckState.UNKNOWN: "could not be made"}
    bad = [check for check in checks if check.required and check.state == found]
    told = "; ".join(f"{check.name}: {check.message}" for check in bad)
    return f"It was launched, and its instance is there. Its checks {words[found]}. {told}"
