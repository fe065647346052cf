"""After a restore: drills by schedule and clean-ups go on without doing anything a second time.

What the mirror says of them may be older than what was done right before the portal was lost.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from drportal.state import move_all
from recovery.engine.occurrences import next_after
from recovery.models import CleanUp, DrillOccurrence, DrillSchedule
from recovery.models.clean_ups import CleanUpState
from recovery.models.drill_schedules import OCCURRENCE, OccurrenceState

_LOST: Final = (
    "The portal was lost and restored when it was due, or right after. It may have been started; "
    "it is not started again."
)


def go_on(schedule_id: UUID, *, now: datetime) -> bool:
    """Let a schedule go on with its next time after `now`; whether that is another than it had."""
    schedule = DrillSchedule.objects.get(pk=schedule_id)
    if schedule.next_at is None or schedule.next_at > now:
        return False
    schedule.next_at = next_after(schedule.rule, now)
    schedule.save(update_fields=["next_at"])
    return True


def settle_what_was_due(*, now: datetime) -> list[UUID]:
    """Settle as missed what was due and had not ended, as far as is known. Returns which."""
    open_ = DrillOccurrence.objects.filter(state__in=sorted(OCCURRENCE.active), due_at__lte=now)
    found = list(open_.values_list("pk", flat=True))
    for state in sorted(OCCURRENCE.active):
        move_all(
            open_,
            OccurrenceState.MISSED,
            lifecycle=OCCURRENCE,
            source=state,
            message=_LOST,
            finished_at=now,
        )
    return found


def warn_again() -> list[UUID]:
    """Forget that people were warned of the clean-ups that are planned. Returns which."""
    warned = CleanUp.objects.filter(state=CleanUpState.PLANNED, warned_at__isnull=False)
    found = list(warned.values_list("pk", flat=True))
    warned.update(warned_at=None)
    return found
