"""Writing source servers' rows: only those of which DRS tells something new.

Differences are collected over accounts and Regions and written together, a few hundred rows in a
transaction: a statement for each of many Regions would cost more than listing them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, models, transaction
from django.utils import timezone
from psycopg.types.json import Jsonb

from drportal.mirror.services import mark
from protection.models import AccountRegion, GroupMember, LaunchSettings, SourceServer
from protection.rules.facts import facts, fingerprint
from protection.rules.origin import instance_facts
from protection.services.marks import mark_with_servers

Columns = dict[str, Any]

_BATCH = 500
_ORIGIN = ("origin_account_id", "origin_region", "origin_instance_id")
# What EC2 told of an instance says nothing of another.
_NOTHING_TOLD: Columns = instance_facts(None)
_WRITTEN = [*facts({"sourceServerID": ""}), "fingerprint", "gone_at", "changed_at"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a server, as far as a listing is compared with it."""

    pk: UUID
    fingerprint: str
    gone: bool


def known_servers(rows: Iterable[AccountRegion]) -> dict[int, dict[str, Known]]:
    """What is stored of the servers of `rows`, by the row's id and the server id."""
    keys = {(row.account_id, row.region): row.pk for row in rows}
    found: dict[int, dict[str, Known]] = defaultdict(dict)
    stored = SourceServer.objects.values_list(
        "account_id", "region", "server_id", "pk", "fingerprint", "gone_at"
    )
    for account_id, region, server_id, pk, print_, gone_at in stored.iterator():
        key = keys.get((account_id, region))
        if key is not None:
            found[key][server_id] = Known(pk, print_, gone_at is not None)
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """A complete listing of an account and Region: all ids, and the facts of what differs.

    Facts that are stored already are not kept: in an unchanged world that is nearly all of them.
    """

    ids: set[str] = field(default_factory=set)
    differing: dict[str, tuple[Columns, str]] = field(default_factory=dict)


def compared(servers: Iterable[tuple[str, Columns]], known: Mapping[str, Known]) -> Listed:
    """Compare a listing with what is stored of that account and Region."""
    listed = Listed()
    for server_id, columns in servers:
        listed.ids.add(server_id)
        stored, print_ = known.get(server_id), fingerprint(columns)
        if stored is None or stored.gone or stored.fingerprint != print_:
            listed.differing[server_id] = columns, print_
    return listed


@dataclass(slots=True)
class Pending:
    """What is yet to be written. `regions` are rows of Regions that go with their servers.

    `added`, `changed` and `removed` count what was written so far; `news` are (account, Region) of
    servers that are new, or come from another instance than before.
    """

    new: list[Columns] = field(default_factory=list)
    differing: list[SourceServer] = field(default_factory=list)
    gone: list[UUID] = field(default_factory=list)
    regions: list[AccountRegion] = field(default_factory=list)
    added: int = 0
    changed: int = 0
    removed: int = 0
    news: set[tuple[UUID, str]] = field(default_factory=set)

    def take(self, row: AccountRegion, listed: Listed, known: Mapping[str, Known]) -> None:
        """Note how a complete listing differs from what is stored of that account and Region."""
        for server_id, (columns, print_) in listed.differing.items():
            stored = known.get(server_id)
            if stored is None:
                self.new.append(_filed(row, server_id, columns, print_) | {"id": uuid4()})
            else:
                self.differ(row, server_id, columns, stored.pk, print_=print_)
        self.gone += [each.pk for server_id, each in known.items() if server_id not in listed.ids]

    def differ(
        self, row: AccountRegion, server_id: str, columns: Columns, pk: UUID, *, print_: str
    ) -> None:
        """Note that a stored server differs."""
        self.differing.append(SourceServer(pk=pk, **_filed(row, server_id, columns, print_)))

    def write_if_many(self) -> None:
        """Write, once there is enough to be worth a transaction."""
        if len(self.new) + len(self.differing) + len(self.gone) >= _BATCH:
            self.write()

    def write(self) -> None:
        """Write everything that was noted, and forget it."""
        if self.new or self.differing or self.gone or self.regions:
            with transaction.atomic():
                self._write()
        self.new, self.differing, self.gone, self.regions = [], [], [], []

    def _write(self) -> None:
        now = timezone.now()
        for server in self.differing:
            server.changed_at = now
        _copy_in(self.new, now)
        moved = _moved(self.differing)
        if self.differing:
            SourceServer.objects.bulk_create(
                self.differing,
                batch_size=_BATCH,
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=_WRITTEN,
            )
            SourceServer.objects.filter(pk__in=[each.pk for each in moved]).update(**_NOTHING_TOLD)
        removed = _remove(self.gone)
        new = [columns["id"] for columns in self.new]
        changed = [server.pk for server in self.differing]
        mark("SourceServerInventory", *new, *changed, *removed)
        self._write_regions()
        self.added += len(self.new)
        self.changed += len(self.differing)
        self.removed += len(removed)
        self.news |= {(columns["account_id"], columns["region"]) for columns in self.new}
        self.news |= {(server.account_id, server.region) for server in moved}

    def _write_regions(self) -> None:
        columns = ["status", "message", "server_count", "listed_at", "checked_at", "changed_at"]
        AccountRegion.objects.bulk_update(self.regions, [*columns, "next_check_at"])
        mark("RegionStatus", *(row.pk for row in self.regions))


