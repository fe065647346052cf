"""Writing source servers' rows: only those that DRS tells something new of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from drportal.mirror.services import mark
from protection.models import AccountRegion, GroupMember, LaunchSettings, SourceServer
from protection.rules.facts import fingerprint
from protection.rules.origin import instance_facts

Columns = dict[str, Any]

_BATCH = 500
_ORIGIN = ("origin_account_id", "origin_region", "origin_instance_id")
# What EC2 told of an instance says nothing of another.
_NOTHING_TOLD: Columns = instance_facts(None)


@dataclass(slots=True)
class Difference:
    """How a complete listing differs from the rows of its account and Region.

    `changed` holds row ids by server id; `moved` are those of `changed` that come from another
    instance than before, or did not come from one. `gone` are row ids.
    """

    new: list[str] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)
    moved: list[Any] = field(default_factory=list)
    gone: list[Any] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.changed or self.gone)


def difference(
    row: AccountRegion, servers: Mapping[str, Columns], prints: Mapping[str, str]
) -> Difference:
    """Compare a listing, by server id, with what is known; `prints` are its fingerprints."""
    known = SourceServer.objects.filter(account=row.account_id, region=row.region)
    found = Difference()
    seen = set()
    for server_id, pk, known_print, gone_at, *origin in known.values_list(
        "server_id", "pk", "fingerprint", "gone_at", *_ORIGIN
    ):
        seen.add(server_id)
        columns = servers.get(server_id)
        if columns is None:
            found.gone.append(pk)
        elif known_print != prints[server_id] or gone_at is not None:
            found.changed[server_id] = pk
            if origin != [columns[name] for name in _ORIGIN]:
                found.moved.append(pk)
    found.new = [server_id for server_id in servers if server_id not in seen]
    return found


def fingerprints(servers: Mapping[str, Columns]) -> dict[str, str]:
    """The fingerprint of each server of a listing."""
    return {server_id: fingerprint(columns) for server_id, columns in servers.items()}


def write(
    row: AccountRegion,
    servers: Mapping[str, Columns],
    prints: Mapping[str, str],
    differs: Difference,
) -> int:
    """Write, in the caller's transaction, what differs; returns how many rows went."""

    def made(server_ids: Sequence[str]) -> list[SourceServer]:
        return [
            SourceServer(
                account_id=row.account_id,
                region=row.region,
                server_id=server_id,
                **servers[server_id],
                fingerprint=prints[server_id],
                changed_at=now,
            )
            for server_id in server_ids
        ]

    now = timezone.now()
    new = SourceServer.objects.bulk_create(made(differs.new), batch_size=_BATCH)
    if differs.changed:
        written = list(next(iter(servers.values())))
        SourceServer.objects.bulk_create(
            made(list(differs.changed)),
            batch_size=_BATCH,
            update_conflicts=True,
            unique_fields=["account", "region", "server_id"],
            update_fields=[*written, "fingerprint", "gone_at", "changed_at"],
        )
        SourceServer.objects.filter(pk__in=differs.moved).update(**_NOTHING_TOLD)
    removed = _remove(differs.gone)
    mark(
        "SourceServerInventory",
        *(server.pk for server in new),
        *differs.changed.values(),
        *removed,
    )
    return len(removed)


def _remove(gone: Sequence[Any]) -> list[Any]:
    """Delete what DRS no longer lists. What a group names stays, and says that it is gone."""
    if not gone:
        return []
    named = set(GroupMember.objects.filter(server_id__in=gone).values_list("server_id", flat=True))
    newly = list(
        SourceServer.objects.filter(pk__in=named, gone_at=None).values_list("pk", flat=True)
    )
    SourceServer.objects.filter(pk__in=newly).update(gone_at=timezone.now())
    lost = [pk for pk in gone if pk not in named]
    own = LaunchSettings.objects.filter(server__in=lost).order_by("pk")
    mark("LaunchConfigurations", *own.values_list("pk", flat=True))
    SourceServer.objects.filter(pk__in=lost).delete()
    return [*newly, *lost]
