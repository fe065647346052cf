"""What the mirror holds of groups, launch settings, their versions, and what else is set."""

from collections.abc import Iterator

from django.db.models import Prefetch, QuerySet
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from drportal.aws.dynamodb import Item
from drportal.mirror.attributes import epoch, moment
from protection.models import (
    GroupMember,
    GroupVersion,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    TagSyncSettings,
)


def protection_groups(groups: QuerySet[ProtectionGroup]) -> Iterator[Item]:
    """An item for each group, with its explicit servers by DRS's id and by the inventory's."""
    members = GroupMember.objects.select_related("server").order_by("server__server_id", "id")
    for group in groups.select_related("account").prefetch_related(Prefetch("members", members)):
        servers = [member.server for member in group.members.all()]
        yield {
            "groupId": str(group.pk),
            "groupName": group.name,
            "description": group.description,
            "owner": group.owner,
            "targetAccountId": str(group.account.pk),
            "accountId": group.account.account_id,
            "region": group.region,
            "selection": group.selection,
            "allowsOverlap": group.allows_overlap,
            "serverSelectionTags": group.tags,
            "sourceServerIds": [server.server_id for server in servers],
            "inventoryIds": [str(server.pk) for server in servers],
            "createdDate": epoch(group.created_at),
            "lastModifiedDate": epoch(group.updated_at),
            "createdAt": moment(group.created_at),
            "updatedAt": moment(group.updated_at),
            "version": group.version,
        }


def launch_configurations(found: QuerySet[LaunchSettings]) -> Iterator[Item]:
    """An item for the launch settings of each level, group and server.

    The address that they give to a server is in the values; its own row says nothing more.
    """
    for settings in found.select_related("server", "address"):
        address = getattr(settings, "address", None)
        yield {
            "launchConfigurationId": str(settings.pk),
            "level": settings.level,
            "groupId": str(settings.group_id) if settings.group_id else None,
            "inventoryId": str(settings.server_id) if settings.server_id else None,
            "sourceServerID": settings.server.server_id if settings.server else None,
            "combination": settings.combination,
            "values": settings.values,
            "address": address and {"subnetId": address.subnet_id, "privateIp": address.private_ip},
            "createdAt": moment(settings.created_at),
            "updatedAt": moment(settings.updated_at),
            "version": settings.version,
        }


def group_versions(versions: QuerySet[GroupVersion]) -> Iterator[Item]:
    """An item for each version of a group."""
    for version in versions:
        yield _version(version) | {"groupId": str(version.group_id)}


def launch_versions(versions: QuerySet[LaunchSettingsVersion]) -> Iterator[Item]:
    """An item for each version of launch settings."""
    for version in versions:
        yield _version(version) | {"launchConfigurationId": str(version.settings_id)}


def _version(version: GroupVersion | LaunchSettingsVersion) -> Item:
    return {
        "versionId": str(version.pk),
        "number": version.number,
        "document": version.document,
        "createdAt": moment(version.created_at),
        "createdBy": version.created_by,
        "createdById": version.created_by_id,
    }


def tag_sync_settings(found: QuerySet[TagSyncSettings]) -> Iterator[Item]:
    """An item for the one row of settings."""
    for settings in found:
        yield {
            "settingsId": str(settings.pk),
            "includeAccounts": settings.include_accounts,
            "excludeAccounts": settings.exclude_accounts,
            "includeKeys": settings.include_keys,
            "excludeKeys": settings.exclude_keys,
            "keyMapping": settings.key_mapping,
            "dryRun": settings.dry_run,
            "updatedAt": moment(settings.updated_at),
            "version": settings.version,
        }


def schedules(tasks: QuerySet[PeriodicTask]) -> Iterator[Item]:
    """An item for each scheduled task: whether it is sent, and how often.

    What else beat keeps of it is made by the portal, or noted by beat all the time.
    """
    for task in tasks.select_related("interval", "crontab"):
        yield {
            "scheduleName": task.name,
            "task": task.task,
            "queue": task.queue,
            "expireSeconds": task.expire_seconds,
            "arguments": task.kwargs,
            "enabled": task.enabled,
            "every": task.interval.every if task.interval else None,
            "period": task.interval.period if task.interval else None,
            "crontab": _crontab(task.crontab) if task.crontab else None,
        }


def _crontab(crontab: CrontabSchedule) -> Item:
    return {
        "minute": crontab.minute,
        "hour": crontab.hour,
        "day_of_month": crontab.day_of_month,
        "month_of_year": crontab.month_of_year,
        "day_of_week": crontab.day_of_week,
        "timezone": str(crontab.timezone),
    }
