"""Drill schedules: saying when a plan is drilled, and what people ask of single times.

What is not started yet follows the schedule: whoever changes it takes back what was announced.
`drill_occurrences` starts what is due; see docs/adr/0014.
"""

from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any, Final
from zoneinfo import available_timezones

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import InvalidInput
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.state import move
from recovery.engine.occurrences import Repeats, Rule, moment, next_after
from recovery.errors import (
    NotAnApprover,
    NothingScheduled,
    OccurrenceOver,
    OccurrenceUnderWay,
    ReasonNeeded,
)
from recovery.models import DrillOccurrence, DrillSchedule, RecoveryPlan
from recovery.models.drill_schedules import OCCURRENCE, OccurrenceState

MOST_EVERY: Final = 36
MOST_HOURS: Final = 24 * 30
MOST_APPROVERS: Final = 20


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """What a schedule says."""

    repeats: str
    first_on: date
    at: time
    zone: str
    every: int = 1
    approvers: tuple[str, ...] = ()
    clean_up_after_hours: int | None = None
    reason: str = ""
    enabled: bool = True


def create(plan: RecoveryPlan, said: ScheduleSpec, *, actor: Actor) -> DrillSchedule:
    """Schedule drills of `plan`, by the actor's right. Raises InvalidInput."""
    _must_be_valid(said, actor=actor)
    with transaction.atomic():
        schedule = DrillSchedule(plan=plan)
        _set(schedule, said, actor=actor)
        schedule.save(force_insert=True)
        _written(schedule, "created", actor=actor, said=facts(schedule))
    return schedule


def edit(schedule: DrillSchedule, said: ScheduleSpec, *, actor: Actor) -> DrillSchedule:
    """Let a schedule say this and nothing else, by the actor's right from now on. What was
    announced and has not started is announced anew. Raises InvalidInput.
    """
    _must_be_valid(said, actor=actor)
    with transaction.atomic():
        schedule = locked(schedule)
        before = facts(schedule)
        why = f"The schedule was changed by {actor.name}."
        _take_back(schedule, why)
        _set(schedule, said, actor=actor)
        schedule.save()
        _written(schedule, "edited", actor=actor, old=before, said=facts(schedule))
    return schedule


def delete(schedule: DrillSchedule, *, actor: Actor) -> None:
    """Delete a schedule with its occurrences. Drills that it started stay, and the record keeps
    what it said.
    """
    with transaction.atomic():
        schedule = locked(schedule)
        record(
            "recovery.drill_schedule.deleted", actor=actor, subject=schedule, said=facts(schedule)
        )
        mark("DrillSchedules", schedule.pk)
        mark("DrillOccurrences", *schedule.occurrences.values_list("pk", flat=True))
        schedule.delete()


def disable(schedule: DrillSchedule, *, reason: str, actor: Actor) -> DrillSchedule:
    """Start nothing by this schedule any more. Raises ReasonNeeded."""
    _must_have_a_reason(reason)
    with transaction.atomic():
        schedule = locked(schedule)
        if schedule.enabled:
            _take_back(schedule, f"The schedule was disabled by {actor.name}: {reason}")
            schedule.enabled, schedule.updated_at = False, timezone.now()
            schedule.save(update_fields=["enabled", "updated_at"])
            _written(schedule, "disabled", actor=actor, reason=reason)
    return schedule


def enable(schedule: DrillSchedule, *, reason: str, actor: Actor) -> DrillSchedule:
    """Start drills by this schedule again, from its next time on, by the actor's right. Raises
    ReasonNeeded, and NothingScheduled if no time of it is left.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        schedule = locked(schedule)
        if not schedule.enabled:
            now = timezone.now()
            schedule.next_at = next_after(schedule.rule, now)
            if schedule.next_at is None:
                raise NothingScheduled(schedule)
            schedule.enabled, schedule.updated_at = True, now
            schedule.made_by_id, schedule.made_by = actor.user_id, actor.name
            schedule.save()
            _written(schedule, "enabled", actor=actor, reason=reason)
    return schedule


def skip_next(schedule: DrillSchedule, *, reason: str, actor: Actor) -> DrillOccurrence:
    """Do not start the next drill of a schedule. Raises ReasonNeeded and NothingScheduled."""
    _must_have_a_reason(reason)
    with transaction.atomic():
        schedule = locked(schedule)
        said = f"Skipped by {actor.name}: {reason}"[:2000]
        occurrence = _open(schedule).order_by("due_at").first()
        if occurrence is None:
            if not schedule.enabled:
                raise NothingScheduled(schedule)
            occurrence = announced(schedule)
        if occurrence is None:
            raise NothingScheduled(schedule)
        end(occurrence, OccurrenceState.SKIPPED, said)
        due = occurrence.due_at
        _written(schedule, "skipped", actor=actor, due_at=due, reason=reason)
    return occurrence


def run_now(schedule: DrillSchedule, *, reason: str, actor: Actor) -> DrillOccurrence:
    """Have a drill started as the schedule says, apart from its times, once it is approved where
    that is needed. Raises ReasonNeeded and OccurrenceUnderWay.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        schedule = locked(schedule)
        now = timezone.now()
        under_way = _open(schedule).filter(due_at__lte=now).first()
        if under_way is not None:
            raise OccurrenceUnderWay(under_way, occurrence_id=under_way.pk)
        occurrence = DrillOccurrence.objects.create(
            schedule=schedule,
            due_at=now,
            state=first_state(schedule),
            asked_by=actor.name,
        )
        mark("DrillOccurrences", occurrence.pk)
        _written(schedule, "run", actor=actor, occurrence=str(occurrence.pk), reason=reason)
        hint("recovery.start_scheduled_drill", occurrence_id=str(occurrence.pk))
    return occurrence


