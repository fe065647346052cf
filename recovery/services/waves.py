"""What the engine decides about waves and executions, written down: state, timeline, record."""

from collections.abc import Iterable
from functools import singledispatch

from django.db import transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.actor import PORTAL
from drportal.mirror.services import mark
from drportal.state import StaleState, move, move_all
from protection.models import ProtectionGroup, TargetAccount
from protection.services import holds
from recovery.engine import quota, steps
from recovery.models import AccountClaim, Execution, LaunchJob, ServerClaim, Wave, WaveServer
from recovery.services.events import note
from recovery.services.plan_rules import named
from recovery.states import (
    EXECUTION,
    JOB,
    SERVER,
    WAVE,
    ExecutionState,
    JobState,
    ServerState,
    WaveState,
)

# An end that somebody wanted. Whoever looks for failures in the record must find the others.
_NO_FAILURE = frozenset(
    {ExecutionState.COMPLETED, ExecutionState.CANCELLED, WaveState.COMPLETED, WaveState.CANCELLED}
)


@singledispatch
def _step(step: object, _execution: Execution) -> None:
    raise TypeError(f"the engine has no way to do {step!r}")


def carry_out(execution: Execution, step: steps.Step) -> None:
    """Do one step that asks nothing of AWS, in one transaction. Raises StaleState."""
    with transaction.atomic():
        _step(step, execution)
        mark("ExecutionHistory", execution.pk)


@_step.register
def _(_step: steps.Begin, execution: Execution) -> None:
    move(
        execution,
        ExecutionState.RUNNING,
        lifecycle=EXECUTION,
        started_at=timezone.now(),
        message="",
    )
    note(execution, "execution.running", f"{execution.get_kind_display()} begins.")


@_step.register
def _(_step: steps.StartCancelling, execution: Execution) -> None:
    move(execution, ExecutionState.CANCELLING, lifecycle=EXECUTION)
    note(execution, "execution.cancelling", "Nothing more is launched; DRS jobs are watched.")


@_step.register
def _(_step: steps.Pause, execution: Execution) -> None:
    move(execution, ExecutionState.PAUSED, lifecycle=EXECUTION)
    note(execution, "execution.paused", "Waiting for a person to open a gate.")


@_step.register
def _(_step: steps.GoOn, execution: Execution) -> None:
    move(execution, ExecutionState.RUNNING, lifecycle=EXECUTION)
    note(execution, "execution.running", f"{execution.get_kind_display()} goes on.")


@_step.register
def _(step: steps.Finish, execution: Execution) -> None:
    now = timezone.now()
    move(execution, step.state, lifecycle=EXECUTION, finished_at=now, due_at=None, message="")
    release_claims(execution)
    holds.release(holder_id=execution.pk)
    label = ExecutionState(execution.state).label
    note(execution, "execution.ended", f"{execution.get_kind_display()} ended: {label.lower()}.")
    write = record if step.state in _NO_FAILURE else record_failure
    write(
        "recovery.execution.ended",
        actor=PORTAL,
        subject=execution,
        state=str(step.state),
        servers=_counts(execution.servers.values_list("state", flat=True)),
    )


