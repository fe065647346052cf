"""What was found when AWS was asked anew before a wave, and what a person made of it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from recovery.models.executions import Wave
from recovery.states import CheckOutcome


class WavePreflight(models.Model):
    """The last look at the servers of a wave before it launches. A row is there once somebody has
    looked, or once a start that overrode its preflight has said what it overrode.

    `asked_at` is when AWS began to be asked, so no fact is older; `looked_at` when all of it was
    known. `digest` is of the servers that were looked at. `blocking` are the codes of the checks
    that FAILED or are UNKNOWN, `overridden` those that a person has overridden for this wave:
    what blocks is what is in the first and not in the second. `refusals` counts the looks in a row
    that something blocked, and `due_at` is when AWS is asked again by itself; null if nothing does.
    """

    wave = models.OneToOneField(
        Wave, primary_key=True, on_delete=models.CASCADE, related_name="preflight"
    )
    asked_at = models.DateTimeField(null=True, editable=False)
    looked_at = models.DateTimeField(null=True, editable=False)
    outcome = models.CharField(
        max_length=8, choices=CheckOutcome, blank=True, default="", editable=False
    )
    checks = models.JSONField(default=list)
    digest = models.CharField(max_length=64, blank=True, default="", editable=False)
    blocking = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    refusals = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(null=True, editable=False)
    overridden = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    overridden_at = models.DateTimeField(null=True, editable=False)
    overridden_by = models.CharField(max_length=254, blank=True, default="")
    override_reason = models.CharField(max_length=1000, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=models.Q(asked_at=None, looked_at=None, outcome="")
                | models.Q(asked_at__isnull=False, looked_at__isnull=False) & ~models.Q(outcome=""),
                name="recovery_only_a_wave_that_was_looked_at_has_an_outcome",
            ),
        )

    def __str__(self) -> str:
        return f"preflight of {self.wave}"

    @property
    def in_the_way(self) -> frozenset[str]:
        """The codes of the checks that block and that nobody has overridden."""
        return frozenset(self.blocking) - frozenset(self.overridden)
