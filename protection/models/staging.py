"""Staging accounts: whose servers replicate there and are recovered in a target account."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.aws.scope import Account, Scope
from protection.choices import ExtensionState
from protection.models.accounts import TargetAccount


class StagingAccount(models.Model):
    """An AWS account whose staging area servers replicate to. It may serve several targets."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account_id = models.CharField("account id", max_length=12, unique=True)
    name = models.CharField(max_length=64)
    role_arn = models.CharField("role ARN", max_length=600)
    external_id = models.CharField("external id", max_length=1224, blank=True, default="")
    external_id_lost = models.BooleanField(default=False, editable=False)
    targets = models.ManyToManyField(
        TargetAccount, through="protection.StagingLink", related_name="staging_accounts"
    )
    last_validated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "account_id")
        constraints = (
            models.CheckConstraint(
                condition=Q(account_id__regex=r"^\d{12}$"),
                name="protection_staging_account_id_has_12_digits",
            ),
            models.CheckConstraint(
                condition=~Q(role_arn=""), name="protection_a_staging_account_has_a_role"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.account_id})"

    @property
    def partition(self) -> str:
        """The AWS partition, as the role's ARN says."""
        return self.role_arn.split(":")[1]

    def way_in(self) -> Account:
        """How the gateway gets into this account."""
        lost = self.lacks_external_id
        return Account(self.account_id, self.role_arn, self.external_id, external_id_lost=lost)

    @property
    def lacks_external_id(self) -> bool:
        """Whether it has an external id that a restore could not give back: it is a secret, and
        the account is not entered without it.
        """
        return self.external_id_lost and not self.external_id

    def scope(self, region: str) -> Scope:
        return Scope(self.way_in(), region)


class StagingLink(models.Model):
    """That a staging account serves a target."""

    target = models.ForeignKey(TargetAccount, on_delete=models.CASCADE, related_name="+")
    staging = models.ForeignKey(StagingAccount, on_delete=models.CASCADE, related_name="links")
    added_at = models.DateTimeField(default=timezone.now, editable=False)
    added_by = models.CharField(max_length=254)

    class Meta:
        ordering = ("target", "staging")
        constraints = (
            models.UniqueConstraint(
                fields=["target", "staging"], name="protection_staging_account_once_in_a_target"
            ),
        )

    def __str__(self) -> str:
        return f"{self.staging} for {self.target}"


class StagingServer(models.Model):
    """A server of a staging account that a target account can extend, or has extended.

    `message` says why it is not extended. After a failure it is tried again at `next_try_at`, each
    time later than the last.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(StagingLink, on_delete=models.CASCADE, related_name="servers")
    region = models.CharField(max_length=32)
    arn = models.CharField("ARN", max_length=200)
    hostname = models.CharField(max_length=256, blank=True, default="")
    state = models.CharField(
        max_length=12, choices=ExtensionState, default=ExtensionState.FOUND, editable=False
    )
    message = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    next_try_at = models.DateTimeField(null=True)
    extended_at = models.DateTimeField(null=True)
    first_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("link", "region", "hostname", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["link", "arn"], name="protection_one_row_per_staging_server"
            ),
        )

    def __str__(self) -> str:
        return self.hostname or self.arn
