"""Launch settings of groups and of servers in them: setting, clearing and restoring them.

What is saved was checked first, in the group's own account and Region and outside the
transaction; the transaction then makes sure that what the check relied on is still so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from drportal.actor import Actor
from drportal.errors import InvalidInput
from drportal.transactions import reaches_outside
from protection.choices import Combination, SettingsLevel
from protection.errors import InvalidLaunchSettings, LaunchSettingsChanged, NoSuchVersion
from protection.models import (
    LaunchSettings,
    LaunchStanding,
    ProtectionGroup,
    SourceServer,
)
from protection.rules import launch as rules
from protection.selectors import LaunchLevels, launch_levels, servers_chosen
from protection.services import launch_addresses as addresses
from protection.services import launch_rows as rows
from protection.services import launch_validation as validation
from protection.services.holds import must_not_be_held
from protection.services.launch_rows import Wanted


@dataclass(frozen=True, slots=True)
class Checked:
    """Launch settings that AWS had nothing against, and what they were checked on top of."""

    group: ProtectionGroup
    wanted: tuple[Wanted, ...]
    before: LaunchLevels
    event: str
    facts: Mapping[str, Any]


@reaches_outside
def set_for_group(
    group: ProtectionGroup,
    values: Mapping[str, Any],
    *,
    version: int,
    unverified: bool = False,
    actor: Actor,
) -> LaunchSettings:
    """Set what a group's servers are launched with. Raises what `set_many` raises."""
    [row] = set_many(group, [Wanted(values, version)], unverified=unverified, actor=actor)
    return row


@reaches_outside
def set_for_server(
    group: ProtectionGroup,
    server: SourceServer,
    values: Mapping[str, Any],
    *,
    combination: Combination,
    version: int,
    unverified: bool = False,
    actor: Actor,
) -> LaunchSettings:
    """Set what one server of a group is launched with. Raises what `set_many` raises."""
    wanted = Wanted(values, version, server, combination)
    [row] = set_many(group, [wanted], unverified=unverified, actor=actor)
    return row


@reaches_outside
def set_many(
    group: ProtectionGroup,
    wanted: Sequence[Wanted],
    *,
    unverified: bool = False,
    actor: Actor,
) -> list[LaunchSettings]:
    """Set the launch settings of the group or of any of its servers: all of them, or none.

    Raises what `check` and `save` raise.
    """
    return save(check(group, wanted, unverified=unverified), actor=actor)


@reaches_outside
def check(
    group: ProtectionGroup,
    wanted: Sequence[Wanted],
    *,
    unverified: bool = False,
    event: str = "set",
    **facts: Any,
) -> Checked:
    """Check launch settings by themselves and with AWS. Nothing is saved.

    With `unverified`, what AWS could not be asked does not block; the audit record will say what
    it was. Raises InvalidLaunchSettings, with every complaint.
    """
    checked = [replace(each, values=_checked(each)) for each in wanted]
    before = launch_levels(group)
    after = _with(before, group, checked)
    found = _said_by_aws(group, before, after, checked)
    blocking = [e for e in found if e["code"] != validation.NOT_ASKED or not unverified]
    blocking += addresses.twice_in(after, checked)
    if blocking:
        raise InvalidLaunchSettings(blocking)
    facts |= {"unverified": [e["message"] for e in found]} if found else {}
    return Checked(group, tuple(checked), before, event, facts)


def save(checked: Checked, *, actor: Actor) -> list[LaunchSettings]:
    """Save what was checked: all of it, or nothing.

    Raises LaunchSettingsChanged if it, or what the check built on, was changed meanwhile,
    InvalidLaunchSettings if an address was given to another server, and GroupHeld while something
    relies on the group as it is.
    """
    return _save(
        checked.group, checked.wanted, checked.before, rows.How(checked.event, actor, checked.facts)
    )


def set_unasked(
    group: ProtectionGroup, wanted: Sequence[Wanted], *, actor: Actor, **facts: Any
) -> list[LaunchSettings]:
    """As `check` and `save`, but AWS is not asked, so that it may be part of a transaction. The
    record says so; each server's whole is checked when it is applied. Raises what the two raise.
    """
    checked = [replace(each, values=_checked(each)) for each in wanted]
    before = launch_levels(group)
    blocking = addresses.twice_in(_with(before, group, checked), checked)
    if blocking:
        raise InvalidLaunchSettings(blocking)
    facts |= {"unverified": ["AWS was not asked."]}
    return _save(group, checked, before, rows.How("set", actor, facts))


