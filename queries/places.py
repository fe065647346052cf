"""What the database knows of how full accounts and Regions are. One state of it, few queries."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count as Number
from django.utils import timezone

from drportal.aws.regions import watched_regions
from drportal.aws.scope import Account, Scope
from protection.choices import RegionStatus
from protection.models import AccountRegion, SourceServer, StagingAccount, TargetAccount
from protection.rules.capacity import Count, is_replicating, replicating
from protection.rules.regions import NOT_IN_USE
from protection.selectors import STALE_AFTER

# A Region without DRS is looked at again every hour.
_WITHOUT_DRS_FOR = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Listed:
    """What an account's own listing of a Region holds. `status` is the Region's last answer."""

    region: str
    status: RegionStatus
    message: str
    listed_at: datetime | None
    replicating: Count
    source_servers: Count


@dataclass(frozen=True, slots=True)
class Extended:
    """At least so many servers of a staging account, as targets that extended them see them."""

    replicating: int
    servers: int


@dataclass(frozen=True, slots=True)
class Known:
    """One account, as far as the database knows it.

    A target has been `listed` Region by Region. A staging account that is no target has not: of
    it, `extended` holds what targets see. `silent` are Regions of which nothing was ever told.
    """

    pk: UUID | None
    account_id: str
    name: str
    is_target: bool
    serves: tuple[str, ...]
    way_in: Account | None
    listed: tuple[Listed, ...] = ()
    extended: tuple[tuple[str, Extended], ...] = ()
    silent: tuple[str, ...] = ()

    def only(self, region: str) -> "Known":
        """The same in one Region."""
        return replace(
            self,
            listed=tuple(each for each in self.listed if each.region == region),
            extended=tuple(each for each in self.extended if each[0] == region),
            silent=tuple(each for each in self.silent if each == region),
        )

    def scope(self, region: str) -> Scope | None:
        return Scope(self.way_in, region) if self.way_in else None


@dataclass(frozen=True, slots=True)
class _Servers:
    """How many servers with the same replication state, by where they are managed and staged."""

    account: UUID
    region: str
    state: str
    staging: str
    number: int


def known_places(accounts: Sequence[TargetAccount]) -> list[Known]:
    """`accounts`, and after them every other account whose staging area they use."""
    serving = _serving(accounts)
    others = TargetAccount.objects.filter(account_id__in=serving)
    targets = {account.account_id: account for account in [*accounts, *others]}
    rows = defaultdict(list)
    for row in AccountRegion.objects.filter(account__in=targets.values()).order_by("region"):
        rows[row.account_id].append(row)
    servers = _servers(targets.values())
    found = [
        _target(account, rows[account.pk], servers, tuple(sorted(serving[account.account_id])))
        for account in targets.values()
    ]
    ways_in = StagingAccount.objects.in_bulk(list(serving), field_name="account_id")
    by_id = {known.account_id: known for known in found}
    for account_id in sorted(serving.keys() - targets.keys()):
        served = [by_id[target] for target in sorted(serving[account_id]) if target in by_id]
        found.append(_staging(account_id, ways_in.get(account_id), served, servers))
    return found


def _serving(accounts: Sequence[TargetAccount]) -> dict[str, set[str]]:
    """The accounts that each staging account serves, of `accounts`, by account ids."""
    serving: dict[str, set[str]] = defaultdict(set)
    links = StagingAccount.objects.filter(links__target__in=accounts)
    for staging, target in links.values_list("account_id", "links__target__account_id"):
        serving[staging].add(target)
    used = SourceServer.objects.filter(account__in=accounts).exclude(staging_account_id="")
    pairs = used.order_by().values_list("staging_account_id", "account__account_id").distinct()
    for staging, target in pairs:
        if staging != target:
            serving[staging].add(target)
    known = {account.account_id for account in accounts}
    return defaultdict(set, {key: value & known for key, value in serving.items()})


def _servers(accounts: Iterable[TargetAccount]) -> list[_Servers]:
    rows = SourceServer.objects.filter(account__in=list(accounts), gone_at=None).order_by()
    columns = ("account_id", "region", "replication_state", "staging_account_id")
    return [_Servers(*row) for row in rows.values_list(*columns).annotate(n=Number("pk"))]


def _target(
    account: TargetAccount,
    rows: Sequence[AccountRegion],
    servers: Sequence[_Servers],
    serves: tuple[str, ...],
) -> Known:
    own = [each for each in servers if each.account == account.pk]
    return Known(
        pk=account.pk,
        account_id=account.account_id,
        name=account.name,
        is_target=True,
        serves=serves,
        way_in=account.way_in(),
        listed=tuple(_listed(account, row, own) for row in rows if _in_use(row)),
        silent=_silent(account, rows),
    )


def _in_use(row: AccountRegion) -> bool:
    if row.listed_at is not None:
        return True
    return row.status not in NOT_IN_USE and row.status != RegionStatus.UNKNOWN


def _silent(account: TargetAccount, rows: Sequence[AccountRegion]) -> tuple[str, ...]:
    """The Regions that were never asked, or not for so long that DRS may be used there now."""
    recently = timezone.now() - _WITHOUT_DRS_FOR
    told = {
        row.region
        for row in rows
        if _in_use(row)
        or (row.status in NOT_IN_USE and row.checked_at is not None and row.checked_at > recently)
    }
    watched = set(watched_regions(account.partition)) | {row.region for row in rows}
    return tuple(sorted(watched - told))


def _listed(account: TargetAccount, row: AccountRegion, servers: Sequence[_Servers]) -> Listed:
    here = [each for each in servers if each.region == row.region]
    own = [each for each in here if each.staging in {"", account.account_id}]
    status = RegionStatus(row.status)
    if row.listed_at is None:
        nothing = Count.unknown(f"{row.region} was never listed: {status.label.lower()}")
        return Listed(row.region, status, row.message, None, nothing, nothing)
    doubt = _doubt(row, status)
    replicated = replicating((each.state, each.number) for each in own)
    return Listed(
        row.region,
        status,
        row.message,
        row.listed_at,
        Count(replicated.value, (*replicated.missing, *doubt)),
        Count(sum(each.number for each in here), doubt),
    )


def _doubt(row: AccountRegion, status: RegionStatus) -> tuple[str, ...]:
    """Why what was listed may not be all that is there now."""
    if status != RegionStatus.ACTIVE:
        return (f"{row.region} does not answer ({status.label.lower()}): as last listed",)
    if row.listed_at is None or timezone.now() - row.listed_at > STALE_AFTER:
        return (f"{row.region} was not listed lately: as last listed",)
    return ()


def _staging(
    account_id: str,
    row: StagingAccount | None,
    served: Sequence[Known],
    servers: Sequence[_Servers],
) -> Known:
    extended = _extended(account_id, [each.pk for each in served if each.pk], servers)
    regions = {listed.region for known in served for listed in known.listed} | extended.keys()
    nothing = Extended(0, 0)
    return Known(
        pk=None,
        account_id=account_id,
        name=row.name if row else "",
        is_target=False,
        serves=tuple(known.account_id for known in served),
        way_in=row.way_in() if row else None,
        extended=tuple((region, extended.get(region, nothing)) for region in sorted(regions)),
    )


def _extended(
    account_id: str, targets: Sequence[UUID], servers: Sequence[_Servers]
) -> dict[str, Extended]:
    """At least so many servers of a staging account, by Region.

    One of its servers may be extended to several targets and is one all the same, so the counts
    of targets are not added up: the largest is the least that there can be.
    """
    found: dict[str, Extended] = {}
    for target in targets:
        theirs = [each for each in servers if (each.account, each.staging) == (target, account_id)]
        for region in {each.region for each in theirs}:
            here = [each for each in theirs if each.region == region]
            number = sum(each.number for each in here)
            replicated = sum(each.number for each in here if is_replicating(each.state))
            before = found.get(region, Extended(0, 0))
            found[region] = Extended(
                max(before.replicating, replicated), max(before.servers, number)
            )
    return found
