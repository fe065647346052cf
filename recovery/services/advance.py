"""Carrying executions out: take a lease, ask what is next, do it, write it, ask again.

Whatever changes something calls `advance`, and beat calls it for every execution that is due.
Calling it too often does no harm; dying in it does none either.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Prefetch
from django.utils import timezone

from drportal.observability import checkpoint, correlated
from drportal.transactions import reaches_outside
from recovery.engine import gates
from recovery.engine.steps import (
    AskBefore,
    ExecutionView,
    JobView,
    SendJob,
    SettleJob,
    Step,
    WaveView,
    WithdrawJob,
    next_steps,
)
from recovery.models import Execution, LaunchJob, Wave, WaveServer
from recovery.services import launches, leases, wave_preflights, waves
from recovery.services.carrying import at_once, carry, say, tolerating_races
from recovery.states import EXECUTION, ExecutionState, JobState, ServerState, WaveState

# More rounds than any execution needs at one go; what is left is done at the next call.
_MOST_ROUNDS = 50


@reaches_outside
def advance(execution_id: UUID) -> None:
    """Take an execution as far as it goes without waiting, unless somebody else is at it."""
    carry(Execution, execution_id, _go, lifecycle=EXECUTION, point="advance")


def _go(execution_id: UUID, lease: leases.Lease) -> datetime | None:
    for _ in range(_MOST_ROUNDS):
        execution = _read(execution_id)
        if execution.state in EXECUTION.terminal:
            return None
        with correlated(execution.correlation_id):
            now = timezone.now()
            steps = next_steps(_view(execution, now))
            if not steps:
                if execution.message:
                    say(Execution, execution_id, "")
                return _due(execution, now)
            _do(execution, steps, lease)
    return timezone.now()


def _read(execution_id: UUID) -> Execution:
    """The execution with all that decides what is next. Five queries, whatever its size."""
    looked_at = Wave.objects.select_related("preflight").defer("preflight__checks")
    return Execution.objects.prefetch_related(
        Prefetch("waves", looked_at), "waves__jobs__account", "waves__servers", "waves__decisions"
    ).get(pk=execution_id)


def _view(execution: Execution, now: datetime) -> ExecutionView:
    return ExecutionView(
        state=execution.state,
        cancel_requested=execution.cancel_requested_at is not None,
        pause_requested=execution.pause_requested_at is not None,
        approved=execution.approved_at is not None,
        approval_overdue=execution.approval_until is not None and execution.approval_until <= now,
        waves=tuple(
            WaveView(
                position=wave.position,
                state=wave.state,
                depends_on=frozenset(wave.depends_on),
                gate=wave.gate,
                gate_open=wave.gate_opened_at is not None,
                **_gate_view(wave, now),
                waits=bool(wave.wait),
                timer_started=wave.wait_until is not None,
                timer_over=wave.wait_until is not None and wave.wait_until <= now,
                overdue=wave.deadline_at is not None and wave.deadline_at <= now,
                threshold=wave.success_threshold,
                checking=any(row.being_checked for row in wave.servers.all()),
                servers=tuple(_standing(row) for row in wave.servers.all() if row.critical),
                optional=tuple(_standing(row) for row in wave.servers.all() if not row.critical),
                jobs=tuple(_job_view(job, now) for job in wave.jobs.all()),
                look=wave_preflights.look_of(execution, wave, now),
            )
            for wave in sorted(execution.waves.all(), key=lambda wave: wave.position)
        ),
    )


def _standing(server: WaveServer) -> str:
    """What it would count as, were its wave to end now: nobody knows yet what checks will find."""
    return ServerState.UNKNOWN if server.being_checked else server.state


def _gate_view(wave: Wave, now: datetime) -> dict[str, bool]:
    """Whether its gate stays shut, which no approval that was not enough can change."""
    rule = gates.of_dict(wave.gate_rule)
    if rule is None or wave.state != WaveState.WAITING or wave.gate_reached_at is None:
        return {}
    denied = any(not row.approved for row in wave.decisions.all())
    reached = wave.gate_reached_at
    found = gates.standing(
        rule, approved=(), denied=denied, counting=(), reached_at=reached, now=now
    )
    return {"gate_shut": found in gates.SHUT, "gate_cancels": gates.cancels(rule)}


def _gate_due(wave: Wave) -> datetime | None:
    """When a gate that waits expires, if that has a consequence."""
    rule = gates.of_dict(wave.gate_rule)
    waits = wave.state == WaveState.WAITING and wave.gate_opened_at is None
    if rule is None or not waits or wave.gate_reached_at is None:
        return None
    return rule.expires_at(wave.gate_reached_at)


def _job_view(job: LaunchJob, now: datetime) -> JobView:
    return JobView(
        id=job.pk,
        state=job.state,
        asked=job.asked_at is not None,
        due=job.due_at is not None and job.due_at <= now,
    )


def _due(execution: Execution, now: datetime) -> datetime | None:
    """When there may be something to do again, if nobody calls before."""
    if execution.state == ExecutionState.AWAITING:
        return execution.approval_until
    times = []
    for wave in execution.waves.all():
        if wave.state in {WaveState.PENDING, WaveState.WAITING}:
            # What is over and still does not start is held by a pause, for as long as that lasts.
            again = wave_preflights.due(execution, wave)
            waited_for = (wave.wait_until, _gate_due(wave), again)
            times += [time for time in waited_for if time and time > now]
        elif wave.state == WaveState.LAUNCHING:
            times += [wave.deadline_at] if wave.deadline_at and wave.deadline_at > now else []
            times += [
                job.due_at
                for job in wave.jobs.all()
                if job.due_at and job.state in {JobState.QUEUED, JobState.INTENDED}
            ]
    return min(times, default=None)


def _do(execution: Execution, steps: Sequence[Step], lease: leases.Lease) -> None:
    calls = [step for step in steps if isinstance(step, SendJob | SettleJob | AskBefore)]
    for step in steps:
        if step not in calls:
            lease.must_be_held()
            tolerating_races(lambda step=step: _write(execution, step))  # type: ignore[misc]  # bound at once
    jobs = {job.pk: job for wave in execution.waves.all() for job in wave.jobs.all()}
    at_once([_call(execution, jobs, step, lease) for step in calls])


def _write(execution: Execution, step: Step) -> None:
    if isinstance(step, WithdrawJob):
        with transaction.atomic():
            waves.must_still_be_meant(execution)
            launches.withdraw(LaunchJob.objects.get(pk=step.job_id), overdue=step.overdue)
    else:
        waves.carry_out(execution, step)
    checkpoint(f"step.{type(step).__name__}", execution_id=str(execution.pk))


def _call(
    execution: Execution,
    jobs: Mapping[UUID, LaunchJob],
    step: SendJob | SettleJob | AskBefore,
    lease: leases.Lease,
) -> Callable[[], None]:
    def ask() -> None:
        lease.must_be_held()
        if isinstance(step, AskBefore):
            wave_preflights.ask(execution, step.position, lease)
        elif isinstance(step, SendJob):
            launches.send(jobs[step.job_id])
        else:
            launches.settle(jobs[step.job_id], may_ask=step.may_ask)

    return partial(tolerating_races, ask)


def due(now: datetime) -> list[UUID]:
    """The executions to be looked at now, longest due first."""
    found: list[UUID] = leases.due(Execution.objects.active(), now)
    return found