def clear(
    group: ProtectionGroup, server: SourceServer, *, version: int | None = None, actor: Actor
) -> None:
    """Set nothing for one server any more; its history stays. Nothing happens where nothing is set.

    What was applied stays in AWS until the group's settings are applied again. Raises
    LaunchSettingsChanged and GroupHeld.
    """
    before = launch_levels(group)
    row = before.servers.get(server.pk)
    if row is None or not (row.values or row.combination == Combination.REPLACE):
        return
    wanted = Wanted({}, row.version if version is None else version, server)
    _save(group, [wanted], before, rows.How("cleared", actor))


@reaches_outside
def check_restore(
    settings: LaunchSettings, number: int, *, version: int, unverified: bool = False
) -> Checked:
    """Check what version `number` of a group's or a server's settings said, to `save` it again.

    Raises what `check` raises, and NoSuchVersion.
    """
    if settings.group is None:
        raise NoSuchVersion(settings, number)
    said = rows.document(settings, number)
    combination = Combination(said["combination"])
    wanted = Wanted(said["values"], version, settings.server, combination)
    return check(
        settings.group, [wanted], unverified=unverified, event="restored", from_version=number
    )


def member(group: ProtectionGroup, server_id: str) -> SourceServer | None:
    """The server of a group by DRS's id or by that of its inventory row; None for none."""
    here = servers_chosen(group)
    try:
        return here.filter(pk=UUID(server_id)).first()
    except ValueError:
        return here.filter(server_id=server_id).first()


def members(group: ProtectionGroup, server_ids: Sequence[str]) -> list[SourceServer]:
    """Several servers of a group, in order. Raises InvalidInput for one that is not there, and for
    one that is there twice.
    """
    here = list(servers_chosen(group))
    known = {str(server.pk): server for server in here}
    known |= {server.server_id: server for server in here}
    errors: list[dict[str, str]] = []
    seen: set[UUID] = set()
    for place, each in enumerate(server_ids):
        server = known.get(each)
        if server is not None and server.pk not in seen:
            seen.add(server.pk)
            continue
        code, why = ("server_not_here", "is not in the group")
        if server is not None:
            code, why = ("server_twice", "is there twice")
        message = f"The server {each} {why}."
        errors.append({"field": f"servers[{place}]", "code": code, "message": message})
    if errors:
        raise InvalidInput("The servers are not all in the group, each once.", errors=errors)
    return [known[each] for each in server_ids]


@dataclass(frozen=True, slots=True)
class AddressCheck:
    """What there is against an address for a server. No complaint: it may have it."""

    ip: str
    subnet_id: str
    complaints: tuple[validation.Complaint, ...]


@reaches_outside
def check_address(
    group: ProtectionGroup, server: SourceServer, ip: str, *, subnet_id: str | None = None
) -> AddressCheck:
    """Whether a server may have an address in a subnet: that of its settings, unless given."""
    levels = launch_levels(group)
    subnet = subnet_id or rules.intended(levels.layers(server.pk)).get("subnetId") or ""
    given = {"staticPrivateIp": ip, **({"subnetId": subnet} if subnet else {})}
    try:
        values = rules.checked(given, level=SettingsLevel.SERVER)
    except rules.BadValues as bad:
        wrong = tuple(map(validation.Complaint.of, bad.problems))
        return AddressCheck(ip, subnet, wrong)
    subject = validation.Subject(values, server.server_id)
    [found] = validation.complaints(group.account.scope(group.region), [subject])
    holder = addresses.holder_of(subnet, values["staticPrivateIp"], group=group, server=server)
    if holder is not None:
        told = f"{ip} in {subnet} is that of {holder.settings.server} in {holder.settings.group}."
        found.append(validation.Complaint("staticPrivateIp", "DUPLICATE_IP", told))
    return AddressCheck(ip, subnet, tuple(found))


def _checked(wanted: Wanted) -> rules.Values:
    try:
        return rules.checked(wanted.values, level=wanted.level)
    except rules.BadValues as bad:
        raise InvalidLaunchSettings(rows.errors(bad, wanted.prefix)) from bad


