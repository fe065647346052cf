"""What named people decided at the gates of executions, and the links by which they are asked."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from recovery.models.executions import Execution, Wave


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


class ApprovalLink(models.Model):
    """A link by which one person may approve one thing, once: an execution, or that a wave start.

    The token in it is known to whoever got the mail, and here by its hash only. It gives nobody a
    permission: it leads to the page on which the person, logged in, is asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    token_hash = models.CharField(max_length=64, unique=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+")
    wave = models.ForeignKey(Wave, null=True, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "id")
        default_permissions = ()

    def __str__(self) -> str:
        return f"link of {self.person} to {self.wave or self.execution}"
