"""Cleaning up after an execution, on its page: the button, the question, and what became of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString

from drportal.access import allowed
from drportal.adminkit import confirm
from drportal.adminkit.widgets import Share, Tone, badge, progress, span
from recovery.admin import tones
from recovery.models import Execution, Termination, TerminationInstance, TerminationJob
from recovery.services import terminations
from recovery.states import (
    EXECUTION,
    INSTANCE,
    TERMINATION,
    InstanceOutcome,
    Kind,
    TerminationState,
)

if TYPE_CHECKING:
    from recovery.admin.executions import ExecutionAdmin

_LATE = timedelta(seconds=15)  # beat looks every second for what is due
_AWAY = {InstanceOutcome.TERMINATED, InstanceOutcome.GONE}
_TONES = {
    TerminationState.RUNNING: Tone.BUSY,
    TerminationState.COMPLETED: Tone.GOOD,
    TerminationState.INCOMPLETE: Tone.UNSURE,
}
OUTCOME_TONES = {
    InstanceOutcome.TERMINATED: Tone.GOOD,
    InstanceOutcome.GONE: Tone.PLAIN,
    InstanceOutcome.LEFT: Tone.WAIT,
    InstanceOutcome.FAILED: Tone.BAD,
    InstanceOutcome.UNKNOWN: Tone.UNSURE,
    InstanceOutcome.TERMINATING: Tone.BUSY,
    InstanceOutcome.WAITING: Tone.PLAIN,
}


@dataclass(frozen=True, slots=True)
class JobLine:
    """A TerminateRecoveryInstances, in the table of its clean-up."""

    job: TerminationJob
    badge: SafeString
    instances: int


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """An instance, in the table of its clean-up."""

    row: TerminationInstance
    badge: SafeString


@dataclass(frozen=True, slots=True)
class Card:
    """A clean-up with its jobs and instances."""

    termination: Termination
    active: bool
    badge: SafeString
    bar: SafeString
    late: str
    jobs: Sequence[JobLine]
    instances: Sequence[InstanceLine]


@dataclass(frozen=True, slots=True)
class Panel:
    """What the page says about cleaning up. `offered` says that it would work if it were asked."""

    active: bool
    offered: bool
    left: int
    why_not: str
    cards: Sequence[Card]


def may_terminate(request: HttpRequest, execution: Execution) -> bool:
    """May the person clean up after this execution? Drills and recoveries are two permissions."""
    return allowed(request.user, terminations.permission_for(execution), execution.plan)


def panel(request: HttpRequest, execution: Execution) -> Panel:
    """The part of an execution's page about what it launched. A fixed number of queries."""
    if execution.state in EXECUTION.active:
        return Panel(active=False, offered=False, left=0, why_not="", cards=[])
    standing = terminations.standing(execution)
    cards = [_card(found) for found in terminations.told(execution)]
    active = any(card.active for card in cards)
    refusal = standing.refusal
    return Panel(
        active=active,
        offered=refusal is None and may_terminate(request, execution),
        left=len(standing.left),
        why_not=refusal.detail if refusal and standing.left and not active else "",
        cards=cards,
    )


def ask(page: "ExecutionAdmin", request: HttpRequest, execution: Execution) -> HttpResponse:
    """Ask, then request that what the execution launched be terminated."""

    def act(said: dict[str, Any]) -> HttpResponse:
        terminations.request(
            execution,
            reason=said["reason"],
            confirmation=said.get("typed", ""),
            actor=page.actor(request),
        )
        page.message_user(request, "The clean-up was requested.", messages.WARNING)
        return HttpResponseRedirect(page.link("change", execution))

    standing = terminations.standing(execution)
    count = len(standing.left)
    what = f"{count} instance{'' if count == 1 else 's'}"
    real = execution.kind == Kind.RECOVERY
    warning = "This was a real recovery: people may be working on them. " if real else ""
    question = confirm.Question(
        title=f"Terminate what the {execution} launched",
        text=f"{warning}{what} will be terminated for good, with their disks. Only what this "
        "execution launched and still is that: what DRS says otherwise of is left alone.",
        verb=f"Terminate {what}",
        typed=execution.plan_name if real else "",
        typed_label="Type the plan's name to confirm",
        reason="Reason",
        template="recovery/terminate.html",
        context={
            "kind": tones.kind_badge(execution.kind),
            "places": sorted(
                Counter((row.server.account_id, row.server.region) for row in standing.left).items()
            ),
            "left": [row.server for row in standing.left],
            "refusal": standing.refusal.detail if standing.refusal else "",
        },
    )
    return confirm.confirm(page, request, execution, question, act)


def _card(termination: Termination) -> Card:
    rows = list(termination.instances.all())
    state = TerminationState(termination.state)
    sizes = Counter(row.job_id for row in rows)
    counts = Counter(row.state for row in rows)
    return Card(
        termination=termination,
        active=state in TERMINATION.active,
        badge=badge(state.label, _TONES[state]),
        bar=progress(
            [
                Share(counts[outcome], outcome.label.lower(), tone)
                for outcome, tone in OUTCOME_TONES.items()
            ]
        ),
        late=_late(termination),
        jobs=[
            JobLine(job, tones.job_badge(job.state), sizes[job.pk])
            for job in termination.jobs.all()
        ],
        instances=[_line(row) for row in sorted(rows, key=_unwell_first)],
    )


def _line(row: TerminationInstance) -> InstanceLine:
    outcome = InstanceOutcome(row.state)
    return InstanceLine(row, badge(outcome.label, OUTCOME_TONES[outcome]))


def _unwell_first(row: TerminationInstance) -> int:
    """What a person may have to look at stands on top."""
    if row.state in INSTANCE.active:
        return 1
    return 2 if row.state in _AWAY else 0


def _late(termination: Termination) -> str:
    """That no worker looks at a clean-up though it is due, or an empty text."""
    now = timezone.now()
    leased = termination.leased_until is not None and termination.leased_until > now
    if termination.state in TERMINATION.terminal or termination.due_at is None or leased:
        return ""
    overdue = now - termination.due_at
    return span(overdue.total_seconds()) if overdue > _LATE else ""
