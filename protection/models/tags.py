"""How the tag sync works in this installation."""

from django.db import models
from django.db.models import Q
from django.utils import timezone


class TagSyncSettings(models.Model):
    """What the tag sync takes from EC2 to DRS. There is one row; how often is beat's schedule.

    Accounts are 12-digit ids; empty lists mean all, and none. Key patterns are shell patterns
    (`*`, `?`). `key_mapping` gives a tag another key in DRS. With `dry_run` nothing is set.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    include_accounts = models.JSONField(default=list, blank=True)
    exclude_accounts = models.JSONField(default=list, blank=True)
    include_keys = models.JSONField(default=list, blank=True)
    exclude_keys = models.JSONField(default=list, blank=True)
    key_mapping = models.JSONField(default=dict, blank=True)
    dry_run = models.BooleanField(default=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "tag sync settings"
        constraints = (
            models.CheckConstraint(condition=Q(id=1), name="protection_one_row_of_tag_settings"),
        )

    def __str__(self) -> str:
        return "tag sync settings"
