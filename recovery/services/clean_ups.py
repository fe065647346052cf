"""Cleaning up after drills by itself: choosing it, warning of it, vetoing it, and asking for it.

What is terminated, and what is left alone, is up to `terminations`: this asks once, at its time.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from audit.services import record, record_failure
from drportal.access import allowed
from drportal.actor import PORTAL, Actor, ActorKind, Door
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from drportal.state import move
from recovery.errors import (
    CleanUpHasBegun,
    CleanUpNotPlanned,
    DrillsOnly,
    NothingToTerminate,
    ReasonNeeded,
)
from recovery.models import CleanUp, Execution
from recovery.models.clean_ups import CLEAN_UP, CleanUpState
from recovery.permissions import PlanPermission
from recovery.services import terminations
from recovery.services.events import note
from recovery.states import EXECUTION, Kind

MOST_HOURS: Final = 24 * 90
_MOST: Final = 500
# What keeps it from being asked for, as a launch that DRS still works on, may pass within this.
_TRIED_FOR: Final = timedelta(days=1)


def choose(execution: Execution, *, hours: int, right_of: str = "", actor: Actor) -> CleanUp:
    """Have what a drill launched terminated `hours` after its end, instead of what was chosen or
    vetoed before. By the actor's right, or as the schedule of the person `right_of`.

    Raises InvalidInput, DrillsOnly, and CleanUpHasBegun.
    """
    _must_be_hours(hours)
    with transaction.atomic():
        execution = _locked(execution)
        if execution.kind != Kind.DRILL:
            raise DrillsOnly(execution)
        found = CleanUp.objects.filter(execution=execution).first()
        by = {
            "hours": hours,
            "chosen_by_id": actor.user_id,
            "chosen_by": actor.name,
            "right_of": right_of or actor.name,
            "chosen_at": timezone.now(),
            "warned_at": None,
            "message": "",
        }
        if found is None:
            found = CleanUp.objects.create(execution=execution, **by)
        elif found.state == CleanUpState.PLANNED:
            CleanUp.objects.filter(pk=found.pk).update(**by)
        elif CLEAN_UP.allows(found.state, CleanUpState.PLANNED):
            move(found, CleanUpState.PLANNED, lifecycle=CLEAN_UP, **by)
        else:
            raise CleanUpHasBegun(execution)
        said = f"{actor.name} chose that it is cleaned up by itself {hours} hours after its end."
        _written(execution, found, "chosen", said, actor=actor, hours=hours)
    found.refresh_from_db()
    return found


def put_off(execution: Execution, *, hours: int, reason: str, actor: Actor) -> CleanUp:
    """Clean up `hours` later than was chosen; people are warned again before. Raises ReasonNeeded,
    InvalidInput and CleanUpNotPlanned.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        execution = _locked(execution)
        found = _planned(execution)
        total = found.hours + hours
        _must_be_hours(hours)
        _must_be_hours(total)
        found.hours, found.warned_at = total, None
        found.save(update_fields=["hours", "warned_at"])
        said = f"{actor.name} put its clean-up off by {hours} hours: {reason}"
        _written(execution, found, "put_off", said, actor=actor, hours=hours, reason=reason)
    return found


