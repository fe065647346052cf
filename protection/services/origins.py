"""What EC2 tells of the instances that source servers come from, in the account that has them.

That is the origin account, which is seldom the one that manages the server. It is entered by its
own role if it is registered, as a target or a staging account, and not asked at all otherwise.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from drportal.aws.ec2 import Ec2, Instance
from drportal.aws.errors import AwsError
from drportal.aws.scope import Account, Scope
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import SkipReason
from protection.models import AccountRegion, SourceServer, StagingAccount, TargetAccount
from protection.rules.origin import Origin, instance_facts, origin_of
from protection.rules.regions import status_of
from protection.services import asking
from protection.services.sync_runs import Tally

Ways = Mapping[str, Account]

_FRESH_FOR = timedelta(hours=1)
_COLUMNS = tuple(instance_facts(None))


@dataclass(slots=True)
class Told:
    """What EC2 told: the instances by origin, and the places that told nothing."""

    instances: dict[Origin, Instance] = field(default_factory=dict)
    not_registered: set[str] = field(default_factory=set)
    silent: dict[tuple[str, str], AwsError] = field(default_factory=dict)

    def why_not(self, origin: Origin) -> str:
        """Why nothing is known of an origin, as a SkipReason; empty if its EC2 has answered."""
        if origin.account_id in self.not_registered:
            return SkipReason.ORIGIN_NOT_REGISTERED
        return SkipReason.ORIGIN_SILENT if origin.place in self.silent else ""


@dataclass(slots=True)
class _Placed:
    """Origins sorted by where they are, with how to get there."""

    by_scope: dict[Scope, list[str]]
    not_registered: set[str]


@reaches_outside
def ask(origins: Iterable[Origin], *, alive: Callable[[], None]) -> Told:
    """Ask EC2 of each origin account and Region for its instances, in batches of 100."""
    placed = _placed(origins, ways_in())
    told = Told(not_registered=placed.not_registered)
    for answered in asking.ask_all(list(placed.by_scope.items()), _ask, alive=alive):
        _add(told, *answered)
    return told


@reaches_outside
def ask_in_turn(origins: Iterable[Origin], ways: Ways) -> Told:
    """The same one after another, in a thread that uses no database; `ways` is of `ways_in`."""
    placed = _placed(origins, ways)
    told = Told(not_registered=placed.not_registered)
    for question in placed.by_scope.items():
        _add(told, *_ask(question))
    return told


def ways_in() -> Ways:
    """How to enter each account that we may; the hub is one of the target accounts."""
    staging = {each.account_id: each.way_in() for each in StagingAccount.objects.all()}
    targets = TargetAccount.objects.filter(active=True)
    return staging | {each.account_id: each.way_in() for each in targets}


def _placed(origins: Iterable[Origin], ways: Ways) -> _Placed:
    placed = _Placed({}, set())
    for origin in sorted(set(origins)):
        way = ways.get(origin.account_id)
        if way is None:
            placed.not_registered.add(origin.account_id)
        else:
            scope = Scope(way, origin.region)
            placed.by_scope.setdefault(scope, []).append(origin.instance_id)
    return placed


def _ask(question: tuple[Scope, list[str]]) -> tuple[Scope, dict[str, Instance] | AwsError]:
    scope, instance_ids = question
    try:
        return scope, Ec2(scope).instances(instance_ids)
    except AwsError as error:
        return scope, error


def _add(told: Told, scope: Scope, answered: dict[str, Instance] | AwsError) -> None:
    if isinstance(answered, AwsError):
        told.silent[scope.key] = answered
    else:
        told.instances |= {Origin(*scope.key, key): each for key, each in answered.items()}


def refresh(
    rows: Sequence[AccountRegion],
    *,
    with_news: set[tuple[UUID, str]],
    tally: Tally,
    alive: Callable[[], None],
) -> None:
    """Ask EC2 about the servers of those of `rows` that are in `with_news`, or whose facts are
    older than an hour, and write what changed. EC2 is slow, so not every run asks.
    """
    now = timezone.now()
    due = {
        (row.account_id, row.region): row
        for row in rows
        if (row.account_id, row.region) in with_news or _old(row.origin_facts_at, now)
    }
    servers = _from_ec2(due)
    if not servers:
        return
    told = ask((origin for _, origin in servers), alive=alive)
    for (account_id, region), error in told.silent.items():
        tally.scopes_failed += 1
        status, message = status_of(error).value, f"EC2: {error.message}"
        tally.cannot(account=account_id, region=region, status=status, message=message)
    changed = [server for server, origin in servers if _told_anew(server, told, origin)]
    tally.passed_over(*filter(None, (told.why_not(origin) for _, origin in servers)))
    _write(changed)
    tally.changed += len(changed)
    _note(due, servers, told)


def _old(at: datetime | None, now: datetime) -> bool:
    return at is None or now - at >= _FRESH_FOR


def _from_ec2(due: Mapping[tuple[Any, str], AccountRegion]) -> list[tuple[SourceServer, Origin]]:
    if not due:
        return []
    regions = {region for _, region in due}
    rows = SourceServer.objects.filter(region__in=regions, gone_at=None)
    rows = rows.exclude(origin_instance_id="").only(
        "account_id",
        "region",
        "origin_account_id",
        "origin_region",
        "origin_instance_id",
        *_COLUMNS,
    )
    found = []
    for server in rows:
        origin = origin_of(
            server.origin_account_id, server.origin_region, server.origin_instance_id
        )
        if origin is not None and (server.account_id, server.region) in due:
            found.append((server, origin))
    return found


def _told_anew(server: SourceServer, told: Told, origin: Origin) -> bool:
    """Put what EC2 told into `server`; whether that is something new.

    An instance that EC2 no longer knows keeps what was known: that is what went, in a disaster.
    """
    instance = told.instances.get(origin)
    if instance is None:
        return False
    columns = instance_facts(instance)
    anew = any(getattr(server, name) != value for name, value in columns.items())
    for name, value in columns.items():
        setattr(server, name, value)
    return anew


def _write(changed: Sequence[SourceServer]) -> None:
    now = timezone.now()
    for server in changed:
        server.changed_at = now
    with transaction.atomic():
        SourceServer.objects.bulk_update(changed, [*_COLUMNS, "changed_at"], batch_size=200)
        mark("SourceServerInventory", *(server.pk for server in changed))


def _note(
    due: Mapping[tuple[Any, str], AccountRegion],
    servers: Sequence[tuple[SourceServer, Origin]],
    told: Told,
) -> None:
    """Write, by managed account and Region, when EC2 told and why it did not."""
    concerned: dict[tuple[Any, str], set[Origin]] = defaultdict(set)
    for server, origin in servers:
        concerned[server.account_id, server.region].add(origin)
    now = timezone.now()
    touched, said_anew = [], []
    for key, origins in concerned.items():
        row = due[key]
        message = _message({origin.place for origin in origins}, told)
        if message != row.origin_message:
            said_anew.append(row.pk)
        row.origin_message = message
        if any(not told.why_not(origin) for origin in origins):
            row.origin_facts_at = now
        touched.append(row)
    with transaction.atomic():
        AccountRegion.objects.bulk_update(
            touched, ["origin_message", "origin_facts_at"], batch_size=200
        )
        mark("RegionStatus", *said_anew)


def _message(places: set[tuple[str, str]], told: Told) -> str:
    unknown = sorted({account_id for account_id, _ in places} & told.not_registered)
    said = [f"Account {each} is not registered, so EC2 is not asked there." for each in unknown]
    silent = sorted(place for place in places if place in told.silent)
    said += [f"EC2 in {'/'.join(place)}: {told.silent[place].message}." for place in silent]
    return " ".join(said)
