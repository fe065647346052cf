"""Preflights: whether a plan could be carried out, as it was found at one time."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from recovery.models.plans import RecoveryPlan
from recovery.states import CheckOutcome, PreflightState


class Preflight(models.Model):
    """One look at everything that a start of a plan version would rely on.

    `checks` are objects as `recovery.engine.preflight.Check` writes them. `digest` is of the
    servers that were looked at: a start of others is not covered. `options` are what a start was
    to choose of the plan, as `engine.options.StartOptions` tells it; empty for the whole plan.
    `points` are the recovery points that were found for them, by `engine.preflight.key_of` the
    server. `started_at` is when a worker
    began to ask, so no fact from AWS is older. `outcome` is empty and `score` null until it is
    done.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE, related_name="preflights")
    plan_version = models.PositiveIntegerField()
    state = models.CharField(
        max_length=12, choices=PreflightState, default=PreflightState.RUNNING, editable=False
    )
    requested_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    outcome = models.CharField(
        max_length=8, choices=CheckOutcome, blank=True, default="", editable=False
    )
    score = models.PositiveSmallIntegerField(null=True, editable=False)
    checks = models.JSONField(default=list)
    digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    options = models.JSONField(blank=True, default=dict, editable=False)
    points = models.JSONField(blank=True, default=dict, editable=False)

    class Meta:
        ordering = ("-created_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["plan"],
                condition=Q(state=PreflightState.RUNNING),
                name="recovery_one_running_preflight_per_plan",
            ),
            models.CheckConstraint(
                condition=Q(state=PreflightState.DONE, started_at__isnull=False) & ~Q(outcome="")
                | ~Q(state=PreflightState.DONE) & Q(outcome="", score=None),
                name="recovery_only_a_preflight_that_is_done_has_an_outcome",
            ),
        )
        indexes = (models.Index(fields=["plan", "-created_at"], name="recovery_preflight_newest"),)

    def __str__(self) -> str:
        return f"preflight of {self.plan} {self.created_at:%Y-%m-%d %H:%M}"
