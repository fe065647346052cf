"""Drills by schedule: when a plan is drilled, and what became of each time that it was to be."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.state import Lifecycle
from recovery.engine.occurrences import Repeats, Rule
from recovery.models.executions import Execution
from recovery.models.plans import RecoveryPlan


class OccurrenceState(models.TextChoices):
    """How one time of a schedule stands. REFUSED: the portal would not start it. MISSED: until its
    time was over nobody approved it, or something kept it from starting. SKIPPED: somebody said so.
    """

    SCHEDULED = "SCHEDULED", "Scheduled"
    WAITING_FOR_APPROVAL = "WAITING_FOR_APPROVAL", "Waiting for approval"
    STARTED = "STARTED", "Started"
    REFUSED = "REFUSED", "Refused"
    MISSED = "MISSED", "Missed"
    SKIPPED = "SKIPPED", "Skipped"


_NOT_STARTED = {OccurrenceState.REFUSED, OccurrenceState.MISSED, OccurrenceState.SKIPPED}

OCCURRENCE = Lifecycle(
    {
        OccurrenceState.WAITING_FOR_APPROVAL: {OccurrenceState.SCHEDULED, *_NOT_STARTED},
        OccurrenceState.SCHEDULED: {OccurrenceState.STARTED, *_NOT_STARTED},
        OccurrenceState.STARTED: set(),
        OccurrenceState.REFUSED: set(),
        OccurrenceState.MISSED: set(),
        OccurrenceState.SKIPPED: set(),
    }
)


class DrillSchedule(models.Model):
    """When a plan is drilled, and by whose right.

    The first time is on `first_on`; all are at `at` in the time zone `zone`. `approvers` are
    usernames, one of whom must approve each drill before it starts; nobody must if there are none.
    `clean_up_after_hours` after its end what a drill launched is terminated; null for never.
    `made_by` is who said all this last: drills start by their right, if they have it still.
    `next_at` is the next time for which there is no occurrence yet; null if there is none.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE, related_name="drill_schedules")
    repeats = models.CharField(max_length=8, choices=Repeats)
    every = models.PositiveSmallIntegerField(default=1)
    first_on = models.DateField()
    at = models.TimeField()
    zone = models.CharField(max_length=64)
    approvers = ArrayField(models.CharField(max_length=150), default=list, blank=True)
    clean_up_after_hours = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=1000, blank=True, default="")
    enabled = models.BooleanField(default=True)
    made_by_id = models.BigIntegerField(null=True)
    made_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    next_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("plan__name", "created_at", "id")
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(every__gte=1), name="recovery_schedule_repeats_forward"
            ),
            models.CheckConstraint(
                condition=Q(clean_up_after_hours=None) | Q(clean_up_after_hours__gte=1),
                name="recovery_schedule_cleans_up_after_an_hour_or_more",
            ),
        )
        indexes = (
            models.Index(
                fields=["next_at"], condition=Q(enabled=True), name="recovery_schedule_due"
            ),
        )

    def __str__(self) -> str:
        return f"drill schedule of {self.plan}"

    @property
    def rule(self) -> Rule:
        """When it is due, as the engine reckons."""
        return Rule(self.repeats, self.every, self.first_on, self.at, self.zone)


class DrillOccurrence(models.Model):
    """One time of a schedule. There is one row per time, so it is started once.

    `asked_by` is who asked for it apart from the schedule's times. `message` says what keeps it
    from starting, or why it did not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    schedule = models.ForeignKey(
        DrillSchedule, on_delete=models.CASCADE, related_name="occurrences"
    )
    due_at = models.DateTimeField()
    state = models.CharField(max_length=20, choices=OccurrenceState, editable=False)
    execution = models.OneToOneField(
        Execution, null=True, on_delete=models.SET_NULL, related_name="occurrence"
    )
    asked_by = models.CharField(max_length=254, blank=True, default="")
    approved_by = models.CharField(max_length=254, blank=True, default="")
    approved_at = models.DateTimeField(null=True)
    approval_comment = models.CharField(max_length=1000, blank=True, default="")
    message = models.CharField(max_length=2000, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-due_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["schedule", "due_at"], name="recovery_one_occurrence_per_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(OCCURRENCE.active), finished_at=None)
                | Q(state__in=sorted(OCCURRENCE.terminal), finished_at__isnull=False),
                name="recovery_occurrence_finished_when_terminal",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=sorted(OCCURRENCE.active)),
                name="recovery_occurrence_due",
            ),
        )

    def __str__(self) -> str:
        return f"drill of {self.schedule.plan} at {self.due_at:%Y-%m-%d %H:%M} UTC"
