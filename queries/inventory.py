"""Source servers as operators choose them: what they are, and which group has them already."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from drportal.access import Anybody
from drportal.aws.drs import Drs
from drportal.aws.drs import SourceServer as ListedServer
from drportal.errors import NotFound
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus, Selection
from protection.models import (
    AccountRegion,
    GroupMember,
    ProtectionGroup,
    SourceServer,
    TargetAccount,
)
from protection.rules.facts import facts
from protection.selectors import STALE_AFTER, groups_for, servers_for
from queries import live
from queries.errors import of_status
from queries.guards import read_only

INVENTORY, LIVE = "inventory", "live"
_KEPT = timedelta(seconds=30)

Page = Callable[[QuerySet[SourceServer]], Sequence[SourceServer] | None]


@dataclass(frozen=True, slots=True)
class Assignment:
    """That a group has a server: by hand, or by its tags. Of a group that the person may not see,
    only that there is one is said: it has no id and no name then.
    """

    by: Selection
    group_id: UUID | None
    group_name: str | None
    is_current: bool


@dataclass(frozen=True, slots=True)
class ShownServer:
    """A source server. `columns` are those of the inventory; `raw` is DRS's own answer, of a live
    listing only.
    """

    server_id: str
    account_id: str
    region: str
    columns: Mapping[str, Any]
    assignments: tuple[Assignment, ...] = ()
    gone: bool = False
    raw: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def selectable(self) -> bool:
        """Whether a group may still choose it: DRS lists it, and no other group has it."""
        return not self.gone and all(each.is_current for each in self.assignments)


@dataclass(frozen=True, slots=True)
class Where:
    """How an account's Region stood when it was last asked, and how old what is shown is."""

    account_id: str
    region: str
    status: RegionStatus
    message: str
    listed_at: datetime | None

    @property
    def stale(self) -> bool:
        """Whether it may be otherwise now."""
        if self.status != RegionStatus.ACTIVE or self.listed_at is None:
            return True
        return timezone.now() - self.listed_at > STALE_AFTER


