"""Questions about what is protected. Each costs a fixed number of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    Count,
    Exists,
    IntegerField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from drportal.access import Anybody, allowed, visible
from protection.choices import (
    Combination,
    Readiness,
    RegionStatus,
    Selection,
    SettingsLevel,
    SyncKind,
)
from protection.models import (
    AccountRegion,
    GroupHold,
    GroupMember,
    LaunchSettings,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
    StagingAccount,
    SyncRun,
    TagSyncSettings,
    TargetAccount,
)
from protection.permissions import (
    AccountPermission,
    GroupPermission,
    InstancePermission,
    ServerPermission,
    StagingPermission,
)
from protection.rules.launch import Layers
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


class _Around:
    """The server of the query around, as far as it decides which groups hold it."""

    pk, account_id, region = OuterRef("pk"), OuterRef("account_id"), OuterRef("region")
    tags = OuterRef("tags")


def groups_with(server: SourceServer | type[_Around]) -> QuerySet[ProtectionGroup]:
    """The groups that hold `server`, by hand or by its tags: `servers_chosen`, asked backwards."""
    by_tags = Q(
        selection=Selection.TAGS,
        account_id=server.account_id,
        region=server.region,
        tags__contained_by=server.tags,
    )
    return ProtectionGroup.objects.filter(Q(members__server=server.pk) | by_tags)


def with_other_groups(servers: QuerySet[SourceServer], *, besides: UUID | None) -> QuerySet[Any]:
    """`servers`, each with `others`: the names of the groups that hold it, `besides` apart.

    The names are told whoever asks: a server that two groups want is a matter for both owners.
    """
    others = groups_with(_Around)
    if besides is not None:
        others = others.exclude(pk=besides)
    return servers.annotate(others=ArraySubquery(others.order_by("name").values("name")))


def with_server_counts(groups: QuerySet[ProtectionGroup]) -> QuerySet[Any]:
    """`groups`, each with `server_total`, the servers that it holds now, and `shared_total`, those
    of them that other groups hold too.
    """
    with_tags = SourceServer.objects.filter(
        account_id=OuterRef("account_id"),
        region=OuterRef("region"),
        tags__contains=OuterRef("tags"),
    )
    members = GroupMember.objects.filter(group_id=OuterRef(OuterRef("pk")))
    by_hand = SourceServer.objects.filter(pk__in=members.values("server_id"))
    elsewhere = Exists(groups_with(_Around).exclude(pk=OuterRef(OuterRef("pk"))))
    return groups.annotate(
        server_total=_counted(with_tags, by_hand),
        shared_total=_counted(with_tags.filter(elsewhere), by_hand.filter(elsewhere)),
    )


def _counted(with_tags: QuerySet[SourceServer], by_hand: QuerySet[SourceServer]) -> Case:
    """How many servers a group of the query around has, by the way in which it chooses them."""

    def count(rows: QuerySet[SourceServer]) -> Coalesce:
        # All are of one account, so this groups them into one row.
        totals = rows.order_by().values("account_id").annotate(n=Count("pk")).values("n")
        return Coalesce(Subquery(totals), 0)

    by_tags = When(selection=Selection.TAGS, then=count(with_tags))
    return Case(by_tags, default=count(by_hand), output_field=IntegerField())


def whole_groups(groups: QuerySet[ProtectionGroup]) -> QuerySet[Any]:
    """`groups` with all that is shown of one: `with_server_counts`, members, and `open_holds`."""
    held = GroupHold.objects.filter(released_at=None).order_by("held_at", "id")
    found = with_server_counts(groups).select_related("account")
    return found.prefetch_related("members", Prefetch("holds", held, to_attr="open_holds"))


@dataclass(frozen=True, slots=True)
class LaunchLevels:
    """The launch settings that bear on a group, as they are kept; None or absent where none are."""

    installation: LaunchSettings | None
    group: LaunchSettings | None
    servers: Mapping[UUID, LaunchSettings]

    def layers(self, server_id: UUID | None = None) -> Layers:
        """What each level sets for one server, or, without one, for the group."""
        own = self.servers.get(server_id) if server_id else None
        return Layers(
            installation=self.installation.values if self.installation else {},
            group=self.group.values if self.group else {},
            server=own.values if own else {},
            combination=Combination(own.combination) if own else Combination.ADD,
        )


def launch_levels(group: ProtectionGroup) -> LaunchLevels:
    """The launch settings of the installation, of `group`, and of servers in it. One query."""
    bearing = LaunchSettings.objects.filter(Q(group=group) | Q(level=SettingsLevel.INSTALLATION))
    found = list(bearing.select_related("server"))
    wide = {row.level: row for row in found if row.server_id is None}
    return LaunchLevels(
        installation=wide.get(SettingsLevel.INSTALLATION),
        group=wide.get(SettingsLevel.GROUP),
        servers={row.server_id: row for row in found if row.server_id is not None},
    )


def staging_accounts_for(user: Anybody) -> QuerySet[StagingAccount]:
    """The staging accounts that `user` may see: all, or those of the targets that they may see."""
    if user.is_authenticated and allowed(user, StagingPermission.VIEW):
        return StagingAccount.objects.all()
    seen = accounts_for(user).order_by().values("pk")
    return StagingAccount.objects.filter(links__target__in=seen).distinct()


def may_change_staging(user: Anybody, staging: StagingAccount) -> bool:
    """May `user` change what every target of the staging account relies on?"""
    targets = staging.targets.all()
    return all(allowed(user, AccountPermission.CHANGE, target) for target in targets)


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
