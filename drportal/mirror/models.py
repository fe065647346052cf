from datetime import datetime
from typing import ClassVar

from django.db import models


class OutboxEntry(models.Model):
    """DynamoDB is behind on one object. The entry says which, never what: that is read when sent.

    `sequence` is renewed by every mark, so that a sender clears only the mark that it has seen.
    `version` is renewed by every lease and travels with the item, so that DynamoDB can tell an old
    send from a new one. Both come from the sequence `mirror_sequence`, under the row's lock.
    """

    kind = models.CharField(max_length=64)
    object_id = models.CharField(max_length=255)
    sequence = models.BigIntegerField()
    version = models.BigIntegerField(default=0)
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    behind_since = models.DateTimeField()

    objects: ClassVar[models.Manager["OutboxEntry"]] = models.Manager()

    class Meta:
        verbose_name_plural = "outbox entries"
        constraints = (
            models.UniqueConstraint(
                fields=["kind", "object_id"], name="mirror_one_entry_per_object"
            ),
        )
        indexes = (
            models.Index(fields=["due_at", "id"], name="mirror_outbox_due"),
            models.Index(fields=["behind_since"], name="mirror_outbox_behind_since"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"

    def age(self, now: datetime) -> float:
        """For how many seconds DynamoDB has been behind on the object."""
        return max(0.0, (now - self.behind_since).total_seconds())