def _with(levels: LaunchLevels, group: ProtectionGroup, wanted: Sequence[Wanted]) -> LaunchLevels:
    """The levels as they would be. Nothing is saved."""
    servers, of_group = dict(levels.servers), levels.group
    for each in wanted:
        row = LaunchSettings(
            level=each.level,
            group=group,
            server=each.server,
            values=dict(each.values),
            combination=each.combination,
        )
        if each.server is None:
            of_group = row
        else:
            servers[each.server.pk] = row
    return LaunchLevels(levels.installation, of_group, servers)


def _said_by_aws(
    group: ProtectionGroup,
    before: LaunchLevels,
    after: LaunchLevels,
    wanted: Sequence[Wanted],
) -> list[dict[str, Any]]:
    """What AWS says against what is wanted, and against what that changes for other servers."""
    subjects = [(each.prefix, _subject(after, each.server)) for each in wanted]
    named = {each.key for each in wanted}
    moved = [
        row.server
        for key, row in after.servers.items()
        if key not in named and row.server and _subnet(before, key) != _subnet(after, key)
    ]
    subjects += [("", _subject(after, server)) for server in moved]
    scope = group.account.scope(group.region)
    answers = validation.complaints(scope, [subject for _, subject in subjects])
    found = [
        complaint.as_error(prefix)
        for (prefix, _), said in zip(subjects, answers[: len(wanted)], strict=False)
        for complaint in said
    ]
    for server, said in zip(moved, answers[len(wanted) :], strict=True):
        found += [_of_moved(server, complaint) for complaint in said]
    return found


def _subject(levels: LaunchLevels, server: SourceServer | None) -> validation.Subject:
    values = rules.intended(levels.layers(server.pk if server else None))
    return validation.Subject(values, server.server_id if server else "")


def _subnet(levels: LaunchLevels, key: UUID) -> Any:
    return rules.intended(levels.layers(key)).get("subnetId")


def _of_moved(server: SourceServer, complaint: validation.Complaint) -> dict[str, Any]:
    """A complaint about a server whose subnet the group's new one becomes."""
    moves_address = complaint.field == "staticPrivateIp" and complaint.code != validation.NOT_ASKED
    code = "SUBNET_CHANGE_IP_INVALID" if moves_address else complaint.code
    message = f"For {server.name}, which has launch settings of its own: {complaint.message}"
    return replace(complaint, field="subnetId", code=code, message=message).as_error()


def _save(
    group: ProtectionGroup, wanted: Sequence[Wanted], before: LaunchLevels, how: rows.How
) -> list[LaunchSettings]:
    try:
        with transaction.atomic():
            locked = ProtectionGroup.objects.select_for_update(no_key=True).get(pk=group.pk)
            must_not_be_held(locked)
            now = launch_levels(locked)
            found = [_row(now, locked, each) for each in wanted]
            for row, each in zip(found, wanted, strict=True):
                rows.must_be_at(row, each.version)
            _must_build_on(before.installation, now.installation)
            _must_build_on(before.group, now.group)
            for row, each in zip(found, wanted, strict=True):
                rows.write(row, each, how)
            addresses.settle(launch_levels(locked))
            rows.outdate(_standings(locked, wanted))
    except IntegrityError as error:
        complaints = addresses.taken(_with(before, group, wanted), wanted, error)
        if not complaints:
            raise
        raise InvalidLaunchSettings(complaints) from error
    return found


def _row(levels: LaunchLevels, group: ProtectionGroup, wanted: Wanted) -> LaunchSettings:
    found = levels.servers.get(wanted.server.pk) if wanted.server else levels.group
    return found or LaunchSettings(level=wanted.level, group=group, server=wanted.server, version=0)


def _must_build_on(before: LaunchSettings | None, now: LaunchSettings | None) -> None:
    """What was checked built on the wider levels as they were."""
    was, is_now = (row.version if row else 0 for row in (before, now))
    if was != is_now:
        raise LaunchSettingsChanged(now or "launch settings", yours=was, current=is_now)


def _standings(group: ProtectionGroup, wanted: Sequence[Wanted]) -> Any:
    standings = LaunchStanding.objects.filter(group=group)
    if all(each.server for each in wanted):
        return standings.filter(server__in=[each.key for each in wanted])
    return standings
