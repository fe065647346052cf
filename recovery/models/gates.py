"""What named people decided at the gates of executions."""

from django.db import models
from django.utils import timezone

from recovery.models.executions import Wave


class GateDecision(models.Model):
    """That a person approved that a wave start, or denied it. Never changed.

    `person` is the user name, by which it counts: after a restore people have other ids.
    """

    id = models.BigAutoField(primary_key=True)
    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="decisions")
    person = models.CharField(max_length=254)
    person_id = models.BigIntegerField(null=True)
    approved = models.BooleanField()
    comment = models.CharField(max_length=1000, blank=True, default="")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("wave", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["wave", "person", "approved"], name="recovery_everybody_counts_once"
            ),
        )

    def __str__(self) -> str:
        return f"{'approved' if self.approved else 'denied'} by {self.person}"
