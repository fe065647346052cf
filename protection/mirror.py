"""What the mirror holds of accounts, servers and groups.

An item says only what its own rows say, so that a change of one object never makes another's item
wrong. An account's external id is a secret and stays in the database.
"""

from collections.abc import Iterator

from django.db.models import QuerySet

from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import epoch, moment, seconds
from drportal.mirror.projections import Projection, Style
from protection.models import AccountRegion, ProtectionGroup, SourceServer, TargetAccount


def _target_accounts(accounts: QuerySet[TargetAccount]) -> Iterator[Item]:
    for account in accounts:
        yield {
            "targetAccountId": str(account.pk),
            "accountId": account.account_id,
            "accountName": account.name,
            "status": "active" if account.active else "inactive",
            "isCurrentAccount": account.is_hub,
            "roleArn": account.role_arn,
            "hasExternalId": bool(account.external_id),
            "createdAt": moment(account.created_at),
            "updatedAt": moment(account.updated_at),
        }


def _region_status(regions: QuerySet[AccountRegion]) -> Iterator[Item]:
    for region in regions.select_related("account"):
        yield {
            "regionStatusId": str(region.pk),
            "targetAccountId": str(region.account.pk),
            "accountId": region.account.account_id,
            "region": region.region,
            "status": region.status,
            "errorMessage": region.message,
            "serverCount": region.server_count,
            "lastUpdated": moment(region.changed_at),
        }


def _source_servers(servers: QuerySet[SourceServer]) -> Iterator[Item]:
    for server in servers.select_related("account"):
        yield _identity(server) | _condition(server) | _machine(server)


def _identity(server: SourceServer) -> Item:
    return {
        "inventoryId": str(server.pk),
        "sourceServerID": server.server_id,
        "sourceServerArn": server.arn,
        "accountId": server.account.account_id,
        "replicationRegion": server.region,
        "name": server.name,
        "hostname": server.hostname,
        "tags": server.tags,
        "sourceAccountId": server.origin_account_id or None,
        "sourceRegion": server.origin_region,
        "sourceInstanceId": server.origin_instance_id,
        "stagingAccountId": server.staging_account_id or None,
        "stagingStatus": server.staging_status,
        "stagingError": server.staging_error,
        "fingerprint": server.fingerprint,
        "firstSeenAt": moment(server.first_seen_at),
        "lastUpdated": moment(server.changed_at),
        "goneAt": moment(server.gone_at),
    }


def _condition(server: SourceServer) -> Item:
    return {
        "replicationState": server.replication_state,
        "replicationError": server.replication_error,
        "lagSeconds": seconds(server.lag),
        "firstSynced": server.first_synced,
        "lastLaunchResult": server.last_launch_result,
        "recoveryInstanceId": server.recovery_instance_id,
    }


def _machine(server: SourceServer) -> Item:
    return {
        "os": server.os,
        "architecture": server.architecture,
        "recommendedInstanceType": server.recommended_instance_type,
        "cpuCores": server.cpu_cores,
        "ramBytes": server.ram_bytes,
        "diskBytes": server.disk_bytes,
        "sourceAddresses": server.source_addresses,
    }


def _protection_groups(groups: QuerySet[ProtectionGroup]) -> Iterator[Item]:
    for group in groups.select_related("account").prefetch_related("members__server"):
        yield {
            "groupId": str(group.pk),
            "groupName": group.name,
            "description": group.description,
            "targetAccountId": str(group.account.pk),
            "accountId": group.account.account_id,
            "region": group.region,
            "selection": group.selection,
            "serverSelectionTags": group.tags,
            "sourceServerIds": sorted(member.server.server_id for member in group.members.all()),
            "createdDate": epoch(group.created_at),
            "lastModifiedDate": epoch(group.updated_at),
            "createdAt": moment(group.created_at),
            "updatedAt": moment(group.updated_at),
            "version": group.version,
        }


PROJECTIONS = (
    Projection(
        kind="TargetAccounts",
        model=TargetAccount,
        key="targetAccountId",
        style=Style.CONTROL,
        build=_target_accounts,
        indexes=(Index("AccountIndex", "accountId"),),
    ),
    Projection(
        kind="RegionStatus",
        model=AccountRegion,
        key="regionStatusId",
        style=Style.BATCH,
        build=_region_status,
        indexes=(Index("AccountIndex", "accountId", "region"),),
    ),
    Projection(
        kind="SourceServerInventory",
        model=SourceServer,
        key="inventoryId",
        style=Style.BATCH,
        build=_source_servers,
        indexes=(
            Index("AccountIndex", "accountId", "replicationRegion"),
            Index("SourceAccountIndex", "sourceAccountId", "sourceServerArn"),
            Index("StagingAccountIndex", "stagingAccountId", "sourceServerArn"),
        ),
    ),
    Projection(
        kind="ProtectionGroups",
        model=ProtectionGroup,
        key="groupId",
        style=Style.CONTROL,
        build=_protection_groups,
        indexes=(Index("AccountIndex", "accountId", "region"),),
    ),
)
