"""Reminding people of gates that stay closed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from recovery.engine import gates
from recovery.models import Execution, Notice, Wave
from recovery.services.notices import APPROVAL, ESCALATED, WAITING
from recovery.states import EXECUTION, ExecutionState, WaveState


def remind() -> None:
    """Write the reminders that are due, of gates that wait and of executions that nobody has
    approved.
    """
    _of_gates()
    _of_approvals()


def _of_gates() -> None:
    """Write the reminder that is due for each gate that waits, and the escalation. Of reminders
    that were missed while no worker ran, only the latest is written. Two queries, and a write.
    """
    now = timezone.now()
    waiting = Wave.objects.filter(
        state=WaveState.WAITING,
        gate_reached_at__lt=now,
        gate_opened_at=None,
        execution__state__in=sorted(EXECUTION.active),
        execution__cancel_requested_at=None,
    ).select_related("execution")
    due = [notice for wave in waiting for notice in _of_gate(wave, now)]
    Notice.objects.bulk_create(due, ignore_conflicts=True)


def _of_gate(wave: Wave, now: datetime) -> Iterator[Notice]:
    rule = gates.of_dict(wave.gate_rule)
    reached = wave.gate_reached_at or now
    minutes = (rule and rule.remind_minutes) or settings.NOTICE_REMINDER_MINUTES
    number = (now - reached) // timedelta(minutes=minutes)
    if number:
        yield _notice(wave, WAITING, f"{number}", now, number=number)
    late = timedelta(minutes=rule.escalate_minutes) if rule else timedelta(0)
    if late and now - reached >= late:
        yield _notice(wave, ESCALATED, "escalated", now)


def _notice(wave: Wave, kind: str, which: str, now: datetime, *, number: int = 0) -> Notice:
    reached, execution = wave.gate_reached_at or now, wave.execution
    told = f": {wave.gate_instructions}" if wave.gate_instructions else "."
    return Notice(
        key=f"gate:{wave.pk}:{reached.timestamp():.0f}:{which}",
        kind=kind,
        at=now,
        plan_id=execution.plan_id,
        plan_name=execution.plan_name,
        about=execution.kind,
        execution=execution,
        wave=wave,
        number=number,
        message=f"Wave {wave.position} ({wave.name}) still waits at its gate{told}"[:2000],
        outcome=wave.state,
    )


def _of_approvals() -> None:
    """The same for executions that wait for an approval. One query, and a write."""
    now = timezone.now()
    every = timedelta(minutes=settings.NOTICE_REMINDER_MINUTES)
    waiting = Execution.objects.filter(
        state=ExecutionState.AWAITING,
        approved_at=None,
        cancel_requested_at=None,
        approval_until__gt=now,
        created_at__lte=now - every,
    )
    Notice.objects.bulk_create(
        (_of_approval(execution, (now - execution.created_at) // every) for execution in waiting),
        ignore_conflicts=True,
    )


def _of_approval(execution: Execution, number: int) -> Notice:
    until = f"{execution.approval_until:%Y-%m-%d %H:%M} UTC"
    return Notice(
        key=f"approval:{execution.pk}:{number}",
        kind=APPROVAL,
        plan_id=execution.plan_id,
        plan_name=execution.plan_name,
        about=execution.kind,
        execution=execution,
        number=number,
        message=f"Nobody has approved it yet. It is cancelled if nobody does until {until}",
        outcome=execution.state,
    )
