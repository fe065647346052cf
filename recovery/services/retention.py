"""Letting go of executions that are older than the setting says, and of which nothing runs."""

from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import SCHEDULE
from drportal.mirror.services import mark
from recovery.failback_states import FAILBACK
from recovery.models import (
    CleanUp,
    DrillOccurrence,
    Execution,
    Failback,
    LaunchJob,
    Termination,
)
from recovery.models.clean_ups import CleanUpState
from recovery.services import terminations
from recovery.states import EXECUTION, JOB, TERMINATION

# In one turn: each takes all its rows along. What cannot go keeps no other from going.
_MOST: Final = 20
_LOOKED_AT: Final = 500


def forget_old() -> int:
    """Delete executions that ended longer ago than the setting says, and return how many.

    Not those of which an instance may be there, or that something still works on; and of each plan
    and kind never the latest that ended, nor the latest that completed. The record keeps what each
    was.
    """
    days = settings.EXECUTIONS_KEPT_DAYS
    if not days:
        return 0
    gone = 0
    long_ago = timezone.now() - timedelta(days=days)
    for execution in _old(long_ago).order_by("finished_at", "id")[:_LOOKED_AT]:
        gone += _forget(execution)
        if gone == _MOST:
            break
    return gone


def _old(long_ago: Any) -> QuerySet[Execution]:
    """Ended before `long_ago`, with a later one of their plan and kind that ended as well."""
    later = Execution.objects.filter(
        plan=OuterRef("plan"), kind=OuterRef("kind"), finished_at__gt=OuterRef("finished_at")
    )
    found = Execution.objects.filter(
        Exists(later.filter(state=OuterRef("state"))) | ~Exists(_of_plan()),
        state__in=sorted(EXECUTION.terminal),
        finished_at__lt=long_ago,
    )
    launching = LaunchJob.objects.filter(execution=OuterRef("pk"), state__in=sorted(JOB.active))
    cleaning = Termination.objects.filter(
        execution=OuterRef("pk"), state__in=sorted(TERMINATION.active)
    )
    returning = Failback.objects.filter(execution=OuterRef("pk"), state__in=sorted(FAILBACK.active))
    planned = CleanUp.objects.filter(execution=OuterRef("pk"), state=CleanUpState.PLANNED)
    return found.exclude(Exists(launching) | Exists(cleaning) | Exists(returning) | Exists(planned))


def _of_plan() -> QuerySet[Execution]:
    """The execution itself, where its plan is still there."""
    return Execution.objects.filter(pk=OuterRef("pk"), plan__isnull=False)


def _forget(execution: Execution) -> bool:
    with transaction.atomic():
        found = Execution.objects.select_for_update().filter(pk=execution.pk).first()
        if found is None or found.state not in EXECUTION.terminal or terminations.left(found):
            return False
        counts = found.servers.order_by().values("state").annotate(count=Count("id"))
        record(
            "recovery.execution.forgotten",
            actor=SCHEDULE,
            subject=found,
            plan=found.plan_name,
            version=found.plan_version,
            kind=found.kind,
            state=found.state,
            requested_by=found.requested_by,
            reason=found.reason,
            created_at=found.created_at,
            finished_at=found.finished_at,
            servers={row["state"]: row["count"] for row in counts},
            kept_days=settings.EXECUTIONS_KEPT_DAYS,
        )
        _mark(found)
        found.delete()
    return True


def _mark(execution: Execution) -> None:
    """Everything that the mirror holds of it: what is gone from here goes there too."""
    mark("ExecutionHistory", execution.pk)
    mark("WaveStatus", *execution.waves.values_list("pk", flat=True))
    cleaned = execution.terminations
    mark("Terminations", *cleaned.values_list("pk", flat=True))
    mark("TerminationJobs", *cleaned.exclude(jobs=None).values_list("jobs__pk", flat=True))
    returned = execution.failbacks
    mark("Failbacks", *returned.values_list("pk", flat=True))
    mark("FailbackJobs", *returned.exclude(jobs=None).values_list("jobs__pk", flat=True))
    rows = returned.exclude(instances=None).values_list("instances__pk", flat=True)
    mark("FailbackInstances", *rows)
    mark("CleanUps", *CleanUp.objects.filter(execution=execution).values_list("pk", flat=True))
    occurrences = DrillOccurrence.objects.filter(execution=execution)
    mark("DrillOccurrences", *occurrences.values_list("pk", flat=True))