def veto(execution: Execution, *, reason: str, actor: Actor) -> CleanUp:
    """Let what a drill launched stay until a person has it terminated. Raises ReasonNeeded and
    CleanUpNotPlanned.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        execution = _locked(execution)
        found = _planned(execution)
        move(
            found,
            CleanUpState.VETOED,
            lifecycle=CLEAN_UP,
            vetoed_at=timezone.now(),
            vetoed_by=actor.name,
            veto_reason=reason,
        )
        said = f"{actor.name} vetoed its clean-up: {reason}"
        _written(execution, found, "vetoed", said, actor=actor, reason=reason)
    return found


def of(execution: Execution) -> CleanUp | None:
    """What was chosen for an execution, None if nothing was."""
    found = CleanUp.objects.select_related("execution", "termination")
    return found.filter(execution=execution).first()


def due_at(clean_up: CleanUp) -> datetime | None:
    """When it is due; None while the execution has not ended. A retry moves it."""
    ended = clean_up.execution.finished_at
    return None if ended is None else ended + timedelta(hours=clean_up.hours)


def starts_at(clean_up: CleanUp) -> datetime | None:
    """When it is asked for: never sooner after the warning than the setting says."""
    due, warned = due_at(clean_up), clean_up.warned_at
    if due is None or clean_up.state != CleanUpState.PLANNED:
        return None
    return max(due, (warned or timezone.now()) + _lead()) if _near(due) else due


def near() -> list[UUID]:
    """The clean-ups that a worker has to look at now."""
    planned = CleanUp.objects.filter(
        state=CleanUpState.PLANNED, execution__state__in=sorted(EXECUTION.terminal)
    ).select_related("execution")
    found = [row.pk for row in planned.order_by("execution__finished_at") if _is_near(row)]
    return found[:_MOST]


def carry_out(clean_up_id: UUID) -> None:
    """Warn, or ask for the termination, if it is time. Called twice it does nothing more."""
    found = CleanUp.objects.filter(pk=clean_up_id).select_related("execution").first()
    if found is None:
        return
    with transaction.atomic():
        execution = Execution.objects.select_for_update().filter(pk=found.execution_id).first()
        if execution is None or execution.state not in EXECUTION.terminal:
            return
        planned = CleanUp.objects.filter(pk=clean_up_id, state=CleanUpState.PLANNED).first()
        if planned is None:
            return
        planned.execution = execution
        if _is_near(planned):
            _decide(planned, timezone.now())


def _decide(clean_up: CleanUp, now: datetime) -> None:
    execution = clean_up.execution
    due, ended = due_at(clean_up), execution.finished_at
    if due is None or ended is None:
        return
    standing = terminations.standing(execution)
    warned = clean_up.warned_at
    nothing = isinstance(standing.refusal, NothingToTerminate)
    if nothing:
        if now >= due:
            _settle(clean_up, CleanUpState.OVER, "At its time nothing was left.")
    elif warned is None or warned < ended:
        _warn(clean_up, max(due, now + _lead()), len(standing.left))
    elif now >= max(due, warned + _lead()):
        _ask(clean_up, standing, now, due=due)


def _ask(
    clean_up: CleanUp, standing: terminations.Standing, now: datetime, *, due: datetime
) -> None:
    if not _may(clean_up):
        why = f"{clean_up.right_of}, by whose right it would be cleaned up, may not do that."
        _settle(clean_up, CleanUpState.GIVEN_UP, why)
    elif standing.refusal is None:
        actor = _actor_of(clean_up)
        reason = f"Chosen by {clean_up.chosen_by}: {clean_up.hours} hours after its end."
        termination = terminations.request(clean_up.execution, reason=reason, actor=actor)
        move(clean_up, CleanUpState.STARTED, lifecycle=CLEAN_UP, termination=termination)
        mark("CleanUps", clean_up.pk)
    elif now > due + _TRIED_FOR:
        why = f"For a day it could not be asked for: {standing.refusal.detail}"
        _settle(clean_up, CleanUpState.GIVEN_UP, why)
    elif clean_up.message != standing.refusal.detail[:2000]:
        clean_up.message = standing.refusal.detail[:2000]
        clean_up.save(update_fields=["message"])
        mark("CleanUps", clean_up.pk)


def _warn(clean_up: CleanUp, at: datetime, count: int) -> None:
    clean_up.warned_at = timezone.now()
    clean_up.save(update_fields=["warned_at"])
    said = f"What it launched ({count} instances) will be terminated by itself at "
    said += f"{at:%Y-%m-%d %H:%M} UTC, as {clean_up.chosen_by} chose, unless somebody vetoes that."
    note(clean_up.execution, "clean_up.near", said)
    mark("CleanUps", clean_up.pk)


def _settle(clean_up: CleanUp, state: CleanUpState, why: str) -> None:
    move(clean_up, state, lifecycle=CLEAN_UP, message=why[:2000])
    what = "over" if state == CleanUpState.OVER else "given_up"
    said = f"It is not cleaned up by itself: {why}" if what == "given_up" else why
    note(clean_up.execution, f"clean_up.{what}", said)
    write = record if what == "over" else record_failure
    write(f"recovery.clean_up.{what}", actor=PORTAL, subject=clean_up.execution, why=why)
    mark("CleanUps", clean_up.pk)


def _actor_of(clean_up: CleanUp) -> Actor:
    return Actor(
        kind=ActorKind.SCHEDULE,
        name=f"automatic clean-up chosen by {clean_up.chosen_by}"[:254],
        door=Door.SCHEDULED,
        user_id=clean_up.chosen_by_id,
    )


def _may(clean_up: CleanUp) -> bool:
    """Whether the right still is there. By number and name: after a restore on new people's rows
    a number may be somebody else's.
    """
    user = User.objects.filter(
        pk=clean_up.chosen_by_id or 0, username=clean_up.right_of, is_active=True
    ).first()
    execution = clean_up.execution
    return user is not None and allowed(user, PlanPermission.TERMINATE, execution.plan)


def _lead() -> timedelta:
    return timedelta(minutes=settings.CLEAN_UP_WARNING_MINUTES)


def _near(due: datetime) -> bool:
    return timezone.now() >= due - _lead()


def _is_near(clean_up: CleanUp) -> bool:
    due = due_at(clean_up)
    return due is not None and _near(due)


def _locked(execution: Execution) -> Execution:
    return Execution.objects.select_for_update().get(pk=execution.pk)


def _planned(execution: Execution) -> CleanUp:
    found = CleanUp.objects.filter(execution=execution, state=CleanUpState.PLANNED).first()
    if found is None:
        raise CleanUpNotPlanned(execution)
    found.execution = execution
    return found


def _must_be_hours(hours: int) -> None:
    if not 1 <= hours <= MOST_HOURS:
        raise InvalidInput.field("hours", "invalid", f"1 to {MOST_HOURS} hours.")


def _must_have_a_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonNeeded


def _written(
    execution: Execution, clean_up: CleanUp, what: str, said: str, *, actor: Actor, **told: Any
) -> None:
    note(execution, f"clean_up.{what}", said, actor=actor)
    record(f"recovery.clean_up.{what}", actor=actor, subject=execution, **told)
    mark("CleanUps", clean_up.pk)
