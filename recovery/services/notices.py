"""Notices: which events people are told of, and writing down that they are to be told.

What is written here goes out later, by another worker: see `deliveries`. So nothing here asks
anybody anything, and a notice that cannot be written never undoes what it tells of.
"""

import logging
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import wraps
from typing import Any, Final, ParamSpec

from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.errors import DomainError
from drportal.errors import Kind as ErrorKind
from drportal.notify.message import Urgency
from recovery.models import Execution, ExecutionEvent, Notice, RecoveryPlan
from recovery.states import ExecutionState, WaveState

P = ParamSpec("P")

logger = logging.getLogger(__name__)

_LONGEST = 2000
# A start that is refused over and over, as by a script, is told once in this time.
_REFUSED_AGAIN_SECONDS = 600
# Refusals that come of how things are, not of what was typed or who typed it.
_OF_THINGS = frozenset({ErrorKind.CONFLICT, ErrorKind.LIMIT, ErrorKind.UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Sort:
    """A kind of notice.

    `label` is what one chooses it by, `title` what the subject says, where {wave} and {outcome}
    stand for those. `events` are the events of a timeline that it tells of; with `outcomes` only
    if what they are about ended so; with `once` only the first of an execution. `asks` says what
    is waited for, and who can do it.
    """

    label: str
    title: str
    events: tuple[str, ...] = ()
    outcomes: Set[str] = frozenset()
    once: bool = False
    urgency: Urgency = Urgency.INFO
    asks: str = ""


WAITING: Final = "WAITING"
REFUSED: Final = "REFUSED"
PREFLIGHT_BAD: Final = "PREFLIGHT_BAD"
DRILL_ANNOUNCED: Final = "DRILL_ANNOUNCED"
DRILL_MISSED: Final = "DRILL_MISSED"
DRILL_OVERDUE: Final = "DRILL_OVERDUE"
TEST: Final = "TEST"
APPROVAL: Final = "APPROVAL"
ESCALATED: Final = "ESCALATED"

# Another event is another line here. What has no timeline is told by `of_plan`.
KINDS: Final[Mapping[str, Sort]] = {
    "REQUESTED": Sort("An execution was asked for", "requested", ("execution.requested",)),
    APPROVAL: Sort(
        "An execution waits for a second person's approval, with reminders",
        "waits for approval",
        ("execution.approval_needed",),
        urgency=Urgency.WARNING,
        asks="Nothing is launched until somebody who may approve executions of this plan, and did "
        "not start it, has approved it. Whoever may approve it may also reject it.",
    ),
    "APPROVED": Sort("An execution was approved", "approved", ("execution.approved",)),
    "REJECTED": Sort(
        "An execution was rejected, or nobody approved it in time",
        "not approved",
        ("execution.rejected", "execution.approval_expired"),
        urgency=Urgency.WARNING,
    ),
    "STARTED": Sort("An execution began", "started", ("execution.running",), once=True),
    "WAVE_DONE": Sort(
        "A wave completed",
        "{wave} completed",
        ("wave.ended",),
        outcomes=frozenset({WaveState.COMPLETED}),
        urgency=Urgency.GOOD,
    ),
    "WAVE_FAILED": Sort(
        "A wave failed, timed out, was partial or blocked",
        "{wave}: {outcome}",
        ("wave.ended", "wave.blocked"),
        outcomes=frozenset(set(WaveState) - {WaveState.COMPLETED, WaveState.CANCELLED}),
        urgency=Urgency.BAD,
    ),
    WAITING: Sort(
        "A gate waits for a person, with reminders",
        "waits for a person before {wave}",
        ("wave.waiting",),
        urgency=Urgency.WARNING,
        asks="The wave starts once somebody who may open gates of this plan has opened its gate. "
        "Whoever may do that may also cancel the execution.",
    ),
    "WAVE_HELD": Sort(
        "What AWS says keeps a wave from launching",
        "{wave} does not launch",
        ("wave.preflight_blocks",),
        urgency=Urgency.BAD,
        asks="AWS is asked again by itself. Somebody who may override preflights of this plan can "
        "let it launch all the same; servers, or the wave, can be left out.",
    ),
    "WAVE_OVERRIDDEN": Sort(
        "Somebody let a wave launch against what AWS said",
        "{wave} launches despite a check",
        ("wave.preflight_overridden",),
        urgency=Urgency.WARNING,
    ),
    ESCALATED: Sort(
        "A gate has waited for so long that others are told",
        "still waits before {wave}",
        urgency=Urgency.BAD,
        asks="The people whom the plan names for this gate have not opened it. The notice of its "
        "reaching says who can.",
    ),
    "GATE_SHUT": Sort(
        "A gate was denied, or has expired",
        "gate before {wave} stays shut",
        ("wave.gate_denied", "wave.gate_expired"),
        urgency=Urgency.BAD,
    ),
    "PAUSED": Sort(
        "Somebody paused an execution",
        "paused",
        ("execution.pause_requested",),
        urgency=Urgency.WARNING,
        asks="No further wave starts until somebody who may steer this plan lifts the pause.",
    ),
    "PAUSE_LIFTED": Sort("A pause was lifted", "goes on", ("execution.pause_lifted",)),
    "RETRIED": Sort(
        "Failed servers are launched again", "{wave} is launched again", ("wave.retried",)
    ),
    "RESUMED": Sort("A gate was opened", "gate before {wave} opened", ("wave.gate_opened",)),
    "CANCEL_REQUESTED": Sort(
        "Cancelling was asked for",
        "cancelling was requested",
        ("execution.cancel_requested",),
        urgency=Urgency.WARNING,
    ),
    "ENDED": Sort("An execution ended, whichever way", "ended: {outcome}", ("execution.ended",)),
    "TIMED_OUT": Sort(
        "An execution timed out",
        "timed out",
        ("execution.ended",),
        outcomes=frozenset({ExecutionState.TIMED_OUT}),
        urgency=Urgency.BAD,
        asks="What did not end in time can be tried again, and what was launched is still there.",
    ),
    "CLEANED_UP": Sort(
        "What an execution launched was cleaned up, or as far as that went",
        "clean-up ended",
        ("termination.ended",),
    ),
    "FAILBACK": Sort(
        "A failback was asked for, went on, was cancelled or ended",
        "failback",
        (
            "failback.requested",
            "failback.gate_opened",
            "failback.cancel_requested",
            "failback.ended",
        ),
    ),
    "FAILBACK_WAITING": Sort(
        "A failback waits for a person",
        "failback waits for a person",
        ("failback.waiting",),
        urgency=Urgency.WARNING,
        asks="It goes on once somebody who may fail back this plan opens the gate on the page of "
        "the execution. Whoever may do that may also cancel the failback.",
    ),
    REFUSED: Sort(
        "A start was refused",
        "start refused",
        urgency=Urgency.BAD,
        asks="Nothing was started. Once the reason is mended, somebody who may start it can ask "
        "for it again.",
    ),
    PREFLIGHT_BAD: Sort(
        "A preflight turned bad",
        "preflight turned bad",
        urgency=Urgency.WARNING,
        asks="The plan cannot be started as it is, but by somebody who may override that.",
    ),
    DRILL_ANNOUNCED: Sort("A drill by schedule is near", "drill by schedule is near"),
    DRILL_MISSED: Sort(
        "A drill by schedule did not start",
        "drill by schedule did not start",
        urgency=Urgency.BAD,
        asks="It is not made up for. Whoever may start drills of this plan can start one, or run "
        "the schedule now.",
    ),
    DRILL_OVERDUE: Sort(
        "The drill of a plan is overdue, with reminders",
        "drill is overdue",
        urgency=Urgency.WARNING,
        asks="It is overdue until a drill of this plan completes.",
    ),
    "CLEAN_UP_NEAR": Sort(
        "A drill will be cleaned up by itself",
        "will be cleaned up by itself",
        ("clean_up.near",),
        urgency=Urgency.WARNING,
        asks="Whoever may terminate what drills of this plan launched can veto that, or put it "
        "off.",
    ),
    "CLEAN_UP_CHANGED": Sort(
        "A clean-up by itself was vetoed, put off or given up",
        "clean-up by itself: changed",
        ("clean_up.vetoed", "clean_up.put_off", "clean_up.given_up"),
        urgency=Urgency.WARNING,
    ),
}

_BY_EVENT: Final = {
    event: tuple((kind, sort) for kind, sort in KINDS.items() if event in sort.events)
    for event in {event for sort in KINDS.values() for event in sort.events}
}


def of_event(event: ExecutionEvent) -> None:
    """Write the notices that an event calls for, in its transaction. Never raises: whatever goes
    wrong is logged, and the event stands.
    """
    wanted = _BY_EVENT.get(event.kind, ())
    if not wanted:
        return
    try:
        with transaction.atomic():
            _write_of(event, wanted)
    except Exception:
        logger.exception("No notice of event %s (%s) was written", event.pk, event.kind)


def of_plan(
    kind: str, plan: RecoveryPlan, *, message: str, key: str, about: str = "", outcome: str = ""
) -> None:
    """Write a notice about a plan, in a transaction. `key` says what happened: told once. Never
    raises.
    """
    try:
        with transaction.atomic():
            _write(
                Notice(
                    key=key,
                    kind=kind,
                    plan=plan,
                    plan_name=plan.name,
                    about=about,
                    message=message[:_LONGEST],
                    outcome=outcome,
                )
            )
    except Exception:
        logger.exception("No notice of plan %s (%s) was written", plan.pk, kind)


def telling_refusals(start: Callable[P, Execution]) -> Callable[P, Execution]:
    """Make a service that starts a plan tell that it refused to, for a reason that lies in how
    things are. Its first argument is the plan; `kind` and `actor` are keywords.
    """

    @wraps(start)
    def told(*args: P.args, **kwargs: P.kwargs) -> Execution:
        try:
            return start(*args, **kwargs)
        except DomainError as error:
            if error.kind in _OF_THINGS:
                named: Any = kwargs
                plan: Any = args[0]
                _of_refusal(plan, error, kind=str(named["kind"]), actor=named["actor"])
            raise

    return told


def _of_refusal(plan: RecoveryPlan, error: DomainError, *, kind: str, actor: Actor) -> None:
    period = int(timezone.now().timestamp()) // _REFUSED_AGAIN_SECONDS
    of_plan(
        REFUSED,
        plan,
        message=f"{actor.name} asked for it. {error.detail}",
        key=f"refused:{plan.pk}:{kind}:{error.code}:{period}",
        about=kind,
    )


def _write_of(event: ExecutionEvent, wanted: tuple[tuple[str, Sort], ...]) -> None:
    execution, wave = event.execution, event.wave
    outcome = wave.state if wave is not None else execution.state
    for kind, sort in wanted:
        if sort.outcomes and outcome not in sort.outcomes:
            continue
        _write(
            Notice(
                key=f"{execution.pk}:{kind}" if sort.once else f"event:{event.pk}:{kind}",
                kind=kind,
                at=event.at,
                plan_id=execution.plan_id,
                plan_name=execution.plan_name,
                about=execution.kind,
                execution=execution,
                wave=wave,
                event=event,
                outcome=outcome,
            )
        )


def _write(notice: Notice) -> None:
    Notice.objects.bulk_create([notice], ignore_conflicts=True)
