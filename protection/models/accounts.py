"""Target accounts, and what each of their Regions last answered."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.aws.scope import Account, Scope
from protection.choices import RegionStatus


class TargetAccount(models.Model):
    """An AWS account whose servers the portal recovers. The hub is the portal's own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account_id = models.CharField("account id", max_length=12, unique=True)
    name = models.CharField(max_length=64)
    is_hub = models.BooleanField("hub", default=False)
    role_arn = models.CharField("role ARN", max_length=600, blank=True, default="")
    external_id = models.CharField("external id", max_length=1224, blank=True, default="")
    external_id_lost = models.BooleanField(default=False, editable=False)
    active = models.BooleanField(default=True)
    last_validated_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "account_id")
        permissions = (("share_targetaccount", "Can share target account"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(account_id__regex=r"^\d{12}$"),
                name="protection_account_id_has_12_digits",
            ),
            models.UniqueConstraint(
                fields=["is_hub"], condition=Q(is_hub=True), name="protection_one_hub"
            ),
            models.CheckConstraint(
                condition=Q(is_hub=True, role_arn="") | Q(is_hub=False) & ~Q(role_arn=""),
                name="protection_only_the_hub_has_no_role",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.account_id})"

    @property
    def partition(self) -> str:
        """The AWS partition, as the role's ARN says; the hub's is that of its DRS Regions."""
        return self.role_arn.split(":")[1] if self.role_arn else "aws"

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


class AccountRegion(models.Model):
    """One Region of one account: what it last answered, and what we last knew.

    `server_count` is what the last *complete* listing held, None if there was none; an error
    changes `status` and `message` and leaves it as it is. `changed_at` is when any of the three
    last changed. The same of recovery instances is in the columns that begin with `instance`.
    `origin_facts_at` is when EC2 last told of the servers managed here where they come from, and
    `origin_message` why it did not.
    """

    account = models.ForeignKey(TargetAccount, on_delete=models.CASCADE, related_name="regions")
    region = models.CharField(max_length=32)
    status = models.CharField(
        max_length=24, choices=RegionStatus, default=RegionStatus.UNKNOWN, editable=False
    )
    message = models.TextField(blank=True, default="", editable=False)
    server_count = models.PositiveIntegerField(null=True, editable=False)
    checked_at = models.DateTimeField(null=True, editable=False)
    listed_at = models.DateTimeField(null=True, editable=False)
    next_check_at = models.DateTimeField(null=True, editable=False)
    changed_at = models.DateTimeField(null=True, editable=False)
    instance_status = models.CharField(
        max_length=24, choices=RegionStatus, default=RegionStatus.UNKNOWN, editable=False
    )
    instance_message = models.TextField(blank=True, default="", editable=False)
    instance_count = models.PositiveIntegerField(null=True, editable=False)
    instances_listed_at = models.DateTimeField(null=True, editable=False)
    origin_facts_at = models.DateTimeField(null=True, editable=False)
    origin_message = models.TextField(blank=True, default="", editable=False)

    class Meta:
        ordering = ("account", "region")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "region"], name="protection_one_row_per_account_and_region"
            ),
            models.CheckConstraint(
                condition=Q(server_count=None, listed_at=None)
                | Q(server_count__isnull=False, listed_at__isnull=False),
                name="protection_a_count_has_its_time",
            ),
            models.CheckConstraint(
                condition=Q(instance_count=None, instances_listed_at=None)
                | Q(instance_count__isnull=False, instances_listed_at__isnull=False),
                name="protection_an_instance_count_has_its_time",
            ),
        )

    def __str__(self) -> str:
        return f"{self.account.account_id}/{self.region}"