def approve(occurrence: DrillOccurrence, *, comment: str = "", actor: Actor) -> DrillOccurrence:
    """Let a drill start at its time. Raises NotAnApprover and OccurrenceOver."""
    with transaction.atomic():
        occurrence = _waiting(occurrence, actor)
        facts_ = {"approved_by": actor.name, "approved_at": timezone.now()}
        move(
            occurrence,
            OccurrenceState.SCHEDULED,
            lifecycle=OCCURRENCE,
            **facts_,
            approval_comment=comment,
        )
        mark("DrillOccurrences", occurrence.pk)
        _written(
            occurrence.schedule,
            "approved",
            actor=actor,
            occurrence=str(occurrence.pk),
            due_at=occurrence.due_at,
            comment=comment,
        )
        hint("recovery.start_scheduled_drill", occurrence_id=str(occurrence.pk))
    return occurrence


def decline(occurrence: DrillOccurrence, *, reason: str, actor: Actor) -> DrillOccurrence:
    """Say, as one who might approve it, that a drill must not start. Raises ReasonNeeded,
    NotAnApprover and OccurrenceOver.
    """
    _must_have_a_reason(reason)
    with transaction.atomic():
        occurrence = _waiting(occurrence, actor)
        end(occurrence, OccurrenceState.SKIPPED, f"Declined by {actor.name}: {reason}"[:2000])
        _written(
            occurrence.schedule,
            "declined",
            actor=actor,
            occurrence=str(occurrence.pk),
            due_at=occurrence.due_at,
            reason=reason,
        )
    return occurrence


def announced(schedule: DrillSchedule) -> DrillOccurrence | None:
    """The occurrence of the schedule's next time, made if it is not there, and the schedule moved
    on; None if there is no next time. The schedule must be locked.
    """
    due = schedule.next_at
    if due is None:
        return None
    occurrence, _ = DrillOccurrence.objects.get_or_create(
        schedule=schedule, due_at=due, defaults={"state": first_state(schedule)}
    )
    schedule.next_at = next_after(schedule.rule, due)
    schedule.save(update_fields=["next_at"])
    mark("DrillSchedules", schedule.pk)
    mark("DrillOccurrences", occurrence.pk)
    return occurrence


def first_state(schedule: DrillSchedule) -> OccurrenceState:
    """How an occurrence begins."""
    if schedule.approvers:
        return OccurrenceState.WAITING_FOR_APPROVAL
    return OccurrenceState.SCHEDULED


def end(occurrence: DrillOccurrence, state: OccurrenceState, said: str, **changes: Any) -> None:
    """Settle what became of an occurrence, in a transaction."""
    now = timezone.now()
    move(occurrence, state, lifecycle=OCCURRENCE, message=said[:2000], finished_at=now, **changes)
    mark("DrillOccurrences", occurrence.pk)


def locked(schedule: DrillSchedule) -> DrillSchedule:
    """The schedule's row, locked; its plan's first, in the order of everybody who needs both."""
    RecoveryPlan.objects.select_for_update().get(pk=schedule.plan_id)
    rows = DrillSchedule.objects.select_for_update(of=("self",)).select_related("plan")
    return rows.get(pk=schedule.pk)


def facts(schedule: DrillSchedule) -> dict[str, Any]:
    """What the record keeps of a schedule."""
    return {
        "plan": schedule.plan.name,
        "repeats": str(schedule.repeats),
        "every": schedule.every,
        "first_on": schedule.first_on.isoformat(),
        "at": schedule.at.isoformat("minutes"),
        "zone": schedule.zone,
        "approvers": list(schedule.approvers),
        "clean_up_after_hours": schedule.clean_up_after_hours,
        "reason": schedule.reason,
        "enabled": schedule.enabled,
    }


