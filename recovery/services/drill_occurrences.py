"""Announcing drills by schedule, and starting each that is due exactly once.

The start and the occurrence's move to STARTED are one transaction under the occurrence's lock: of
two workers one finds it open, and one that dies leaves it so. See docs/adr/0014.
"""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record_failure
from drportal.actor import PORTAL, Actor, ActorKind, Door
from drportal.errors import DomainError
from drportal.observability import checkpoint
from recovery.errors import PreflightAlreadyRunning
from recovery.models import DrillOccurrence, DrillSchedule, RecoveryPlan
from recovery.models.drill_schedules import OCCURRENCE, OccurrenceState
from recovery.services import clean_ups, executions, notices, preflights
from recovery.services.admission import OVERRIDABLE
from recovery.services.drill_rights import missing_right
from recovery.services.drill_schedules import announced, end, locked
from recovery.services.drill_times import both, window_of
from recovery.states import Kind

_MOST: Final = 200
# So long before its time the preflight is asked for that the start needs.
_LOOKED_AT_BEFORE: Final = timedelta(minutes=5)
# What a preflight found is not asked again at once.
_PREFLIGHT_AGAIN: Final = timedelta(minutes=5)


def announce() -> int:
    """Make the occurrences of all times that are near, and return how many that were.

    A time that passed while no worker ran is settled as missed when it is looked at.
    """
    made = 0
    ahead = timedelta(hours=settings.DRILL_ANNOUNCED_HOURS)
    near = DrillSchedule.objects.filter(enabled=True, next_at__lte=timezone.now() + ahead)
    for schedule in near.order_by("next_at")[:_MOST]:
        made += _announce(schedule, ahead)
    return made


def due() -> list[UUID]:
    """The occurrences that a worker has to look at now, what is due longest first."""
    open_ = DrillOccurrence.objects.filter(state__in=sorted(OCCURRENCE.active))
    near = open_.filter(due_at__lte=timezone.now() + _LOOKED_AT_BEFORE)
    return list(near.order_by("due_at", "id").values_list("pk", flat=True)[:_MOST])


def carry_out(occurrence_id: UUID) -> None:
    """Start the drill if it is time and nothing is in the way; settle what cannot start."""
    found = DrillOccurrence.objects.select_related("schedule").filter(pk=occurrence_id).first()
    if found is None:
        return
    with transaction.atomic():
        try:
            schedule = locked(found.schedule)
        except (DrillSchedule.DoesNotExist, RecoveryPlan.DoesNotExist):  # deleted meanwhile
            return
        rows = DrillOccurrence.objects.select_for_update(of=("self",))
        occurrence = rows.filter(pk=occurrence_id, state__in=sorted(OCCURRENCE.active)).first()
        if occurrence is None:
            return
        occurrence.schedule = schedule
        _decide(occurrence, timezone.now())
    checkpoint("occurrence.looked_at", occurrence_id=str(occurrence_id))


def actor_of(occurrence: DrillOccurrence) -> Actor:
    """The schedule, and by whose right."""
    schedule = occurrence.schedule
    by = f", run by {occurrence.asked_by}" if occurrence.asked_by else ""
    return Actor(
        kind=ActorKind.SCHEDULE,
        name=f"schedule of {schedule.made_by}{by}"[:254],
        door=Door.SCHEDULED,
        user_id=schedule.made_by_id,
    )


def _announce(schedule: DrillSchedule, ahead: timedelta) -> int:
    made = 0
    with transaction.atomic():
        try:
            schedule = locked(schedule)
        except (DrillSchedule.DoesNotExist, RecoveryPlan.DoesNotExist):
            return 0
        now = timezone.now()
        while schedule.enabled and schedule.next_at and schedule.next_at <= now + ahead:
            occurrence = announced(schedule)
            if occurrence is not None and occurrence.state in OCCURRENCE.active:
                made += 1
                if occurrence.due_at > now:
                    _tell_it_is_near(occurrence, schedule)
    return made


def _tell_it_is_near(occurrence: DrillOccurrence, schedule: DrillSchedule) -> None:
    said = f"It is to start at {both(occurrence.due_at, schedule.zone)}"
    said += f", by the right of {schedule.made_by}."
    if schedule.approvers:
        said += f" One of {', '.join(schedule.approvers)} must approve it before."
    notices.of_plan(
        notices.DRILL_ANNOUNCED,
        schedule.plan,
        message=said,
        key=f"drill-near:{occurrence.pk}",
        about=Kind.DRILL,
    )


