"""What the mirror holds of accounts, servers, groups and their settings.

An item says only what its own rows say, so that a change of one object never makes another's item
wrong. An external id is a secret and stays in the database.
"""

from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from drportal.aws.dynamodb import Index
from drportal.jobs import OUR_TASKS
from drportal.mirror.projections import Projection, Style
from protection.mirror import accounts, groups, restoring, servers
from protection.models import (
    AccountRegion,
    GroupVersion,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    StagingAccount,
    TagSyncSettings,
    TargetAccount,
)

PROJECTIONS = (
    Projection(
        kind="TargetAccounts",
        model=TargetAccount,
        key="targetAccountId",
        style=Style.CONTROL,
        build=accounts.target_accounts,
        restore=restoring.target_accounts,
        lacking=accounts.lacking_target_ids,
        indexes=(Index("AccountIndex", "accountId"),),
    ),
    Projection(
        kind="StagingAccounts",
        model=StagingAccount,
        key="stagingAccountId",
        style=Style.CONTROL,
        build=accounts.staging_accounts,
        restore=restoring.staging_accounts,
        lacking=accounts.lacking_staging_ids,
        indexes=(Index("AccountIndex", "accountId"),),
    ),
    Projection(
        kind="RegionStatus",
        model=AccountRegion,
        key="regionStatusId",
        style=Style.BATCH,
        build=accounts.region_status,
        restore=restoring.region_status,
        indexes=(Index("AccountIndex", "accountId", "region"),),
        passing=frozenset({"listedAt", "instancesListedAt", "originFactsAt"}),
    ),
    Projection(
        kind="SourceServerInventory",
        model=SourceServer,
        key="inventoryId",
        style=Style.BATCH,
        build=servers.source_servers,
        restore=restoring.source_servers,
        indexes=(
            Index("AccountIndex", "accountId", "replicationRegion"),
            Index("SourceAccountIndex", "sourceAccountId", "sourceServerArn"),
            Index("StagingAccountIndex", "stagingAccountId", "sourceServerArn"),
        ),
    ),
    Projection(
        kind="RecoveryInstanceInventory",
        model=RecoveryInstance,
        key="recoveryInventoryId",
        style=Style.BATCH,
        build=servers.recovery_instances,
        restore=restoring.recovery_instances,
        indexes=(
            Index("AccountIndex", "accountId", "region"),
            Index("SourceServerIndex", "sourceServerId"),
        ),
    ),
    Projection(
        kind="ProtectionGroups",
        model=ProtectionGroup,
        key="groupId",
        style=Style.CONTROL,
        build=groups.protection_groups,
        restore=restoring.protection_groups,
        indexes=(Index("AccountIndex", "accountId", "region"),),
    ),
    Projection(
        kind="ProtectionGroupVersions",
        model=GroupVersion,
        key="versionId",
        style=Style.BATCH,
        build=groups.group_versions,
        restore=restoring.group_versions,
        indexes=(Index("GroupIndex", "groupId", "createdAt"),),
    ),
    Projection(
        kind="LaunchConfigurations",
        model=LaunchSettings,
        key="launchConfigurationId",
        style=Style.CONTROL,
        build=groups.launch_configurations,
        restore=restoring.launch_configurations,
        indexes=(Index("GroupIndex", "groupId"),),
    ),
    Projection(
        kind="LaunchConfigurationVersions",
        model=LaunchSettingsVersion,
        key="versionId",
        style=Style.BATCH,
        build=groups.launch_versions,
        restore=restoring.launch_versions,
        indexes=(Index("LaunchConfigurationIndex", "launchConfigurationId", "createdAt"),),
    ),
    Projection(
        kind="TagSyncSettings",
        model=TagSyncSettings,
        key="settingsId",
        style=Style.CONTROL,
        build=groups.tag_sync_settings,
        restore=restoring.tag_sync_settings,
    ),
    Projection(
        kind="Schedules",
        model=PeriodicTask,
        key="scheduleName",
        field="name",
        style=Style.CONTROL,
        build=groups.schedules,
        restore=restoring.schedules,
        preset=True,
        among=Q(task__regex=OUR_TASKS),
    ),
)
