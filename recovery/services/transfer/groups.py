"""Bringing in protection groups, and launch settings of every level."""

from collections.abc import Iterator
from typing import Any

from drportal.errors import InvalidInput
from protection.choices import Combination, SettingsLevel
from protection.models import LaunchSettings, ProtectionGroup, TargetAccount
from protection.selectors import launch_levels, servers_chosen
from protection.services import groups, launch_settings
from protection.services.launch_installation import set_for_installation
from protection.services.launch_rows import Wanted
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
    row = LaunchSettings.objects.filter(level=SettingsLevel.INSTALLATION).first()
    set_for_installation(part.entry, version=row.version if row else 0, actor=part.actor)
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
    wanted = list(_wanted(part, group))
    if wanted:
        launch_settings.set_unasked(group, wanted, actor=part.actor)


def _wanted(part: Part, group: ProtectionGroup) -> Iterator[Wanted]:
    entry, levels = part.entry, launch_levels(group)
    if entry["launch_settings"] or levels.group:
        version = levels.group.version if levels.group else 0
        yield Wanted(entry["launch_settings"], version)
    said = {each["server_id"]: each for each in entry["servers"]}
    rows = named(group.account, group.region, list(said), field="servers")
    for server in rows:
        each, there = said[server.server_id], levels.servers.get(server.pk)
        combination = Combination(each["combination"])
        version = there.version if there else 0
        yield Wanted(each["launch_settings"], version, server, combination)
    named_here = {server.pk for server in rows}
    for key, there in levels.servers.items():
        if key not in named_here and there.server is not None:
            yield Wanted({}, there.version, there.server)
