"""Marking what goes with an object when it is deleted: the database deletes it by itself."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import QuerySet

from drportal.mirror.services import mark
from protection.models import (
    GroupVersion,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    StagingLink,
    TargetAccount,
)


def mark_with_account(account: TargetAccount) -> None:
    """Mark an account that is about to be deleted, and all that goes or changes with it."""
    mark("TargetAccounts", account.pk)
    mark("RegionStatus", *account.regions.values_list("pk", flat=True))
    mark_with_servers(list(account.servers.values_list("pk", flat=True)))
    mark("RecoveryInstanceInventory", *account.recovery_instances.values_list("pk", flat=True))
    served = StagingLink.objects.filter(target=account).order_by()
    mark("StagingAccounts", *served.values_list("staging_id", flat=True))


def mark_with_servers(servers: Collection[UUID]) -> None:
    """Mark source servers that are about to be deleted, and their launch settings."""
    mark("SourceServerInventory", *servers)
    mark_settings(LaunchSettings.objects.filter(server__in=servers))


def mark_with_group(group: ProtectionGroup) -> None:
    """Mark a group that is about to be deleted, its versions and its launch settings."""
    mark("ProtectionGroups", group.pk)
    versions = GroupVersion.objects.filter(group=group).order_by()
    mark("ProtectionGroupVersions", *versions.values_list("pk", flat=True))
    mark_settings(LaunchSettings.objects.filter(group=group))


def mark_settings(found: QuerySet[LaunchSettings]) -> None:
    """Mark launch settings with all their versions."""
    mark("LaunchConfigurations", *found.order_by().values_list("pk", flat=True))
    versions = LaunchSettingsVersion.objects.filter(settings__in=found.order_by()).order_by()
    mark("LaunchConfigurationVersions", *versions.values_list("pk", flat=True))
