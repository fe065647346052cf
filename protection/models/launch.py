"""Launch settings: what was set at which level, how it was applied, and whether it still holds."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from protection.choices import (
    AppliedState,
    ApplyState,
    Combination,
    DriftState,
    SettingsLevel,
)
from protection.models.groups import ProtectionGroup
from protection.models.servers import SourceServer

_LIVE = (ApplyState.PENDING, ApplyState.RUNNING)


class LaunchSettings(models.Model):
    """What one level sets: `values` holds only what it sets, by the names of the API.

    The settings of a server are those in one of its groups: `combination` says whether they add
    to the group's or replace them.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    level = models.CharField(max_length=12, choices=SettingsLevel)
    group = models.ForeignKey(
        ProtectionGroup, null=True, on_delete=models.CASCADE, related_name="launch_settings"
    )
    server = models.ForeignKey(
        SourceServer, null=True, on_delete=models.CASCADE, related_name="launch_settings"
    )
    combination = models.CharField(
        max_length=8, choices=Combination, default=Combination.ADD, blank=True
    )
    values = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = verbose_name_plural = "launch settings"
        ordering = ("level", "group", "server")
        constraints = (
            models.CheckConstraint(
                condition=Q(level=SettingsLevel.INSTALLATION, group=None, server=None)
                | Q(level=SettingsLevel.GROUP, group__isnull=False, server=None)
                | Q(level=SettingsLevel.SERVER, group__isnull=False, server__isnull=False),
                name="protection_launch_settings_are_of_their_level",
            ),
            models.UniqueConstraint(
                fields=["level"],
                condition=Q(level=SettingsLevel.INSTALLATION),
                name="protection_one_row_of_installation_settings",
            ),
            models.UniqueConstraint(
                fields=["group"],
                condition=Q(level=SettingsLevel.GROUP),
                name="protection_one_row_of_settings_per_group",
            ),
            models.UniqueConstraint(
                fields=["group", "server"],
                condition=Q(level=SettingsLevel.SERVER),
                name="protection_one_row_of_settings_per_server_in_a_group",
            ),
        )

    def __str__(self) -> str:
        if self.level == SettingsLevel.INSTALLATION:
            return "launch settings of the installation"
        return f"launch settings of {self.server or self.group}"


class LaunchSettingsVersion(models.Model):
    """What launch settings said at one time. Never changed: a trigger refuses it."""

    settings = models.ForeignKey(LaunchSettings, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by_id = models.BigIntegerField(null=True)
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ("settings", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=["settings", "number"], name="protection_settings_version_is_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.settings} version {self.number}"


class LaunchAddress(models.Model):
    """A private address that launch settings give to a server. It is given once in a subnet."""

    settings = models.OneToOneField(
        LaunchSettings, on_delete=models.CASCADE, related_name="address"
    )
    subnet_id = models.CharField(max_length=24)
    private_ip = models.GenericIPAddressField(protocol="IPv4")

    class Meta:
        verbose_name_plural = "launch addresses"
        constraints = (
            models.UniqueConstraint(
                fields=["subnet_id", "private_ip"], name="protection_address_given_once_in_a_subnet"
            ),
        )

    def __str__(self) -> str:
        return f"{self.private_ip} in {self.subnet_id}"


class LaunchApply(models.Model):
    """One applying of a group's launch settings to its servers in DRS and EC2.

    `unverified` says that somebody chose to apply what AWS could not be asked about. With a
    `holder_id`, it is for what holds the group and needs it as it is set, and for as long as that.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    group = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE, related_name="applies")
    state = models.CharField(
        max_length=12, choices=ApplyState, default=ApplyState.PENDING, editable=False
    )
    requested_by = models.CharField(max_length=254)
    unverified = models.BooleanField(default=False)
    holder_id = models.UUIDField(null=True, db_index=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    finished_at = models.DateTimeField(null=True)
    message = models.CharField(max_length=2000, blank=True, default="")

    class Meta:
        verbose_name_plural = "launch applies"
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["group"],
                condition=Q(state__in=_LIVE),
                name="protection_one_live_apply_per_group",
            ),
        )

    def __str__(self) -> str:
        return f"launch settings of {self.group} {self.created_at:%Y-%m-%d %H:%M}"


class LaunchApplyServer(models.Model):
    """What became of one server in an applying."""

    apply = models.ForeignKey(LaunchApply, on_delete=models.CASCADE, related_name="servers")
    server = models.ForeignKey(SourceServer, on_delete=models.CASCADE, related_name="+")
    values = models.JSONField(default=dict)
    state = models.CharField(
        max_length=12, choices=AppliedState, default=AppliedState.PENDING, editable=False
    )
    message = models.TextField(blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    template_version = models.PositiveIntegerField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("apply", "server")
        constraints = (
            models.UniqueConstraint(
                fields=["apply", "server"], name="protection_server_once_in_an_apply"
            ),
        )

    def __str__(self) -> str:
        return f"{self.server}: {self.get_state_display()}"


class LaunchStanding(models.Model):
    """What was last applied to a server in a group, and whether DRS and EC2 still hold it.

    `differences` are objects with `field`, `intended` and `actual`.
    """

    group = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE, related_name="standings")
    server = models.ForeignKey(SourceServer, on_delete=models.CASCADE, related_name="standings")
    applied_values = models.JSONField(null=True)
    applied_at = models.DateTimeField(null=True)
    applied_by = models.CharField(max_length=254, blank=True, default="")
    drift = models.CharField(
        max_length=12, choices=DriftState, default=DriftState.UNKNOWN, editable=False
    )
    differences = models.JSONField(default=list)
    message = models.TextField(blank=True, default="")
    checked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "server"], name="protection_one_standing_per_server_in_a_group"
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} in {self.group}: {self.get_drift_display()}"
