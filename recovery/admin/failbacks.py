"""Failing back, on an execution's page: the buttons, the questions, and how it stands."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString

from drportal.access import allowed
from drportal.adminkit import confirm
from drportal.adminkit.widgets import Share, Tone, badge, progress, span
from recovery.admin import tones
from recovery.admin.steering import SteeringPages
from recovery.failback_states import (
    FAILBACK,
    NOT_LAUNCHED,
    RETURN,
    FailbackState,
    Gate,
    Origin,
    ReturnState,
)
from recovery.models import Execution, Failback, FailbackInstance, FailbackJob
from recovery.permissions import PlanPermission
from recovery.services import failbacks
from recovery.states import EXECUTION, Kind

_LATE = timedelta(minutes=1)
STATE_TONES = {
    FailbackState.REVERSING: Tone.BUSY,
    FailbackState.WATCHING: Tone.BUSY,
    FailbackState.LAUNCHING: Tone.BUSY,
    FailbackState.CONFIRMING: Tone.WAIT,
    FailbackState.FINISHING: Tone.BUSY,
    FailbackState.CANCELLING: Tone.WAIT,
    FailbackState.COMPLETED: Tone.GOOD,
    FailbackState.PARTIAL: Tone.UNSURE,
    FailbackState.FAILED: Tone.BAD,
    FailbackState.CANCELLED: Tone.PLAIN,
}
RETURN_TONES = {
    ReturnState.FINISHED: Tone.GOOD,
    ReturnState.LAUNCHED: Tone.BUSY,
    ReturnState.LAUNCHING: Tone.BUSY,
    ReturnState.READY: Tone.BUSY,
    ReturnState.REPLICATING: Tone.WAIT,
    ReturnState.REVERSING: Tone.WAIT,
    ReturnState.WAITING: Tone.PLAIN,
    ReturnState.KEPT: Tone.UNSURE,
    ReturnState.UNKNOWN: Tone.UNSURE,
    ReturnState.FAILED: Tone.BAD,
    ReturnState.LEFT_OUT: Tone.PLAIN,
    ReturnState.CANCELLED: Tone.PLAIN,
}
_QUESTIONS: Final = {
    Gate.LAUNCH: (
        "Launch back",
        (
            "These servers are launched where they came from. Their recovery instances go on "
            "running, and what is written there from now on does not come along: stop their work "
            "first."
        ),
    ),
    Gate.FINISH: (
        "Finish",
        (
            "Confirm that what was launched back works. Then its recovery instances are "
            "disconnected and terminated for good, with their disks."
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class JobLine:
    """A launch back, in the table of its failback."""

    job: FailbackJob
    badge: SafeString
    origin: str
    instances: int


@dataclass(frozen=True, slots=True)
class InstanceLine:
    """An instance, in the table of its failback. `lag` is empty where nobody has told it."""

    row: FailbackInstance
    badge: SafeString
    origin: str
    lag: str
    can_be_left_out: bool


@dataclass(frozen=True, slots=True)
class Card:
    """A failback with its jobs and instances. `gate` is what a person may open now."""

    failback: Failback
    active: bool
    badge: SafeString
    bar: SafeString
    late: str
    gate: str
    gate_label: str
    not_ready: int
    cancellable: bool
    jobs: Sequence[JobLine]
    instances: Sequence[InstanceLine]


@dataclass(frozen=True, slots=True)
class Panel:
    """What the page says about failing back. `offered` says that it would work if it were asked."""

    active: bool
    offered: bool
    may: bool
    left: int
    why_not: str
    cards: Sequence[Card]


def may_fail_back(request: HttpRequest, execution: Execution) -> bool:
    """May the person fail back after this execution? Through its plan, or model-wide."""
    return allowed(request.user, PlanPermission.FAIL_BACK, execution.plan)


def panel(request: HttpRequest, execution: Execution) -> Panel:
    """The part of an execution's page about the way back. A fixed number of queries."""
    if execution.kind != Kind.RECOVERY or execution.state in EXECUTION.active:
        return Panel(active=False, offered=False, may=False, left=0, why_not="", cards=[])
    standing = failbacks.standing(execution)
    cards = [_card(found) for found in failbacks.told(execution)]
    active = any(card.active for card in cards)
    may = may_fail_back(request, execution)
    refusal = standing.refusal
    return Panel(
        active=active,
        offered=refusal is None and may,
        may=may,
        left=len(standing.left),
        why_not=refusal.detail if refusal and standing.left and not active else "",
        cards=cards,
    )


def ask(page: SteeringPages, request: HttpRequest, execution: Execution) -> HttpResponse:
    """Ask, then request that what the recovery launched goes back."""
    standing = failbacks.standing(execution)
    servers = [each.server for each in standing.left]
    question = confirm.Question(
        title=f"Fail back after the {execution}",
        text=f"{_many(len(servers))} will replicate back to where they came from. Nothing is "
        "launched there, and no recovery instance ends, before a person opens a gate. Until it has "
        "ended the servers are held: no execution can start with them.",
        verb="Fail back",
        typed=execution.plan_name,
        typed_label="Type the plan's name to confirm",
        reason="Reason (needed)",
        template="recovery/failback_ask.html",
        context={
            "servers": servers,
            "refusal": standing.refusal.detail if standing.refusal else "",
        },
    )

    def act(said: dict[str, Any]) -> str:
        failbacks.request(
            execution,
            reason=said["reason"],
            confirmation=said["typed"],
            actor=page.actor(request),
        )
        return "The failback was requested."

    return page.asked(request, execution, question, act)


