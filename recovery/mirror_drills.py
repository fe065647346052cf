"""What the mirror holds of drills by schedule and of clean-ups by themselves, and the way back.

The mirror may be behind on what was started right before the portal was lost. So after a restore
nothing that may have been started is started again, and people are warned anew before a clean-up.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import moment
from drportal.mirror.projections import Projection, Style
from drportal.mirror.rows import Restoration, columns
from recovery.models import CleanUp, DrillOccurrence, DrillSchedule
from recovery.services import drill_restoring

_SCHEDULE: Final = {
    "id": "scheduleId",
    "plan": "planId",
    "repeats": "repeats",
    "every": "every",
    "first_on": "firstOn",
    "at": "at",
    "zone": "timeZone",
    "approvers": "approvers",
    "clean_up_after_hours": "cleanUpAfterHours",
    "reason": "reason",
    "enabled": "enabled",
    "made_by": "madeBy",
    "made_by_id": "madeById",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "next_at": "nextAt",
}
_OCCURRENCE: Final = {
    "id": "occurrenceId",
    "schedule": "scheduleId",
    "due_at": "dueAt",
    "state": "status",
    "execution": "executionId",
    "asked_by": "askedBy",
    "approved_by": "approvedBy",
    "approved_at": "approvedAt",
    "approval_comment": "approvalComment",
    "message": "statusMessage",
    "created_at": "createdAt",
    "finished_at": "finishedAt",
}
_CLEAN_UP: Final = {
    "id": "cleanUpId",
    "execution": "executionId",
    "hours": "hours",
    "state": "status",
    "chosen_by": "chosenBy",
    "chosen_by_id": "chosenById",
    "right_of": "rightOf",
    "chosen_at": "chosenAt",
    "warned_at": "warnedAt",
    "vetoed_at": "vetoedAt",
    "vetoed_by": "vetoedBy",
    "veto_reason": "vetoReason",
    "termination": "terminationId",
    "message": "statusMessage",
}


def _schedules(schedules: QuerySet[DrillSchedule]) -> Iterator[Item]:
    for schedule in schedules:
        yield {
            "scheduleId": str(schedule.pk),
            "planId": str(schedule.plan_id),
            "repeats": schedule.repeats,
            "every": schedule.every,
            "firstOn": schedule.first_on.isoformat(),
            "at": schedule.at.isoformat(),
            "timeZone": schedule.zone,
            "approvers": list(schedule.approvers),
            "cleanUpAfterHours": schedule.clean_up_after_hours,
            "reason": schedule.reason,
            "enabled": schedule.enabled,
            "madeBy": schedule.made_by,
            "madeById": schedule.made_by_id,
            "createdAt": moment(schedule.created_at),
            "updatedAt": moment(schedule.updated_at),
            "nextAt": moment(schedule.next_at),
        }


def _occurrences(occurrences: QuerySet[DrillOccurrence]) -> Iterator[Item]:
    for row in occurrences:
        yield {
            "occurrenceId": str(row.pk),
            "scheduleId": str(row.schedule_id),
            "dueAt": moment(row.due_at),
            "status": row.state,
            "executionId": str(row.execution_id) if row.execution_id else None,
            "askedBy": row.asked_by,
            "approvedBy": row.approved_by,
            "approvedAt": moment(row.approved_at),
            "approvalComment": row.approval_comment,
            "statusMessage": row.message,
            "createdAt": moment(row.created_at),
            "finishedAt": moment(row.finished_at),
        }


def _clean_ups(clean_ups: QuerySet[CleanUp]) -> Iterator[Item]:
    for row in clean_ups:
        yield {
            "cleanUpId": str(row.pk),
            "executionId": str(row.execution_id),
            "hours": row.hours,
            "status": row.state,
            "chosenBy": row.chosen_by,
            "chosenById": row.chosen_by_id,
            "rightOf": row.right_of,
            "chosenAt": moment(row.chosen_at),
            "warnedAt": moment(row.warned_at),
            "vetoedAt": moment(row.vetoed_at),
            "vetoedBy": row.vetoed_by,
            "vetoReason": row.veto_reason,
            "terminationId": str(row.termination_id) if row.termination_id else None,
            "statusMessage": row.message,
        }


def _restore_schedules(items: Iterable[Item], done: Restoration) -> None:
    """Schedules; each goes on with its next time from now on."""
    for item in items:
        row = DrillSchedule(**columns(DrillSchedule, item, _SCHEDULE))
        for written in done.insert([row]):
            if drill_restoring.go_on(written.pk, now=timezone.now()):
                done.behind("DrillSchedules", written.pk)


def _restore_occurrences(items: Iterable[Item], done: Restoration) -> None:
    """Occurrences; what was due, and may have been started, is settled as missed."""
    rows = (DrillOccurrence(**columns(DrillOccurrence, item, _OCCURRENCE)) for item in items)
    done.write(rows)
    for pk in drill_restoring.settle_what_was_due(now=timezone.now()):
        done.behind("DrillOccurrences", pk)


def _restore_clean_ups(items: Iterable[Item], done: Restoration) -> None:
    """Clean-ups; before one that is planned, people are warned again: a veto may be lost."""
    done.write(CleanUp(**columns(CleanUp, item, _CLEAN_UP)) for item in items)
    for pk in drill_restoring.warn_again():
        done.behind("CleanUps", pk)


PROJECTIONS = (
    Projection(
        kind="DrillSchedules",
        model=DrillSchedule,
        key="scheduleId",
        style=Style.CONTROL,
        build=_schedules,
        restore=_restore_schedules,
        indexes=(Index("planIdIndex", "planId", "createdAt"),),
    ),
    Projection(
        kind="DrillOccurrences",
        model=DrillOccurrence,
        key="occurrenceId",
        style=Style.CONTROL,
        build=_occurrences,
        restore=_restore_occurrences,
        indexes=(Index("ScheduleIndex", "scheduleId", "dueAt"),),
    ),
    Projection(
        kind="CleanUps",
        model=CleanUp,
        key="cleanUpId",
        style=Style.CONTROL,
        build=_clean_ups,
        restore=_restore_clean_ups,
        indexes=(Index("ExecutionIndex", "executionId"),),
    ),
)