@dataclass(frozen=True, slots=True)
class Servers:
    """Servers of one account and Region. `total` is how many there are on all pages."""

    source: str
    where: Where
    total: int
    servers: Sequence[ShownServer]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which servers of the inventory are wanted. Empty or None: any."""

    account_id: str = ""
    regions: tuple[str, ...] = ()
    hostname: str = ""
    replication_state: str = ""
    staging_account_id: str = ""
    source_account_id: str = ""
    min_cpu_cores: int | None = None
    min_ram_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """A page of the inventory, with `total` on all pages. `undecided` is how many were left out
    because DRS has not told the number of cores or the memory that they are chosen by.
    """

    total: int
    undecided: int
    servers: Sequence[ShownServer]
    where: Sequence[Where]


@reaches_outside
def servers_of(
    user: Anybody,
    account: TargetAccount,
    region: str,
    *,
    page: Page,
    current_group: UUID | None = None,
    fresh: bool = False,
) -> Servers:
    """The servers of one account and Region, with the groups that have them.

    From the inventory; from DRS itself, and then all at once, if `fresh` or if the Region was
    never asked. A Region that does not answer now is shown as it was last listed, and says so;
    one that was never listed is refused with the reason, and so is a `fresh` look that fails.
    """
    with read_only():
        _must_see(user, current_group)
        row = AccountRegion.objects.filter(account=account, region=region).first()
        if row is not None and row.listed_at is not None and not fresh:
            return _listed(user, account, row, page, current_group)
    if row is not None and row.status != RegionStatus.UNKNOWN and not fresh:
        raise of_status(row.status, account_id=account.account_id, region=region, why=row.message)
    return _live(user, account, region, current_group, fresh=fresh)


def inventory(user: Anybody, wanted: Wanted, *, page: Page) -> Inventory:
    """The servers of every account that `user` may see, those that are `wanted`."""
    with read_only():
        rows = servers_for(user).filter(_told(wanted)).select_related("account")
        sized = _sized(wanted)
        found = list(page(rows.filter(sized)) or ())
        total = rows.filter(sized).count()
        unknown = Q()
        if wanted.min_cpu_cores is not None:
            unknown |= Q(cpu_cores=None)
        if wanted.min_ram_bytes is not None:
            unknown |= Q(ram_bytes=None)
        undecided = rows.filter(unknown).count() if unknown else 0
        places = {(row.account_id, row.region) for row in found}
        regions = AccountRegion.objects.filter(
            account__in={account for account, _ in places}
        ).select_related("account")
        where = [_where(row) for row in regions if (row.account_id, row.region) in places]
        held = _assignments(user, places=places, servers=found, current_group=None)
    shown = [_shown(row, row.account.account_id, held[row.pk]) for row in found]
    return Inventory(total, undecided, shown, where)


def _told(wanted: Wanted) -> Q:
    exact = {
        "account__account_id": wanted.account_id,
        "replication_state": wanted.replication_state,
        "staging_account_id": wanted.staging_account_id,
        "origin_account_id": wanted.source_account_id,
        "hostname__icontains": wanted.hostname,
        "region__in": wanted.regions,
    }
    return Q(**{lookup: value for lookup, value in exact.items() if value})


def _sized(wanted: Wanted) -> Q:
    least = {"cpu_cores__gte": wanted.min_cpu_cores, "ram_bytes__gte": wanted.min_ram_bytes}
    return Q(**{lookup: value for lookup, value in least.items() if value is not None})


def _must_see(user: Anybody, group: UUID | None) -> None:
    if group is not None and not groups_for(user).filter(pk=group).exists():
        raise NotFound("There is no such group, or none that you may see.")


def _listed(
    user: Anybody,
    account: TargetAccount,
    row: AccountRegion,
    page: Page,
    current_group: UUID | None,
) -> Servers:
    rows = SourceServer.objects.filter(account=account, region=row.region)
    found = list(page(rows) or ())
    held = _assignments(
        user, places={(account.pk, row.region)}, servers=found, current_group=current_group
    )
    shown = [_shown(each, account.account_id, held[each.pk]) for each in found]
    return Servers(INVENTORY, _where(row), rows.count(), shown)


def _live(
    user: Anybody,
    account: TargetAccount,
    region: str,
    current_group: UUID | None,
    *,
    fresh: bool,
) -> Servers:
    scope = account.scope(region)
    question: live.Question[list[ListedServer]] = live.Question(
        ("source-servers", *scope.key), lambda: list(Drs(scope).source_servers()), _KEPT
    )
    told = live.ask([question], fresh=fresh)[question.key]
    if told.value is None:
        raise of_status(
            told.status,
            account_id=account.account_id,
            region=region,
            why=told.problem,
            retry_after=told.retry_after,
        )
    made = [_row_of(account, region, server) for server in told.value]
    with read_only():
        by_server = SourceServer.objects.filter(account=account, region=region)
        known = dict(by_server.values_list("server_id", "pk"))
        for row in made:
            row.pk = known.get(row.server_id, row.pk)
        held = _assignments(
            user, places={(account.pk, region)}, servers=made, current_group=current_group
        )
    raws = {server.server_id: server.raw for server in told.value}
    shown = [
        _shown(row, account.account_id, held[row.pk], raw=raws[row.server_id])
        for row in sorted(made, key=lambda row: (row.name, row.server_id))
    ]
    where = Where(account.account_id, region, RegionStatus.ACTIVE, "", told.at)
    return Servers(LIVE, where, len(shown), shown)


def _row_of(account: TargetAccount, region: str, server: ListedServer) -> SourceServer:
    """The row that the inventory would have of a server. It is never saved."""
    return SourceServer(
        account=account, region=region, server_id=server.server_id, **facts(server.raw)
    )


def _where(row: AccountRegion) -> Where:
    return Where(
        row.account.account_id,
        row.region,
        RegionStatus(row.status),
        row.message,
        row.listed_at,
    )


def _shown(
    row: SourceServer,
    account_id: str,
    assignments: Sequence[Assignment],
    *,
    raw: Mapping[str, Any] | None = None,
) -> ShownServer:
    names = [column.attname for column in SourceServer._meta.concrete_fields]
    return ShownServer(
        server_id=row.server_id,
        account_id=account_id,
        region=row.region,
        columns={name: getattr(row, name) for name in names},
        assignments=tuple(assignments),
        gone=row.gone_at is not None,
        raw=raw,
    )


def _assignments(
    user: Anybody,
    *,
    places: set[tuple[Any, str]],
    servers: Sequence[SourceServer],
    current_group: UUID | None,
) -> dict[UUID, list[Assignment]]:
    """The groups that have each of `servers`, by the servers' rows. Three queries."""
    groups = [
        group
        for group in ProtectionGroup.objects.filter(account__in={place for place, _ in places})
        if (group.account_id, group.region) in places
    ]
    seen = set(groups_for(user).filter(pk__in=[each.pk for each in groups]).values_list("pk"))
    by_hand = dict(
        GroupMember.objects.filter(server__in=[row.pk for row in servers]).values_list(
            "server_id", "group_id"
        )
    )
    found: dict[UUID, list[Assignment]] = defaultdict(list)
    for row in servers:
        for group in groups:
            if _has(group, row, by_hand):
                known = (group.pk,) in seen
                found[row.pk].append(
                    Assignment(
                        by=Selection(group.selection),
                        group_id=group.pk if known else None,
                        group_name=group.name if known else None,
                        is_current=group.pk == current_group,
                    )
                )
    return found


def _has(group: ProtectionGroup, row: SourceServer, by_hand: Mapping[UUID, UUID]) -> bool:
    if (group.account_id, group.region) != (row.account_id, row.region):
        return False
    if group.selection == Selection.TAGS:
        # As `protection.rules.selection.matching` has it, for rows that no database holds.
        return bool(group.tags) and group.tags.items() <= row.tags.items()
    return by_hand.get(row.pk) == group.pk
