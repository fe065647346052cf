from typing import ClassVar

from django.db import models


class OutboxEntry(models.Model):
    """DynamoDB is behind on one object. The entry says which, never what: that is read when sent.

    Each transaction that changes an object adds an entry of its own, so that no transaction waits
    for another at the outbox. `transaction` is PostgreSQL's number of it. The entries of an object
    are leased and sent together; `version` is that of their lease, and travels with the item, so
    that DynamoDB can tell an old send from a new one.
    """

    kind = models.CharField(max_length=64)
    object_id = models.CharField(max_length=255)
    transaction = models.BigIntegerField()
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
                fields=["kind", "object_id", "transaction"],
                name="mirror_one_entry_per_object_and_transaction",
            ),
        )
        indexes = (
            models.Index(fields=["due_at", "id"], name="mirror_outbox_due"),
            models.Index(fields=["behind_since"], name="mirror_outbox_behind_since"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"
