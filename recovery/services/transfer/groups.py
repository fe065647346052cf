"""Bringing in protection groups, and launch settings of every level."""

from typing import Any

from drportal.errors import InvalidInput
from protection.models import ProtectionGroup, TargetAccount
from protection.selectors import servers_chosen
from protection.services import groups, launch_settings
from recovery import configuration
from recovery.services.transfer.outcome import Fate
from recovery.services.transfer.part import Part
from recovery.services.transfer.servers import named


def installation(part: Part) -> Fate:
    """Set the installation's launch settings."""
    there = configuration.installation_settings()
    left = part.leave(there) if there or not part.entry else None
    if left is not None:
        return left
    launch_settings.set_installation(part.entry, actor=part.actor)
    return Fate.UPDATED if there else Fate.CREATED


def group(part: Part) -> Fate:
    """Make a group with its launch settings, or make it what the document says."""
    there = ProtectionGroup.objects.filter(name__iexact=part.entry["name"].strip()).first()
    if there is None:
        _create(part)
        return Fate.CREATED
    left = part.leave(configuration.groups([there.name])[0])
    if left is not None:
        return left
    _update(part, there)
    return Fate.UPDATED


def _create(part: Part) -> None:
    entry = part.entry
    account = TargetAccount.objects.filter(account_id=entry["account_id"]).first()
    if account is None:
        told = f"There is no target account {entry['account_id']}."
        raise InvalidInput.field("account_id", "MISSING_ACCOUNT_ID", told)
    made = groups.create(
        account=account, region=entry["region"], **_said(part, account), actor=part.actor
    )
    _set(part, made)


def _update(part: Part, there: ProtectionGroup) -> None:
    entry = part.entry
    if (there.account.account_id, there.region) != (entry["account_id"], entry["region"]):
        told = "The group is of another account or Region, and that is fixed."
        raise InvalidInput.field("account_id", "fixed", told)
    made = groups.edit(there, **_said(part, there.account), actor=part.actor)
    _set(part, made)


def _said(part: Part, account: TargetAccount) -> dict[str, Any]:
    entry = part.entry
    chosen = named(account, entry["region"], entry["server_ids"], field="server_ids")
    return {
        "name": entry["name"],
        "description": entry["description"],
        "owner": entry["owner"],
        "tags": entry["tags"] or None,
        "server_ids": [server.pk for server in chosen] or None,
        "allow_overlap": entry["allows_overlap"],
        "may_be_empty": True,
    }


def _set(part: Part, group: ProtectionGroup) -> None:
    """The group's own launch settings and its servers': what the document leaves out is cleared."""
    entry = part.entry
    if group.tags and not servers_chosen(group).exists():
        where = f"{entry['account_id']}/{group.region}"
        part.warn("NO_TAG_MATCHES", f"No server that is known in {where} has the group's tags.")
    launch_settings.set_group(group, entry["launch_settings"], actor=part.actor, unverified=True)
    ids = [each["server_id"] for each in entry["servers"]]
    rows = {
        server.server_id: server
        for server in named(group.account, group.region, ids, field="servers")
    }
    launch_settings.set_servers(
        group,
        [
            launch_settings.ServerEntry(
                server=rows[each["server_id"]],
                values=each["launch_settings"],
                combination=each["combination"],
            )
            for each in entry["servers"]
        ],
        only_these=True,
        unverified=True,
        actor=part.actor,
    )