def _decide(occurrence: DrillOccurrence, now: datetime) -> None:
    if now > window_of(occurrence):
        _miss(occurrence)
        return
    if now < occurrence.due_at - _LOOKED_AT_BEFORE:
        return
    if occurrence.state == OccurrenceState.WAITING_FOR_APPROVAL:
        return
    lacking = missing_right(occurrence.schedule)
    refusal = executions.refusal(occurrence.schedule.plan) if not lacking else None
    if now >= occurrence.due_at:
        _try(occurrence, lacking, refusal, now)
    elif isinstance(refusal, OVERRIDABLE):
        # Whatever else is in the way may be gone when it is time.
        _ask_for_preflight(occurrence, now)


def _try(
    occurrence: DrillOccurrence, lacking: str, refusal: DomainError | None, now: datetime
) -> None:
    if lacking:
        _refuse(occurrence, lacking, code="right_lost")
    elif refusal is None:
        _start(occurrence)
    elif isinstance(refusal, OVERRIDABLE):
        _say(occurrence, refusal.detail)
        _ask_for_preflight(occurrence, now)
    else:
        _refuse(occurrence, refusal.detail, code=refusal.code)


def _start(occurrence: DrillOccurrence) -> None:
    schedule, actor = occurrence.schedule, actor_of(occurrence)
    try:
        with transaction.atomic():
            execution = executions.start(
                schedule.plan, kind=Kind.DRILL, reason=schedule.reason, actor=actor
            )
            if schedule.clean_up_after_hours is not None:
                clean_ups.choose(
                    execution,
                    hours=schedule.clean_up_after_hours,
                    right_of=schedule.made_by,
                    actor=actor,
                )
            end(occurrence, OccurrenceState.STARTED, "", execution=execution)
    except DomainError as error:
        if isinstance(error, OVERRIDABLE):  # looked at again until the window is over
            _say(occurrence, error.detail)
        else:
            _refuse(occurrence, error.detail, code=error.code)


def _ask_for_preflight(occurrence: DrillOccurrence, now: datetime) -> None:
    """Ask for another, unless one has just been done: what it found does not change at once."""
    plan = occurrence.schedule.plan
    latest = preflights.latest(plan)
    young = latest is not None and now - latest.created_at < _PREFLIGHT_AGAIN
    if young and latest is not None and latest.plan_version == plan.version:
        return
    try:
        preflights.ask(plan, actor=actor_of(occurrence))
    except (PreflightAlreadyRunning, IntegrityError):  # it will tell as well
        return


def _refuse(occurrence: DrillOccurrence, why: str, *, code: str) -> None:
    """Settle that it does not start. What `start` told of itself was rolled back with it."""
    end(occurrence, OccurrenceState.REFUSED, why)
    _note_failure(occurrence, "refused", why, code=code)
    notices.of_plan(
        notices.REFUSED,
        occurrence.schedule.plan,
        message=f"{actor_of(occurrence).name} asked for it. {why}",
        key=f"drill-refused:{occurrence.pk}",
        about=Kind.DRILL,
    )


def _miss(occurrence: DrillOccurrence) -> None:
    if occurrence.state == OccurrenceState.WAITING_FOR_APPROVAL:
        why = f"None of {', '.join(occurrence.schedule.approvers)} approved it in time."
    elif occurrence.message:
        why = f"Until its time was over this kept it from starting: {occurrence.message}"
    else:
        why = "No worker brought it to a start before its time was over."
    end(occurrence, OccurrenceState.MISSED, why)
    _note_failure(occurrence, "missed", why)
    notices.of_plan(
        notices.DRILL_MISSED,
        occurrence.schedule.plan,
        message=f"It was due at {occurrence.due_at:%Y-%m-%d %H:%M} UTC. {why}",
        # After a long outage, not one notice for each time that passed.
        key=f"drill-missed:{occurrence.schedule_id}:{timezone.now():%Y-%m-%d}",
        about=Kind.DRILL,
    )


def _note_failure(occurrence: DrillOccurrence, what: str, why: str, **told: Any) -> None:
    record_failure(
        f"recovery.scheduled_drill.{what}",
        actor=PORTAL,
        subject=occurrence.schedule,
        occurrence=str(occurrence.pk),
        due_at=occurrence.due_at,
        why=why,
        **told,
    )


def _say(occurrence: DrillOccurrence, message: str) -> None:
    if occurrence.message != message[:2000]:
        occurrence.message = message[:2000]
        occurrence.save(update_fields=["message"])
