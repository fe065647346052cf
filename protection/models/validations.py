"""Validations: what was found when an account was really entered."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from protection.choices import ValidationState
from protection.models.accounts import TargetAccount
from protection.models.staging import StagingAccount


class AccountValidation(models.Model):
    """One validation of a target or a staging account.

    `checks` are objects with `region` (empty for what concerns the whole account), `name`, `state`
    (a CheckState), `detail` and `remedy`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    target = models.ForeignKey(
        TargetAccount, null=True, on_delete=models.CASCADE, related_name="validations"
    )
    staging = models.ForeignKey(
        StagingAccount, null=True, on_delete=models.CASCADE, related_name="validations"
    )
    state = models.CharField(
        max_length=12, choices=ValidationState, default=ValidationState.RUNNING, editable=False
    )
    requested_by = models.CharField(max_length=254)
    started_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    checks = models.JSONField(default=list)

    class Meta:
        ordering = ("-started_at", "id")
        constraints = (
            models.CheckConstraint(
                condition=Q(target=None, staging__isnull=False)
                | Q(target__isnull=False, staging=None),
                name="protection_a_validation_is_of_one_account",
            ),
            models.UniqueConstraint(
                fields=["target"],
                condition=Q(state=ValidationState.RUNNING),
                name="protection_one_running_validation_of_a_target",
            ),
            models.UniqueConstraint(
                fields=["staging"],
                condition=Q(state=ValidationState.RUNNING),
                name="protection_one_running_validation_of_a_staging_account",
            ),
        )

    def __str__(self) -> str:
        return f"validation of {self.target or self.staging} {self.started_at:%Y-%m-%d %H:%M}"
