"""What people say of checks: have them made again, or take one as passed on their word.

A server that its checks failed runs. So it is never launched again for that: its checks are, and
the wave and the execution that had ended go on to a new verdict. Servers are locked first, as by
those who write what checks found.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.state import move
from recovery.choices import ServerCheckKind
from recovery.engine import checks as rules
from recovery.errors import (
    CheckHasPassed,
    CheckNotFound,
    CommandMayHaveRun,
    NothingToCheck,
    ReasonNeeded,
    WaveNotEnded,
    WaveNotFound,
)
from recovery.models import Execution, ServerCheck, Wave, WaveServer
from recovery.services import executions, retries, server_checks, waves
from recovery.services.events import note
from recovery.services.steering import sentence
from recovery.states import (
    SERVER_CHECK,
    SERVER_CHECKED_AGAIN,
    WAVE_AGAIN,
    Phase,
    ServerCheckState,
    ServerState,
    WaveState,
)

_NOT_PASSED = (ServerCheckState.FAILED, ServerCheckState.UNKNOWN)


def again(
    execution: Execution,
    *,
    position: int,
    server_ids: Collection[str] = (),
    reason: str = "",
    actor: Actor,
) -> Execution:
    """Make the checks again that servers of the wave at `position` have not passed, or of them
    `server_ids`. Nothing is launched.

    The wave goes on with its whole time limit, waves that only it blocked wait for it, and an
    execution that had ended goes on. Raises WaveNotFound, WaveNotEnded, NothingToCheck,
    CommandMayHaveRun, TerminationUnderWay, ServersHeld, LaunchedSince, PlanAlreadyRunning,
    BeingCancelled and ExecutionEnded; then nothing is written.
    """
    with transaction.atomic():
        servers = _locked(execution, position, server_ids)
        execution, wave = _open(execution, position, servers)
        if not servers:
            raise NothingToCheck(wave, server_ids)
        _must_be_harmless(servers)
        what = f"{waves.title(wave)}: {len(servers)} checked again, as {actor.name} asked"
        note(execution, "wave.checked_again", sentence(what, reason), wave=wave, actor=actor)
        for server in servers:
            said = f"{server} is checked again. Before: {server.message}"
            note(execution, "server.checked_again", said, wave=wave, server=server, actor=actor)
        record(
            "recovery.servers.checked_again",
            actor=actor,
            subject=execution,
            wave=str(wave),
            servers=[str(server) for server in servers],
            reason=reason,
        )
        for server in servers:
            _check_anew(wave, server)
        executions.wake(execution)
    return execution


def pass_by_hand(execution: Execution, *, check_id: UUID, reason: str, actor: Actor) -> Execution:
    """Take a check as passed, on the word of `actor`. If that was all that its server lacked, the
    server is READY, and what had ended for want of it goes on.

    Raises ReasonNeeded, CheckNotFound, CheckHasPassed, and what `again` raises about the wave and
    the execution; then nothing is written.
    """
    if not reason.strip():
        raise ReasonNeeded
    with transaction.atomic():
        server = _server_of(execution, check_id)
        check = server.checks.select_for_update().get(pk=check_id)
        if check.state == ServerCheckState.PASSED:
            raise CheckHasPassed(check)
        before, message = check.state, check.message
        hand = {"by_hand": actor.name, "reason": reason}
        said = f"Marked as passed by {actor.name}: {reason}"
        server_checks.end(check, ServerCheckState.PASSED, message=said, **hand)
        told = f"Check {check.name} of {server}: {said}. Before: {before.lower()}, {message}"
        wave = server.wave
        note(execution, "check.passed_by_hand", told, wave=wave, server=server, actor=actor)
        record(
            "recovery.check.passed_by_hand",
            actor=actor,
            subject=execution,
            wave=str(wave),
            server=str(server),
            check=check.name,
            was=before,
            message=message,
            reason=reason,
        )
        execution = _count_it(execution, server)
        executions.wake(execution)
    return execution


def may_be_checked_again(server: WaveServer) -> bool:
    """Whether it was launched, is there as far as is known, and has not passed its checks."""
    bad = server.state in {ServerState.FAILED, ServerState.UNKNOWN}
    return bad and server.launched_at is not None and server.instance_gone_at is None


def _locked(execution: Execution, position: int, server_ids: Collection[str]) -> list[WaveServer]:
    rows = WaveServer.objects.select_for_update(of=("self",)).filter(
        Q(server_id__in=server_ids) if server_ids else Q(),
        execution=execution,
        wave__position=position,
    )
    found = [row for row in rows.order_by("pk") if may_be_checked_again(row)]
    if server_ids and len(found) < len(set(server_ids)):
        missing = set(server_ids) - {row.server_id for row in found}
        raise NothingToCheck(f"Wave {position}", sorted(missing))
    return found


def _server_of(execution: Execution, check_id: UUID) -> WaveServer:
    rows = WaveServer.objects.select_for_update(of=("self",)).select_related("wave")
    server = rows.filter(execution=execution, checks=check_id).first()
    if server is None:
        raise CheckNotFound(check_id)
    return server


def _open(
    execution: Execution, position: int, servers: Sequence[WaveServer]
) -> tuple[Execution, Wave]:
    """Let the wave and the execution go on, if they had ended."""
    execution = retries.that_may_go_on(execution)
    wave = execution.waves.select_for_update().filter(position=position).first()
    if wave is None:
        raise WaveNotFound(execution, position)
    if not servers or wave.state == WaveState.LAUNCHING:
        return execution, wave
    if wave.state not in retries.ENDED:
        raise WaveNotEnded(wave, WaveState(wave.state).label)
    waiting = retries.blocked_by(execution, wave)
    anew = WaveServer.objects.filter(
        Q(pk__in=[server.pk for server in servers]) | Q(wave__in=waiting, state=ServerState.BLOCKED)
    )
    retries.must_not_be_launched_since(execution, anew)
    executions.claim(execution, anew)
    retries.reopen(execution)
    deadline = timezone.now() + wave.time_limit
    opened = {"deadline_at": deadline, "finished_at": None, "message": ""}
    move(wave, WaveState.LAUNCHING, lifecycle=WAVE_AGAIN, **opened)
    retries.wait_again(execution, waiting)
    return execution, wave


def _must_be_harmless(servers: Iterable[WaveServer]) -> None:
    lost = ServerCheck.objects.filter(
        server__in=list(servers), kind=ServerCheckKind.SSM, state=ServerCheckState.UNKNOWN
    ).exclude(intended_at=None)
    told = [str(check) for check in lost if not check.definition["repeatable"]]
    if told:
        raise CommandMayHaveRun(told)


def _check_anew(wave: Wave, server: WaveServer) -> None:
    """Let it be checked again, by what it has not passed; by all, if it never was."""
    _being_checked(server)
    if not server.checks.exists():
        server_checks.begin(server, server_checks.wanted(wave, server))
        return
    now = timezone.now()
    for check in server.checks.filter(state__in=_NOT_PASSED):
        limit = timedelta(seconds=check.definition["time_limit_seconds"])
        anew = {"finished_at": None, "message": "", "attempts": 0, "due_at": now}
        anew |= {"started_at": now, "deadline_at": now + limit}
        anew |= {"intended_at": None, "command_id": ""}
        move(check, ServerCheckState.WAITING, lifecycle=SERVER_CHECK, **anew)
    server_checks.settle(wave.execution, server)


def _being_checked(server: WaveServer) -> None:
    begun = {"phase": Phase.CHECKING, "finished_at": None, "message": ""}
    move(server, ServerState.LAUNCHED, lifecycle=SERVER_CHECKED_AGAIN, **begun)


def _count_it(execution: Execution, server: WaveServer) -> Execution:
    """Let what was passed by hand count for its server."""
    if server.being_checked:
        execution = executions.locked_and_live(execution)
        server_checks.settle(execution, server)
        return execution
    states = [(check.state, check.required) for check in server.checks.all()]
    whole = rules.of_server(states) == ServerCheckState.PASSED
    if whole and may_be_checked_again(server):
        execution, _ = _open(execution, server.wave.position, [server])
        _being_checked(server)
        server_checks.settle(execution, server)
    return execution
