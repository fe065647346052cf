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
from recovery.engine.wording import counted
from recovery.models import AccountClaim, Execution, LaunchJob, ServerClaim, Wave, WaveServer
from recovery.services import server_checks
from recovery.services.events import note
from recovery.services.plan_rules import named
from recovery.states import (
    EXECUTION,
    JOB,
    LAUNCHED_WELL,
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
        if isinstance(step, steps.EndWave):
            # Whoever writes what DRS told locks servers first and the execution last.
            servers = _wave(execution, step.position).servers.select_for_update().order_by("pk")
            list(servers.values_list("pk"))
        must_still_be_meant(execution)
        _step(step, execution)
        mark("ExecutionHistory", execution.pk)


def must_still_be_meant(execution: Execution) -> None:
    """Let nobody ask anything of `execution` till the end of this transaction. Raises StaleState
    if somebody has since it was read: what was decided then may not be what they want now.
    """
    rows = Execution.objects.filter(pk=execution.pk, requests_made=execution.requests_made)
    if not rows.select_for_update(no_key=True).values_list("pk").first():
        raise StaleState(f"Something was asked of the {execution} meanwhile.")


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
def _(_step: steps.GiveUpWaiting, execution: Execution) -> None:
    reason = f"Nobody approved it by {execution.approval_until:%Y-%m-%d %H:%M} UTC."
    waiting = Execution.objects.filter(pk=execution.pk, approved_at=None, cancel_requested_at=None)
    if not waiting.update(
        cancel_requested_at=timezone.now(), cancel_requested_by=PORTAL.name, cancel_reason=reason
    ):
        raise StaleState(f"Somebody has decided about the {execution} meanwhile.")
    note(execution, "execution.approval_expired", f"{reason} It is cancelled.")
    record_failure(
        "recovery.approval.expired", actor=PORTAL, subject=execution, until=execution.approval_until
    )


@_step.register
def _(_step: steps.StartCancelling, execution: Execution) -> None:
    move(execution, ExecutionState.CANCELLING, lifecycle=EXECUTION)
    note(execution, "execution.cancelling", "Nothing more is launched; DRS jobs are watched.")


@_step.register
def _(step: steps.Pause, execution: Execution) -> None:
    move(execution, ExecutionState.PAUSED, lifecycle=EXECUTION)
    told = "Waiting for a person to open a gate."
    if step.requested:
        told = f"Paused, as {execution.pause_requested_by} asked. Nothing more starts."
    note(execution, "execution.paused", told)


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
    left_out = execution.servers.filter(state=ServerState.LEFT_OUT).count()
    without = f", without {left_out} that were left out" if left_out else ""
    said = f"{execution.get_kind_display()} ended: {label.lower()}{without}."
    note(execution, "execution.ended", said)
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
    note(execution, "wave.waiting", f"{title(wave)} waits at its gate{told}", wave=wave)


@_step.register
def _(step: steps.ShutGate, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    denial = next((row for row in wave.decisions.all() if not row.approved), None)
    why = f"Denied by {denial.person}: {denial.comment}" if denial else _too_late(wave)
    if denial is None:
        told = f"Gate before {wave} has expired. {why}"
        note(execution, "wave.gate_expired", told, wave=wave)
    if step.cancels:
        reason = f"Gate before {wave}: {why}"[:1000]
        Execution.objects.filter(pk=execution.pk).update(
            cancel_requested_at=timezone.now(),
            cancel_requested_by=denial.person if denial else PORTAL.name,
            cancel_reason=reason,
        )
        note(execution, "execution.cancel_requested", f"Cancelled at a gate. {reason}")
    else:
        message = f"Its gate stays shut. {why}"[:1000]
        _end_unstarted(execution, step.position, WaveState.BLOCKED, ServerState.BLOCKED, message)
    record_failure(
        "recovery.gate.shut", actor=PORTAL, subject=execution, wave=str(wave), reason=why
    )


def _too_late(wave: Wave) -> str:
    needed, minutes = wave.gate_rule["needed"], wave.gate_rule["expires_minutes"]
    given = sum(row.approved for row in wave.decisions.all())
    return f"Within {minutes} minutes it got {given} of {needed} approvals."


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
    note(execution, "wave.timer_started", f"{title(wave)} {told}", wave=wave)


@_step.register
def _(step: steps.LaunchWave, execution: Execution) -> None:
    wave = _wave(execution, step.position)
    now = timezone.now()
    deadline = now + wave.time_limit
    move(wave, WaveState.LAUNCHING, lifecycle=WAVE, started_at=now, deadline_at=deadline)
    servers = queue_jobs(wave)
    release_groups(execution)
    said = f"{title(wave)} starts, with {counted(servers, 'server')}."
    note(execution, "wave.started", said, wave=wave)


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
    server_checks.close(execution, wave)
    open_servers = wave.servers.filter(state__in=[ServerState.PENDING, ServerState.LAUNCHING])
    for server in open_servers:
        message = _unfinished(server)
        note(execution, "server.unknown", f"{server}: {message}", wave=wave, server=server)
        move(server, ServerState.UNKNOWN, lifecycle=SERVER, message=message, finished_at=now)
    counts = _counts(wave.servers.values_list("state", flat=True))
    told = _told(counts)
    if step.state == WaveState.COMPLETED:
        told += _without(wave)
    move(wave, step.state, lifecycle=WAVE, finished_at=now, message=f"{told}."[:1000])
    label = WaveState(step.state).label.lower()
    note(execution, "wave.ended", f"{title(wave)} ended: {label} ({told}).", wave=wave)
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


def release_groups(execution: Execution) -> None:
    """Let go of every group that no wave has yet to start with. By name: a held group keeps it."""
    ahead = Wave.objects.filter(
        execution=execution, state__in=[WaveState.PENDING, WaveState.WAITING]
    )
    needed = {name for names in ahead.values_list("group_names", flat=True) for name in names}
    holds.release(holder_id=execution.pk, groups=ProtectionGroup.objects.exclude(name__in=needed))


def queue_jobs(wave: Wave) -> int:
    """Write the launch jobs for the servers of `wave` that are to be launched, and return how many
    servers those are.
    """
    by_place: dict[tuple[str, str], list[WaveServer]] = {}
    waiting = wave.servers.filter(state=ServerState.PENDING)
    for server in waiting.order_by("account_id", "region", "name", "id"):
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
                point_ids=_points(by_id[server] for server in part),
            )
            WaveServer.objects.filter(pk__in=[by_id[server].pk for server in part]).update(
                launch_job=job
            )
    return sum(map(len, by_place.values()))


def _points(servers: Iterable[WaveServer]) -> dict[str, str]:
    """The recovery points that were chosen, which every attempt keeps."""
    return {row.server_id: row.chosen_point_id for row in servers if row.chosen_point_id}


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
    release_groups(execution)
    note(execution, f"wave.{to.lower()}", f"{title(wave)}: {message}", wave=wave)


def _without(wave: Wave) -> str:
    """The optional servers that a wave ended well without, which no count may hide."""
    there = [*LAUNCHED_WELL, ServerState.LEFT_OUT]
    missing = wave.servers.exclude(state__in=there).order_by("name", "id")
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


def title(wave: Wave) -> str:
    """What a sentence of the timeline begins with."""
    return f"Wave {wave.position} ({wave.name})"


def _told(counts: dict[str, int]) -> str:
    words = {state: state.lower().replace("_", " ") for state in counts}
    return ", ".join(f"{count} {words[state]}" for state, count in sorted(counts.items()))


def _counts(states: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    return counts
