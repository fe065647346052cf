"""What the API remembers between requests."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class IdempotencyKey(models.Model):
    """The answer to a write that named a key, so that asking again does not do it again.

    It is written in the transaction of the write itself: there is no effect without its row, and
    no row without its effect. `digest` is of the request's path, parameters and body.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=2000)
    digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["user", "key"], name="api_one_answer_per_key"),
        )
        indexes = (models.Index(fields=["created_at"], name="api_idempotency_by_age"),)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
