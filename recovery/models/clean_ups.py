"""Cleaning up after drills by itself: what somebody chose, and what became of it."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.state import Lifecycle
from recovery.models.executions import Execution
from recovery.models.terminations import Termination


class CleanUpState(models.TextChoices):
    """How the clean-up that was chosen for a drill stands. VETOED: somebody wants the instances to
    stay. OVER: at its time nothing was left. GIVEN_UP: it could not be asked for, `message` says
    why.
    """

    PLANNED = "PLANNED", "Planned"
    STARTED = "STARTED", "Started"
    VETOED = "VETOED", "Vetoed"
    OVER = "OVER", "Nothing was left"
    GIVEN_UP = "GIVEN_UP", "Given up"


CLEAN_UP = Lifecycle(
    {
        CleanUpState.PLANNED: {
            CleanUpState.STARTED,
            CleanUpState.VETOED,
            CleanUpState.OVER,
            CleanUpState.GIVEN_UP,
        },
        # What a person chose against, or what did not work, a person may choose again.
        CleanUpState.VETOED: {CleanUpState.PLANNED},
        CleanUpState.GIVEN_UP: {CleanUpState.PLANNED},
        CleanUpState.STARTED: set(),
        CleanUpState.OVER: set(),
    }
)


class CleanUp(models.Model):
    """That what a drill launched is terminated `hours` after its end.

    It happens by the right of the person whose username `right_of` is, which is `chosen_by` unless
    a schedule chose it; `chosen_by_id` is that person's. `warned_at` is when people were told that
    it is near. It is started once: `termination` is what came of it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.OneToOneField(Execution, on_delete=models.CASCADE, related_name="clean_up")
    hours = models.PositiveSmallIntegerField()
    state = models.CharField(
        max_length=8, choices=CleanUpState, default=CleanUpState.PLANNED, editable=False
    )
    chosen_by_id = models.BigIntegerField(null=True)
    chosen_by = models.CharField(max_length=254)
    right_of = models.CharField(max_length=254)
    chosen_at = models.DateTimeField(default=timezone.now)
    warned_at = models.DateTimeField(null=True, editable=False)
    vetoed_at = models.DateTimeField(null=True, editable=False)
    vetoed_by = models.CharField(max_length=254, blank=True, default="", editable=False)
    veto_reason = models.CharField(max_length=1000, blank=True, default="", editable=False)
    termination = models.OneToOneField(
        Termination, null=True, on_delete=models.SET_NULL, related_name="clean_up"
    )
    message = models.CharField(max_length=2000, blank=True, default="", editable=False)

    class Meta:
        ordering = ("execution",)
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(hours__gte=1), name="recovery_clean_up_waits_an_hour_or_more"
            ),
            models.CheckConstraint(
                condition=~Q(state=CleanUpState.VETOED) | Q(vetoed_at__isnull=False),
                name="recovery_veto_has_its_time",
            ),
        )
        indexes = (
            models.Index(
                fields=["state"],
                condition=Q(state=CleanUpState.PLANNED),
                name="recovery_clean_up_planned",
            ),
        )

    def __str__(self) -> str:
        return f"clean-up {self.hours} hours after the {self.execution}"
