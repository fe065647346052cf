"""Checks of launched servers: one row for each server and check, with where it stands."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from recovery.choices import ServerCheckKind
from recovery.models.executions import WaveServer
from recovery.states import ServerCheckState


class ServerCheck(models.Model):
    """A check of one launched server. `definition` is what the plan said, as it was at the start.

    `attempts` are those that are used up, `looked_at` and `message` are of the last look. `due_at`
    is when to look next, and `leased_until` until when a worker does. Of a Systems Manager
    document, `sends` numbers the commands; `intended_at` is written before AWS is asked to send
    one, and `command_id` is AWS's answer. `by_hand` says who passed it, and `reason` why.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    server = models.ForeignKey(WaveServer, on_delete=models.CASCADE, related_name="checks")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=12, choices=ServerCheckKind)
    required = models.BooleanField(default=True)
    definition = models.JSONField(default=dict)
    state = models.CharField(
        max_length=8, choices=ServerCheckState, default=ServerCheckState.WAITING, editable=False
    )
    message = models.CharField(max_length=2000, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    looked_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, default=timezone.now)
    leased_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    started_at = models.DateTimeField(default=timezone.now)
    deadline_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    sends = models.PositiveIntegerField(default=0)
    intended_at = models.DateTimeField(null=True)
    command_id = models.CharField(max_length=36, blank=True, default="")
    by_hand = models.CharField(max_length=254, blank=True, default="")
    reason = models.CharField(max_length=1000, blank=True, default="")

    class Meta:
        ordering = ("server", "position")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["server", "position"], name="recovery_check_once_per_server"
            ),
            models.CheckConstraint(
                condition=Q(state=ServerCheckState.WAITING, finished_at=None)
                | ~Q(state=ServerCheckState.WAITING) & Q(finished_at__isnull=False),
                name="recovery_check_finished_when_not_waiting",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(state=ServerCheckState.WAITING),
                name="recovery_server_check_due",
            ),
        )

    def __str__(self) -> str:
        return f"check {self.name} of {self.server}"
