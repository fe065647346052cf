"""The private addresses that launch settings give to servers: each once in a subnet."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from protection.models import LaunchAddress, ProtectionGroup, SourceServer
from protection.rules import launch as rules
from protection.selectors import LaunchLevels
from protection.services.launch_rows import Wanted

_CONSTRAINT = "protection_address_given_once_in_a_subnet"
Place = tuple[str, str]  # a subnet and an address in it


def settle(levels: LaunchLevels) -> None:
    """Bring the rows of a group's addresses in step with its settings, within a transaction.

    All that change go before any comes, so that two servers may exchange theirs. The constraint
    refuses what another group has.
    """
    rows = {row.pk: key for key, row in levels.servers.items()}
    wanted = {pk: place for pk, key in rows.items() if (place := _place(levels, key)) is not None}
    there = {
        address.settings_id: (address.subnet_id, address.private_ip)
        for address in LaunchAddress.objects.filter(settings__in=rows)
    }
    stale = [pk for pk, place in there.items() if wanted.get(pk) != place]
    LaunchAddress.objects.filter(settings__in=stale).delete()
    LaunchAddress.objects.bulk_create(
        LaunchAddress(settings_id=pk, subnet_id=subnet, private_ip=ip)
        for pk, (subnet, ip) in wanted.items()
        if there.get(pk) != (subnet, ip)
    )


def twice_in(levels: LaunchLevels, wanted: Sequence[Wanted]) -> list[dict[str, Any]]:
    """Complaints about addresses that two servers of one group would have."""
    holders: dict[Place, list[UUID]] = {}
    for key in levels.servers:
        place = _place(levels, key)
        if place is not None:
            holders.setdefault(place, []).append(key)
    named = [each.key for each in wanted if each.key is not None]
    return [
        _complaint(each, _code(others, named), f"{place[1]} is given twice in {place[0]}.")
        for each, place in _places(levels, wanted)
        if (others := [key for key in holders[place] if key != each.key])
    ]


def taken(
    levels: LaunchLevels, wanted: Sequence[Wanted], error: IntegrityError
) -> list[dict[str, Any]]:
    """The refusal of the constraint in words: who has which address. Empty if it was another."""
    if _CONSTRAINT not in str(error):
        return []
    own = [row.pk for row in levels.servers.values()]
    found = []
    for each, (subnet, ip) in _places(levels, wanted):
        holder = (
            LaunchAddress.objects.filter(subnet_id=subnet, private_ip=ip)
            .exclude(settings__in=own)
            .exclude(settings__server=each.key, settings__group=_group(levels))
            .select_related("settings__server", "settings__group")
            .first()
        )
        if holder is not None:
            of = f"{holder.settings.server} in {holder.settings.group}"
            found.append(_complaint(each, "DUPLICATE_IP", f"{ip} in {subnet} is that of {of}."))
    return found or [
        {
            "field": "subnetId",
            "code": "DUPLICATE_IP",
            "message": "An address of a server is given to another server in this subnet.",
        }
    ]


def holder_of(
    subnet: str, ip: str, *, group: ProtectionGroup, server: SourceServer
) -> LaunchAddress | None:
    """Whose settings, besides those of this server in this group, give out this address."""
    held = LaunchAddress.objects.filter(subnet_id=subnet, private_ip=ip)
    others = held.exclude(settings__group=group, settings__server=server)
    return others.select_related("settings__server", "settings__group").first()


def _group(levels: LaunchLevels) -> Any:
    rows = [*levels.servers.values()]
    return rows[0].group_id if rows else None


def _places(levels: LaunchLevels, wanted: Sequence[Wanted]) -> Iterator[tuple[Wanted, Place]]:
    for each in wanted:
        place = _place(levels, each.key) if each.key is not None else None
        if place is not None:
            yield each, place


def _place(levels: LaunchLevels, key: UUID) -> Place | None:
    values = rules.intended(levels.layers(key))
    subnet, ip = values.get("subnetId"), values.get("staticPrivateIp")
    return (subnet, ip) if subnet and ip else None


def _code(others: Sequence[UUID], named: Sequence[UUID]) -> str:
    return "DUPLICATE_IP_IN_BATCH" if set(others) & set(named) else "DUPLICATE_IP"


def _complaint(wanted: Wanted, code: str, message: str) -> dict[str, Any]:
    return {"field": f"{wanted.prefix}staticPrivateIp", "code": code, "message": message}
