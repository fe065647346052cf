import uuid
from typing import Any, ClassVar, NoReturn

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from drportal.actor import ActorKind, Door


class Outcome(models.TextChoices):
    """How what was asked for ended."""

    SUCCEEDED = "SUCCEEDED", "Succeeded"
    REFUSED = "REFUSED", "Refused"
    FAILED = "FAILED", "Failed"


class AppendOnly(models.QuerySet["AuditRecord"]):
    """Rows are added and read. PostgreSQL refuses the rest too; this says so without asking it."""

    def update(self, **_: Any) -> NoReturn:
        raise TypeError("audit records are append-only")

    def delete(self) -> NoReturn:
        raise TypeError("audit records are append-only")

    def bulk_update(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("audit records are append-only")


class AuditRecord(models.Model):
    """One thing that was done, or refused. A row is never changed or deleted: a trigger says so.

    It points at nothing, so that it outlives what it is about.
    """

    id = models.BigAutoField(primary_key=True)
    mirror_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(default=timezone.now)
    event = models.CharField(max_length=100)
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.SUCCEEDED)
    actor_kind = models.CharField(
        max_length=16, choices=[(kind.value, kind.value) for kind in ActorKind]
    )
    actor_name = models.CharField(max_length=255)
    user_id = models.BigIntegerField(null=True)
    door = models.CharField(max_length=16, choices=[(door.value, door.value) for door in Door])
    subject_kind = models.CharField(max_length=100, blank=True)
    subject_id = models.CharField(max_length=255, blank=True)
    subject_label = models.CharField(max_length=255, blank=True)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    correlation_id = models.CharField(max_length=64, blank=True, db_index=True)
    source_address = models.GenericIPAddressField(null=True)

    objects: ClassVar[models.Manager["AuditRecord"]] = AppendOnly.as_manager()

    class Meta:
        ordering = ("-id",)
        default_permissions = ("view",)
        indexes = (
            models.Index(fields=["subject_kind", "subject_id", "-id"], name="audit_by_subject"),
            models.Index(fields=["user_id", "-id"], name="audit_by_user"),
            models.Index(fields=["actor_name", "-id"], name="audit_by_actor"),
            models.Index(fields=["event", "-id"], name="audit_by_event"),
            models.Index(fields=["at"], name="audit_by_time"),
        )

    def __str__(self) -> str:
        return f"{self.event} by {self.actor_name}"