def _written(schedule: DrillSchedule, what: str, *, actor: Actor, **told: Any) -> None:
    record(f"recovery.drill_schedule.{what}", actor=actor, subject=schedule, **told)
    mark("DrillSchedules", schedule.pk)


def _set(schedule: DrillSchedule, said: ScheduleSpec, *, actor: Actor) -> None:
    schedule.repeats, schedule.every = said.repeats, said.every
    schedule.first_on, schedule.at, schedule.zone = said.first_on, said.at, said.zone
    schedule.approvers = sorted(set(said.approvers))
    schedule.clean_up_after_hours = said.clean_up_after_hours
    schedule.reason, schedule.enabled = said.reason.strip(), said.enabled
    schedule.made_by_id, schedule.made_by = actor.user_id, actor.name
    schedule.updated_at = timezone.now()
    schedule.next_at = next_after(schedule.rule, schedule.updated_at)


def _open(schedule: DrillSchedule) -> QuerySet[DrillOccurrence]:
    return schedule.occurrences.filter(state__in=sorted(OCCURRENCE.active))


def _take_back(schedule: DrillSchedule, why: str) -> None:
    """Undo what was announced: what is not due yet is as if it never was, the rest is skipped."""
    now = timezone.now()
    for occurrence in _open(schedule):
        if occurrence.due_at > now:
            mark("DrillOccurrences", occurrence.pk)
            occurrence.delete()
        else:
            end(occurrence, OccurrenceState.SKIPPED, why)


def _waiting(occurrence: DrillOccurrence, actor: Actor) -> DrillOccurrence:
    """The occurrence, locked, if it waits for somebody like the actor."""
    schedule = locked(occurrence.schedule)
    rows = DrillOccurrence.objects.select_for_update(of=("self",))
    found = rows.filter(pk=occurrence.pk).first()
    if found is None:
        raise OccurrenceOver(occurrence, "taken back")
    found.schedule = schedule
    if actor.name not in schedule.approvers or actor.name == schedule.made_by:
        raise NotAnApprover(found)
    if found.state != OccurrenceState.WAITING_FOR_APPROVAL:
        raise OccurrenceOver(found, OccurrenceState(found.state).label)
    return found


def _must_have_a_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonNeeded


def _must_be_valid(said: ScheduleSpec, *, actor: Actor) -> None:
    complaints = [*_of_times(said), *_of_approvers(said, actor), *_of_numbers(said)]
    if complaints:
        told = [{"field": field, "code": code, "message": text} for field, code, text in complaints]
        raise InvalidInput("The schedule is not valid.", errors=told)


def _of_times(said: ScheduleSpec) -> list[tuple[str, str, str]]:
    found = []
    known = is_zone(said.zone)
    if not known:
        found.append(("zone", "unknown", f"There is no IANA time zone {said.zone[:64]!r}."))
    if said.repeats not in Repeats.values:
        found.append(("repeats", "invalid", f"It repeats {', '.join(Repeats.values)}."))
    if known and said.repeats == Repeats.ONCE and said.enabled:
        rule = Rule(said.repeats, 1, said.first_on, said.at, said.zone)
        if moment(rule, said.first_on) <= timezone.now():
            found.append(("first_on", "past", "That time is over."))
    if said.first_on > timezone.now().date() + timedelta(days=3660):
        found.append(("first_on", "too_far", "At most ten years ahead."))
    return found


def _of_approvers(said: ScheduleSpec, actor: Actor) -> list[tuple[str, str, str]]:
    names = set(said.approvers)
    if len(names) > MOST_APPROVERS:
        return [("approvers", "too_many", f"At most {MOST_APPROVERS} people.")]
    there = User.objects.filter(username__in=names, is_active=True)
    missing = sorted(names - set(there.values_list("username", flat=True)))
    found = [("approvers", "unknown", f"There is no active user {name!r}.") for name in missing]
    if actor.name in names:
        text = "Whoever saves the schedule cannot be one of those who approve its drills."
        found.append(("approvers", "oneself", text))
    return found


def _of_numbers(said: ScheduleSpec) -> list[tuple[str, str, str]]:
    found = []
    if not 1 <= said.every <= MOST_EVERY:
        found.append(("every", "invalid", f"1 to {MOST_EVERY}."))
    hours = said.clean_up_after_hours
    if hours is not None and not 1 <= hours <= MOST_HOURS:
        found.append(("clean_up_after_hours", "invalid", f"1 to {MOST_HOURS} hours, or none."))
    return found


def is_zone(name: str) -> bool:
    """Whether there is such a time zone."""
    return name in available_timezones()
