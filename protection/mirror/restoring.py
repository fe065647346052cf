"""From the mirror's items back to accounts, servers, groups and their settings."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import Model
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from drportal.aws.dynamodb import Item
from drportal.mirror.rows import Restoration, columns, time
from protection.choices import SettingsLevel
from protection.models import (
    AccountRegion,
    GroupMember,
    GroupVersion,
    LaunchAddress,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    StagingAccount,
    StagingLink,
    TagSyncSettings,
    TargetAccount,
)

_ACCOUNT: Final = {
    "account_id": "accountId",
    "name": "accountName",
    "role_arn": "roleArn",
    "last_validated_at": "lastValidatedAt",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
}
_REGION: Final = {
    "id": "regionStatusId",
    "account": "targetAccountId",
    "region": "region",
    "status": "status",
    "message": "errorMessage",
    "changed_at": "lastUpdated",
    "instance_status": "instanceStatus",
    "instance_message": "instanceErrorMessage",
    "origin_facts_at": "originFactsAt",
    "origin_message": "originErrorMessage",
}
_SERVER: Final = {
    "id": "inventoryId",
    "server_id": "sourceServerID",
    "arn": "sourceServerArn",
    "account": "targetAccountId",
    "region": "replicationRegion",
    "name": "name",
    "hostname": "hostname",
    "tags": "tags",
    "synced_tags": "syncedTags",
    "staging_account_id": "stagingAccountId",
    "staging_status": "stagingStatus",
    "staging_error": "stagingError",
    "fingerprint": "fingerprint",
    "first_seen_at": "firstSeenAt",
    "changed_at": "lastUpdated",
    "gone_at": "goneAt",
    "replication_state": "replicationState",
    "replication_error": "replicationError",
    "lag": "lagSeconds",
    "first_synced": "firstSynced",
    "last_launch_result": "lastLaunchResult",
    "recovery_instance_id": "recoveryInstanceId",
    "os": "os",
    "architecture": "architecture",
    "recommended_instance_type": "recommendedInstanceType",
    "cpu_cores": "cpuCores",
    "ram_bytes": "ramBytes",
    "disk_bytes": "diskBytes",
    "source_addresses": "sourceAddresses",
    "origin_account_id": "sourceAccountId",
    "origin_region": "sourceRegion",
    "origin_instance_id": "sourceInstanceId",
    "origin_instance_type": "sourceInstanceType",
    "origin_tags": "sourceTags",
}
_NETWORK: Final = {
    "origin_vpc_id": "vpcId",
    "origin_subnet_id": "subnetId",
    "origin_private_ip": "privateIp",
    "origin_security_group_ids": "securityGroups",
    "origin_instance_profile": "instanceProfile",
}
_INSTANCE: Final = {
    "id": "recoveryInventoryId",
    "account": "targetAccountId",
    "region": "region",
    "instance_id": "recoveryInstanceId",
    "arn": "recoveryInstanceArn",
    "server_id": "sourceServerId",
    "job_id": "jobId",
    "name": "name",
    "is_drill": "isDrill",
    "point_in_time": "pointInTime",
    "launched_at": "launchTime",
    "tags": "tags",
    "fingerprint": "fingerprint",
    "first_seen_at": "firstSeenAt",
    "changed_at": "lastUpdated",
    "ec2_state": "ec2InstanceState",
    "failback_state": "failbackState",
    "replication_state": "replicationState",
    "instance_type": "instanceType",
    "private_ip": "privateIp",
    "public_ip": "publicIp",
    "vpc_id": "vpcId",
    "subnet_id": "subnetId",
    "availability_zone": "availabilityZone",
}
_GROUP: Final = {
    "id": "groupId",
    "name": "groupName",
    "description": "description",
    "owner": "owner",
    "account": "targetAccountId",
    "region": "region",
    "selection": "selection",
    "allows_overlap": "allowsOverlap",
    "tags": "serverSelectionTags",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "version": "version",
}
_SETTINGS: Final = {
    "id": "launchConfigurationId",
    "level": "level",
    "group": "groupId",
    "server": "inventoryId",
    "combination": "combination",
    "values": "values",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "version": "version",
}
VERSION: Final = {
    "id": "versionId",
    "number": "number",
    "document": "document",
    "created_at": "createdAt",
    "created_by": "createdBy",
    "created_by_id": "createdById",
}
_TAG_SYNC: Final = {
    "id": "settingsId",
    "include_accounts": "includeAccounts",
    "exclude_accounts": "excludeAccounts",
    "include_keys": "includeKeys",
    "exclude_keys": "excludeKeys",
    "key_mapping": "keyMapping",
    "dry_run": "dryRun",
    "updated_at": "updatedAt",
    "version": "version",
}
_SCHEDULE: Final = {
    "name": "scheduleName",
    "task": "task",
    "queue": "queue",
    "expire_seconds": "expireSeconds",
    "kwargs": "arguments",
}


def target_accounts(items: Iterable[Item], done: Restoration) -> None:
    """Accounts, without their external ids: those that had one say so."""
    names = _ACCOUNT | {"id": "targetAccountId", "is_hub": "isCurrentAccount"}
    done.write(
        TargetAccount(
            **columns(TargetAccount, item, names),
            active=item["status"] == "active",
            external_id_lost=bool(item["hasExternalId"]),
        )
        for item in items
    )


def staging_accounts(items: Iterable[Item], done: Restoration) -> None:
    """Staging accounts, and which targets they serve."""
    names = _ACCOUNT | {"id": "stagingAccountId"}
    for item in items:
        account = StagingAccount(
            **columns(StagingAccount, item, names), external_id_lost=bool(item["hasExternalId"])
        )
        for written in done.insert([account]):
            done.write(
                StagingLink(
                    staging=written,
                    target_id=UUID(link["targetAccountId"]),
                    added_at=datetime.fromisoformat(link["addedAt"]),
                    added_by=link["addedBy"],
                )
                for link in item["targets"]
            )


def region_status(items: Iterable[Item], done: Restoration) -> None:
    """Regions, with their counts as of the last listing that was sent."""
    done.write(
        AccountRegion(
            **columns(AccountRegion, item, _REGION),
            **_count(item, "server_count", "listed_at", "serverCount", "listedAt"),
            **_count(
                item, "instance_count", "instances_listed_at", "instanceCount", "instancesListedAt"
            ),
        )
        for item in items
    )


def _count(item: Item, count: str, listed_at: str, counted: str, at: str) -> dict[str, Any]:
    """A count has its time: without one it is unknown, which is not zero."""
    if item.get(counted) is None or item.get(at) is None:
        return {count: None, listed_at: None}
    return {count: item[counted], listed_at: time(item[at])}


def source_servers(items: Iterable[Item], done: Restoration) -> None:
    """Source servers."""
    done.write(
        SourceServer(
            **columns(SourceServer, item, _SERVER),
            **columns(SourceServer, item["ec2NetworkConfig"], _NETWORK),
        )
        for item in items
    )


def recovery_instances(items: Iterable[Item], done: Restoration) -> None:
    """Recovery instances."""
    done.write(_made(RecoveryInstance, items, _INSTANCE))


def protection_groups(items: Iterable[Item], done: Restoration) -> None:
    """Groups, with their explicit servers."""
    for item in items:
        for group in done.insert([ProtectionGroup(**columns(ProtectionGroup, item, _GROUP))]):
            named = dict(zip(item["inventoryIds"], item["sourceServerIds"], strict=True))
            done.write(list(_members(group, named, done)))


def _members(
    group: ProtectionGroup, named: Mapping[str, str], done: Restoration
) -> Iterator[GroupMember]:
    known = SourceServer.objects.filter(pk__in=list(named)).values_list("pk", flat=True)
    missing = named.keys() - set(map(str, known))
    for pk, server_id in named.items():
        if pk in missing:
            _make_known(group, pk, server_id, done)
        yield GroupMember(group=group, server_id=UUID(pk))


def _make_known(group: ProtectionGroup, pk: str, server_id: str, done: Restoration) -> None:
    """A server whose item had not been sent yet is not lost: the next listing tells the rest."""
    account = group.account.account_id
    arn = f"arn:{group.account.partition}:drs:{group.region}:{account}:source-server/{server_id}"
    server = SourceServer(id=UUID(pk), account_id=group.account_id, region=group.region)
    server.server_id, server.name, server.arn = server_id, server_id, arn
    for written in done.insert([server]):
        done.behind("SourceServerInventory", written.pk)


def group_versions(items: Iterable[Item], done: Restoration) -> None:
    """Versions of groups."""
    done.write(_made(GroupVersion, items, VERSION | {"group": "groupId"}))


def launch_configurations(items: Iterable[Item], done: Restoration) -> None:
    """Launch settings, and the addresses that they give."""
    for item in items:
        if item["level"] != SettingsLevel.INSTALLATION and "groupId" not in item:
            done.leave_out(f"launch settings {item['launchConfigurationId']}", "no group is named")
            continue
        settings = LaunchSettings(**columns(LaunchSettings, item, _SETTINGS))
        for written in done.insert([settings]):
            given = item.get("address")
            if given:
                done.write(
                    [
                        LaunchAddress(
                            settings=written,
                            subnet_id=given["subnetId"],
                            private_ip=given["privateIp"],
                        )
                    ]
                )


def launch_versions(items: Iterable[Item], done: Restoration) -> None:
    """Versions of launch settings."""
    names = VERSION | {"settings": "launchConfigurationId"}
    done.write(_made(LaunchSettingsVersion, items, names))


def tag_sync_settings(items: Iterable[Item], done: Restoration) -> None:
    """The settings of the tag sync."""
    done.write(_made(TagSyncSettings, items, _TAG_SYNC))


def schedules(items: Iterable[Item], done: Restoration) -> None:
    """What beat sends, and how often. A row that is there already is given people's choices."""
    for item in items:
        chosen = {"enabled": item["enabled"], **_pace(item)}
        if not PeriodicTask.objects.filter(name=item["scheduleName"]).update(**chosen):
            task = PeriodicTask(**columns(PeriodicTask, item, _SCHEDULE), **chosen)
            done.write([task])
    PeriodicTasks.update_changed()


def _pace(item: Item) -> dict[str, Any]:
    if "crontab" in item:
        return {"crontab": CrontabSchedule.objects.get_or_create(**item["crontab"])[0]}
    every = {"every": item["every"], "period": item["period"]}
    return {"interval": IntervalSchedule.objects.get_or_create(**every)[0]}


def _made(model: type[Model], items: Iterable[Item], names: dict[str, str]) -> Iterator[Model]:
    return (model(**columns(model, item, names)) for item in items)
