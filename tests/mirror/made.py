"""Rows of what is configured around a group, as no service would make them all at once."""

from itertools import count

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from protection.choices import SettingsLevel
from protection.models import (
    GroupVersion,
    LaunchAddress,
    LaunchSettings,
    LaunchSettingsVersion,
    ProtectionGroup,
    RecoveryInstance,
    StagingAccount,
    StagingLink,
    TagSyncSettings,
)

_numbers = count(1)


def everything_set_of(group: ProtectionGroup) -> None:
    """All that may be set or known around an explicit group: staging, settings, versions, ..."""
    number = next(_numbers)
    account, server = group.account, group.members.get().server
    staging = StagingAccount.objects.create(
        account_id=f"{800_000_000_000 + number}",
        name=f"staging {number}",
        role_arn=f"arn:aws:iam::{800_000_000_000 + number}:role/DRSOrchestrationRole",
        external_id=f"never-shown-staging-{number}",
    )
    StagingLink.objects.create(target=account, staging=staging, added_by="somebody")
    RecoveryInstance.objects.create(
        account=account,
        region=group.region,
        instance_id=f"i-{number:017x}",
        server_id=server.server_id,
        fingerprint="f",
        is_drill=True,
    )
    GroupVersion.objects.create(
        group=group, number=group.versions.count() + 1, document={"name": group.name}
    )
    _settings(group, number)
    TagSyncSettings.objects.get_or_create(id=1, defaults={"exclude_keys": ["aws:*"]})
    interval, _ = IntervalSchedule.objects.get_or_create(every=300, period="seconds")
    PeriodicTask.objects.create(
        name=f"Sync {number}", task="protection.sync_inventory", interval=interval
    )


def _settings(group: ProtectionGroup, number: int) -> None:
    of_group = LaunchSettings.objects.create(
        level=SettingsLevel.GROUP, group=group, values={"copyTags": True}
    )
    LaunchSettingsVersion.objects.create(settings=of_group, number=1, document={"copyTags": True})
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    of_server = LaunchSettings.objects.create(
        level=SettingsLevel.SERVER,
        group=group,
        server=group.members.get().server,
        values={"staticPrivateIp": address, "subnetId": "subnet-1"},
    )
    LaunchAddress.objects.create(settings=of_server, subnet_id="subnet-1", private_ip=address)