def ask_gate(
    page: SteeringPages, request: HttpRequest, execution: Execution, gate: str
) -> HttpResponse:
    """Ask, then open a gate of the failback."""
    if gate not in Gate.values:
        raise Http404("There is no such gate.")
    wanted = Gate(gate)
    failback = _live(execution)
    verb, text = _QUESTIONS[wanted]
    states = {ReturnState.LAUNCHED} if wanted == Gate.FINISH else NOT_LAUNCHED
    rows = [row for row in _instances(failback) if row.state in states]
    question = confirm.Question(
        title=f"{verb}: the failback after the {execution}",
        text=text,
        verb=f"{verb}: {_many(len(rows))}",
        reason="Comment",
        template="recovery/failback_ask.html",
        context={
            "servers": [row.server for row in rows],
            "refusal": _why_shut(failback, wanted),
        },
    )

    def act(said: dict[str, Any]) -> str:
        failbacks.open_gate(
            execution, gate=wanted, comment=said["reason"], actor=page.actor(request)
        )
        return "The gate is open."

    return page.asked(request, execution, question, act)


def ask_leave_out(
    page: SteeringPages, request: HttpRequest, execution: Execution, server_id: str
) -> HttpResponse:
    """Ask, then leave a server out of the failback."""
    rows = _instances(_live(execution))
    name = next((row.server.name for row in rows if row.source_server_id == server_id), server_id)
    question = confirm.Question(
        title=f"Leave {name} out of the failback",
        text="It is not launched back, and its recovery instance is kept as it is. What replicates "
        "back already goes on. It cannot be taken back.",
        verb="Leave out",
        reason="Reason (needed)",
    )

    def act(said: dict[str, Any]) -> str:
        failbacks.leave_out(
            execution, server_ids=[server_id], reason=said["reason"], actor=page.actor(request)
        )
        return f"Left out: {name}."

    return page.asked(request, execution, question, act)


def ask_cancel(page: SteeringPages, request: HttpRequest, execution: Execution) -> HttpResponse:
    """Ask, then request that the failback be cancelled."""
    question = confirm.Question(
        title=f"Cancel the failback after the {execution}",
        text="What replicates back is stopped, and nothing more is launched. What DRS launches "
        "already goes on, and is watched to its end. Recovery instances are kept, but those whose "
        "clean-up was asked for already.",
        verb="Cancel the failback",
        reason="Reason",
    )

    def act(said: dict[str, Any]) -> str:
        failbacks.cancel(execution, reason=said["reason"], actor=page.actor(request))
        return "Cancelling the failback was requested."

    return page.asked(request, execution, question, act)


def _live(execution: Execution) -> Failback | None:
    return failbacks.told(execution).filter(state__in=sorted(FAILBACK.active)).first()


def _instances(failback: Failback | None) -> list[FailbackInstance]:
    return [] if failback is None else list(failback.instances.all())


def _why_shut(failback: Failback | None, gate: Gate) -> str:
    """Why the gate would not open now, or an empty text."""
    if failback is None or failbacks.waits_at(failback) != gate:
        return "No failback waits at this gate now."
    shut = failbacks.not_ready(failback) if gate == Gate.LAUNCH else []
    return "; ".join(f"{name}: {why}" for name, why in shut)


def _many(count: int) -> str:
    return f"{count} server{'' if count == 1 else 's'}"


def _card(failback: Failback) -> Card:
    rows = list(failback.instances.all())
    state = FailbackState(failback.state)
    sizes = Counter(row.job_id for row in rows)
    found = Counter(row.state for row in rows)
    gate = failbacks.waits_at(failback)
    unready = len(failbacks.not_ready(failback)) if gate == Gate.LAUNCH else 0
    open_ = state in FAILBACK.active and failback.cancel_requested_at is None
    return Card(
        failback=failback,
        active=state in FAILBACK.active,
        badge=badge(state.label, STATE_TONES[state]),
        bar=progress(
            [Share(found[each], each.label.lower(), tone) for each, tone in RETURN_TONES.items()]
        ),
        late=_late(failback),
        gate=str(gate) if gate is not None and not unready else "",
        gate_label=_QUESTIONS[gate][0] if gate is not None else "",
        not_ready=unready,
        cancellable=open_,
        jobs=[
            JobLine(job, tones.job_badge(job.state), Origin(job.origin).label, sizes[job.pk])
            for job in failback.jobs.all()
        ],
        instances=[_line(row, open_=open_) for row in sorted(rows, key=_unwell_first)],
    )


def _line(row: FailbackInstance, *, open_: bool) -> InstanceLine:
    state = ReturnState(row.state)
    return InstanceLine(
        row,
        badge(state.label, RETURN_TONES[state]),
        Origin(row.origin).label if row.origin else "",
        span(row.lag.total_seconds()) if row.lag is not None else "",
        open_ and failbacks.can_be_left_out(row),
    )


def _unwell_first(row: FailbackInstance) -> int:
    """What a person may have to look at stands on top."""
    if row.state in {ReturnState.FAILED, ReturnState.UNKNOWN, ReturnState.KEPT}:
        return 0
    return 1 if row.state in RETURN.active else 2


def _late(failback: Failback) -> str:
    """That no worker looks at a failback though it is due, or an empty text."""
    now = timezone.now()
    leased = failback.leased_until is not None and failback.leased_until > now
    if failback.state in FAILBACK.terminal or failback.due_at is None or leased:
        return ""
    overdue = now - failback.due_at
    return span(overdue.total_seconds()) if overdue > _LATE else ""