def _filed(row: AccountRegion, server_id: str, columns: Columns, print_: str) -> Columns:
    """The columns of a server that is listed in the account and Region of `row`."""
    return {
        "account_id": row.account_id,
        "region": row.region,
        "server_id": server_id,
        "fingerprint": print_,
        **columns,
    }


def _copy_in(servers: Sequence[Columns], now: datetime) -> None:
    """Insert rows by COPY, without a model for each: models and INSERTs of so many columns take
    longer to put together than all else that a first listing needs.
    """
    if not servers:
        return
    fields = SourceServer._meta.concrete_fields
    table = SourceServer._meta.db_table
    into = f"COPY {table} ({', '.join(str(field.column) for field in fields)}) FROM STDIN"
    otherwise = {field.attname: field.get_default() for field in fields}
    otherwise |= {"first_seen_at": now, "changed_at": now}
    # What else there is are plain values, which psycopg sends as they are.
    json = [field.attname for field in fields if isinstance(field, models.JSONField)]
    with connection.cursor() as cursor, cursor.copy(into) as copy:
        for server in servers:
            row = otherwise | server
            row |= {name: Jsonb(row[name]) for name in json if row[name] is not None}
            copy.write_row(list(row.values()))


def _moved(differing: Sequence[SourceServer]) -> list[SourceServer]:
    """Those that come from another instance than before, or no longer from one."""
    before = SourceServer.objects.filter(pk__in=[server.pk for server in differing])
    origins = {pk: origin for pk, *origin in before.values_list("pk", *_ORIGIN)}
    return [
        server
        for server in differing
        if origins.get(server.pk) != [getattr(server, name) for name in _ORIGIN]
    ]


def _remove(gone: Sequence[UUID]) -> list[UUID]:
    """Delete what DRS no longer lists. What somebody named stays, and says that it is gone: a
    server of a group, and one with launch settings of its own.
    """
    if not gone:
        return []
    named = {
        pk
        for model in (GroupMember, LaunchSettings)
        for pk in model.objects.filter(server_id__in=gone).values_list("server_id", flat=True)
    }
    newly = list(
        SourceServer.objects.filter(pk__in=named, gone_at=None).values_list("pk", flat=True)
    )
    SourceServer.objects.filter(pk__in=newly).update(gone_at=timezone.now())
    lost = [pk for pk in gone if pk not in named]
    mark_with_servers(lost)
    SourceServer.objects.filter(pk__in=lost).delete()
    return [*newly, *lost]