@_step.register
def _(step: steps.ReachGate, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    move(wave, WaveState.WAITING, lifecycle=WAVE, gate_reached_at=timezone.now())
    told = f": {wave.gate_instructions}" if wave.gate_instructions else "."
    note(execution, "wave.waiting", f"{_title(wave)} waits at its gate{told}", wave=wave)


@_step.register
def _(step: steps.StartTimer, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    until = timezone.now() + wave.wait
    waiting = execution.waves.filter(
        pk=wave.pk, state__in=[WaveState.PENDING, WaveState.WAITING], wait_until=None
    )
    if not waiting.update(wait_until=until):
        raise StaleState(f"{wave} waits already, or no longer.")
    minutes = wave.wait.total_seconds() / 60
    told = f"could start, and waits for {minutes:g} minutes, until {until:%H:%M:%S} UTC."
    note(execution, "wave.timer_started", f"{_title(wave)} {told}", wave=wave)


@_step.register
def _(step: steps.LaunchWave, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    now = timezone.now()
    deadline = now + wave.time_limit
    move(wave, WaveState.LAUNCHING, lifecycle=WAVE, started_at=now, deadline_at=deadline)
    _queue_jobs(wave)
    _release_groups(execution)
    servers = wave.servers.count()
    note(execution, "wave.started", f"{_title(wave)} starts, with {servers} servers.", wave=wave)


@_step.register
def _(step: steps.BlockWave, execution: Execution) -> None:
    needs = ", ".join(str(_wave(execution, position)) for position in step.needs)
    message = f"It needs {needs}, which did not end well."
    _end_unstarted(execution, step.position, WaveState.BLOCKED, ServerState.BLOCKED, message)


@_step.register
def _(step: steps.CancelWave, execution: Execution) -> None:
    message = f"Cancelled by {execution.cancel_requested_by}."
    _end_unstarted(execution, step.position, WaveState.CANCELLED, ServerState.CANCELLED, message)


@_step.register
def _(step: steps.EndWave, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    now = timezone.now()
    open_servers = wave.servers.filter(state__in=[ServerState.PENDING, ServerState.LAUNCHING])
    for server in open_servers:
        message = _unfinished(server)
        note(execution, "server.unknown", f"{server}: {message}", wave=wave, server=server)
        move(server, ServerState.UNKNOWN, lifecycle=SERVER, message=message, finished_at=now)
    counts = _counts(wave.servers.values_list("state", flat=True))
    told = ", ".join(f"{count} {state.lower()}" for state, count in sorted(counts.items()))
    if step.state == WaveState.COMPLETED:
        told += _without(wave)
    move(wave, step.state, lifecycle=WAVE, finished_at=now, message=f"{told}."[:1000])
    label = WaveState(step.state).label.lower()
    note(execution, "wave.ended", f"{_title(wave)} ended: {label} ({told}).", wave=wave)
    write = record if step.state in _NO_FAILURE else record_failure
    write(
        "recovery.wave.ended",
        actor=PORTAL,
        subject=execution,
        wave=str(wave),
        state=str(step.state),
        servers=counts,
    )


def release_claims(execution: Execution) -> None:
    """Let go of the servers of an ended execution and of their accounts, but not of those that
    DRS still works on.
    """
    live = LaunchJob.objects.filter(execution=execution, state__in=sorted(JOB.active))
    busy = {
        (account, region, server)
        for account, region, servers in live.values_list("aws_account_id", "region", "server_ids")
        for server in servers
    }
    claims = ServerClaim.objects.filter(execution=execution, released_at=None)
    free = [
        claim.pk
        for claim in claims
        if (claim.account_id, claim.region, claim.server_id) not in busy
    ]
    ServerClaim.objects.filter(pk__in=free).update(released_at=timezone.now())
    held = claims.values("account_id")
    AccountClaim.objects.filter(execution=execution).exclude(account__account_id__in=held).delete()


def _release_groups(execution: Execution) -> None:
    """Let go of every group that no wave has yet to start with. By name: a held group keeps it."""
    ahead = Wave.objects.filter(
        execution=execution, state__in=[WaveState.PENDING, WaveState.WAITING]
    )
    needed = {name for names in ahead.values_list("group_names", flat=True) for name in names}
    holds.release(holder_id=execution.pk, groups=ProtectionGroup.objects.exclude(name__in=needed))


def _queue_jobs(wave: Wave) -> None:
    by_place: dict[tuple[str, str], list[WaveServer]] = {}
    for server in wave.servers.order_by("account_id", "region", "name", "id"):
        by_place.setdefault((server.account_id, server.region), []).append(server)
    accounts = TargetAccount.objects.in_bulk(
        {account for account, _ in by_place}, field_name="account_id"
    )
    for (account, region), servers in by_place.items():
        if account not in accounts:
            _fail_without_account(wave, servers, account)
            continue
        by_id = {server.server_id: server for server in servers}
        for part in quota.split(list(by_id)):
            job = LaunchJob.objects.create(
                execution_id=wave.execution_id,
                wave=wave,
                account=accounts[account],
                aws_account_id=account,
                account_name=accounts[account].name,
                region=region,
                kind=wave.execution.kind,
                server_ids=part,
            )
            WaveServer.objects.filter(pk__in=[by_id[server].pk for server in part]).update(
                launch_job=job
            )


def _fail_without_account(wave: Wave, servers: list[WaveServer], account: str) -> None:
    message = f"Account {account} is no longer registered."
    for server in servers:
        ended = {"message": message, "finished_at": timezone.now()}
        move(server, ServerState.FAILED, lifecycle=SERVER, **ended)
        note(wave.execution, "server.failed", f"{server}: {message}", wave=wave, server=server)


def _end_unstarted(
    execution: Execution, position: int, to: WaveState, servers_to: ServerState, message: str
) -> None:
    wave = _wave(execution, position)
    now = timezone.now()
    move(wave, to, lifecycle=WAVE, finished_at=now, message=message)
    ended = {"message": message, "finished_at": now}
    pending = ServerState.PENDING
    move_all(wave.servers.all(), servers_to, lifecycle=SERVER, source=pending, **ended)
    _release_groups(execution)
    note(execution, f"wave.{to.lower()}", f"{_title(wave)}: {message}", wave=wave)


def _without(wave: Wave) -> str:
    """The optional servers that a wave ended well without, which no count may hide."""
    missing = wave.servers.exclude(state=ServerState.LAUNCHED).order_by("name", "id")
    names = list(missing.values_list("name", flat=True))
    return f"; ended well without the optional {named(names)}" if names else ""


def _unfinished(server: WaveServer) -> str:
    job = server.launch_job
    if job is not None and job.state == JobState.STARTED:
        return (
            f"It was not launched within the wave's time limit; {job.drs_job_id} still runs. "
            f"Last seen: {server.get_phase_display().lower()}."
        )
    return "What became of it is not known."


def _wave(execution: Execution, position: int) -> Wave:
    return next(wave for wave in execution.waves.all() if wave.position == position)


def _title(wave: Wave) -> str:
    return f"Wave {wave.position} ({wave.name})"


def _counts(states: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    return counts
