"""Questions about what is protected. Each costs a fixed number of queries."""

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from drportal.access import Anybody, allowed, visible
from protection.choices import Readiness, RegionStatus, SyncKind
from protection.models import (
    AccountRegion,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    SyncRun,
    TagSyncSettings,
    TargetAccount,
)
from protection.permissions import (
    AccountPermission,
    GroupPermission,
    InstancePermission,
    ServerPermission,
)
from protection.rules.readiness import Verdict, verdict
from protection.rules.selection import matching

# Four missed syncs: older facts do not say what is so now.
STALE_AFTER = timedelta(minutes=20)
INSTANCES_STALE_AFTER = timedelta(minutes=40)


def accounts_for(user: Anybody) -> QuerySet[TargetAccount]:
    """The accounts that `user` may see: those to which they may do anything at all."""
    return visible(user, *AccountPermission, among=TargetAccount.objects.all())


def groups_for(user: Anybody) -> QuerySet[ProtectionGroup]:
    """The groups that `user` may see: those to which they may do anything at all."""
    return visible(user, *GroupPermission, among=ProtectionGroup.objects.all())


def servers_for(user: Anybody) -> QuerySet[SourceServer]:
    """The servers that `user` may see: all, or those of the accounts that they may see."""
    if user.is_authenticated and allowed(user, ServerPermission.VIEW):
        return SourceServer.objects.all()
    return SourceServer.objects.filter(account__in=accounts_for(user).order_by())


def servers_chosen(group: ProtectionGroup) -> QuerySet[SourceServer]:
    """The servers that a group holds now, by name."""
    if group.tags:
        return servers_with(account_id=group.account_id, region=group.region, tags=group.tags)
    members = group.members.values("server_id")
    return SourceServer.objects.filter(pk__in=members).order_by("name", "id")


def servers_with(
    *, account_id: object, region: str, tags: dict[str, str]
) -> QuerySet[SourceServer]:
    """The servers of one account and Region that have all of `tags`, by name."""
    here = Q(account_id=account_id, region=region)
    return SourceServer.objects.filter(here & matching(tags)).order_by("name", "id")


def readiness_of(server: SourceServer, where: AccountRegion | None) -> Verdict:
    """Whether `server` could be launched now; `where` is the row of its account and Region.

    Facts that are too old, or from a Region that no longer answers, leave it unknown.
    """
    found = verdict(
        replication_state=server.replication_state,
        first_synced=server.first_synced,
        staging_status=server.staging_status,
        staging_error=server.staging_error,
        gone=server.gone_at is not None,
    )
    if not found.launchable:
        return found
    return _too_old(where) or found


def _too_old(where: AccountRegion | None) -> Verdict | None:
    if where is None or where.listed_at is None:
        return Verdict(Readiness.UNKNOWN, "its account and Region were never listed")
    if where.status != RegionStatus.ACTIVE:
        status = where.get_status_display().lower()
        return Verdict(Readiness.UNKNOWN, f"its account and Region do not answer ({status})")
    if timezone.now() - where.listed_at > STALE_AFTER:
        minutes = int((timezone.now() - where.listed_at).total_seconds() // 60)
        return Verdict(Readiness.UNKNOWN, f"it was last listed {minutes} minutes ago")
    return None


def regions_by_key() -> dict[tuple[object, str], AccountRegion]:
    """Every account's Regions, by (account row id, Region), in one query."""
    return {(row.account_id, row.region): row for row in AccountRegion.objects.all()}


def last_sync(kind: SyncKind) -> SyncRun | None:
    """The latest run of a sync, or None if it never ran."""
    return SyncRun.objects.filter(kind=kind).order_by("-started_at").first()


def instances_for(user: Anybody) -> QuerySet[RecoveryInstance]:
    """The recovery instances that `user` may see: all, or those of the accounts they may see."""
    if user.is_authenticated and allowed(user, InstancePermission.VIEW):
        return RecoveryInstance.objects.all()
    return RecoveryInstance.objects.filter(account__in=accounts_for(user).order_by())


def tag_sync_settings() -> TagSyncSettings:
    """How the tag sync works; the defaults while nobody has saved anything."""
    return TagSyncSettings.objects.first() or TagSyncSettings()


def schedule_of(task: str) -> Any:
    """Beat's entry for a task, or None."""
    found = PeriodicTask.objects.filter(task=task).select_related("interval")
    return found.order_by("id").first()


def seconds_between(schedule: Any) -> int | None:
    """How many seconds apart a task of beat is sent; None if it follows no interval."""
    if schedule is None or schedule.interval is None:
        return None
    return int(schedule.interval.schedule.run_every.total_seconds()) or None
