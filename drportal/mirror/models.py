import uuid
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


class Installation(models.Model):
    """This portal, as the mirror's tables know it: one row, made once.

    `held_at` is when DynamoDB last said that the tables are ours, `refused_at` since when it says
    that they are those of `holder`, another portal. `verified_at` and `differences` are what the
    last comparison of everything found.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    identity = models.UUIDField(default=uuid.uuid4, editable=False)
    held_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    holder = models.CharField(max_length=64, blank=True, default="")
    holder_heard_at = models.CharField(max_length=40, blank=True, default="")
    verified_at = models.DateTimeField(null=True)
    differences = models.PositiveIntegerField(null=True)
    restored_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=models.Q(id=1), name="mirror_there_is_one_installation"
            ),
        )

    def __str__(self) -> str:
        return str(self.identity)
