"""Launch settings: setting, clearing and restoring them, at each of the three levels.

What is saved was checked first, in the group's own account and Region and outside the
transaction; the transaction then makes sure that what the check relied on is still so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import Combination, DriftState, SettingsLevel
from protection.errors import InvalidLaunchSettings, LaunchSettingsChanged, NoSuchVersion
from protection.models import (
    LaunchSettings,
    LaunchSettingsVersion,
    LaunchStanding,
    ProtectionGroup,
    SourceServer,
)
from protection.rules import launch as rules
from protection.selectors import LaunchLevels, launch_levels, servers_chosen
from protection.services import launch_addresses as addresses
from protection.services import launch_validation as validation
from protection.services.holds import must_not_be_held

_OUTDATED = "The settings were changed after the last look."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Launch settings as somebody wants them, for one server of a group or, without one, for the
    group. `version` is the one that they began with: 0 where there were none. `prefix` stands
    before the names of fields in complaints.
    """

    values: Mapping[str, Any]
    version: int
    server: SourceServer | None = None
    combination: Combination = Combination.ADD
    prefix: str = ""

    @property
    def level(self) -> SettingsLevel:
        return SettingsLevel.SERVER if self.server else SettingsLevel.GROUP

    @property
    def key(self) -> UUID | None:
        return self.server.pk if self.server else None


@dataclass(frozen=True, slots=True)
class _How:
    """How a change is written down."""

    event: str
    actor: Actor
    facts: Mapping[str, Any] = field(default_factory=dict)


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
    event: str = "set",
    **facts: Any,
) -> list[LaunchSettings]:
    """Set the launch settings of the group or of any of its servers: all of them, or none.

    With `unverified`, what AWS could not be asked does not block; the audit record says what it
    was. Raises InvalidLaunchSettings, LaunchSettingsChanged, and GroupHeld while something relies
    on the group as it is.
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
    return _save(group, checked, before, _How(event, actor, facts))


def set_unasked(
    group: ProtectionGroup, wanted: Sequence[Wanted], *, actor: Actor, **facts: Any
) -> list[LaunchSettings]:
    """As `set_many`, but AWS is not asked, so that it may be part of a transaction: the record says
    so. Each server's whole is checked when it is applied. Raises what `set_many` raises.
    """
    checked = [replace(each, values=_checked(each)) for each in wanted]
    before = launch_levels(group)
    blocking = addresses.twice_in(_with(before, group, checked), checked)
    if blocking:
        raise InvalidLaunchSettings(blocking)
    facts |= {"unverified": ["AWS was not asked."]}
    return _save(group, checked, before, _How("set", actor, facts))


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
    _save(group, [wanted], before, _How("cleared", actor))


@reaches_outside
def restore(
    settings: LaunchSettings,
    number: int,
    *,
    version: int,
    unverified: bool = False,
    actor: Actor,
) -> LaunchSettings:
    """Make a new version that says what version `number` said; that one stays in the history.

    It is checked as any other. Raises what `set_many` raises, and NoSuchVersion.
    """
    old = settings.versions.filter(number=number).first()
    if old is None:
        raise NoSuchVersion(settings, number)
    values = old.document["values"]
    if settings.group is None:
        return set_for_installation(
            values, version=version, actor=actor, event="restored", from_version=number
        )
    combination = Combination(old.document["combination"])
    wanted = Wanted(values, version, settings.server, combination)
    [row] = set_many(
        settings.group,
        [wanted],
        unverified=unverified,
        actor=actor,
        event="restored",
        from_version=number,
    )
    return row


def set_for_installation(
    values: Mapping[str, Any], *, version: int, actor: Actor, event: str = "set", **facts: Any
) -> LaunchSettings:
    """Set what all servers are launched with, unless their group or they say otherwise.

    AWS is not asked: there is no one account to ask in. Each server's whole is checked when it is
    applied. Raises InvalidLaunchSettings and LaunchSettingsChanged.
    """
    level = SettingsLevel.INSTALLATION
    try:
        kept = rules.checked(values, level=level)
    except rules.BadValues as bad:
        raise InvalidLaunchSettings(_errors(bad, "")) from bad
    try:
        with transaction.atomic():
            row = LaunchSettings.objects.select_for_update(of=("self",)).filter(level=level).first()
            row = row or LaunchSettings(level=level, version=0)
            _must_be_at(row, version)
            _write(row, Wanted(kept, version), _How(event, actor, facts))
            _outdate(LaunchStanding.objects.all())
    except IntegrityError as error:
        if "protection_one_row_of_installation_settings" not in str(error):
            raise
        raise LaunchSettingsChanged("launch settings", yours=version, current=1) from error
    return row


def member(group: ProtectionGroup, server_id: str) -> SourceServer | None:
    """The server of a group by DRS's id or by that of its inventory row; None for none."""
    here = servers_chosen(group)
    try:
        return here.filter(pk=UUID(server_id)).first()
    except ValueError:
        return here.filter(server_id=server_id).first()


def _checked(wanted: Wanted) -> rules.Values:
    try:
        return rules.checked(wanted.values, level=wanted.level)
    except rules.BadValues as bad:
        raise InvalidLaunchSettings(_errors(bad, wanted.prefix)) from bad


def _errors(bad: rules.BadValues, prefix: str) -> list[dict[str, Any]]:
    return [validation.Complaint.of(problem).as_error(prefix) for problem in bad.problems]


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
    group: ProtectionGroup, wanted: Sequence[Wanted], before: LaunchLevels, how: _How
) -> list[LaunchSettings]:
    try:
        with transaction.atomic():
            locked = ProtectionGroup.objects.select_for_update(no_key=True).get(pk=group.pk)
            must_not_be_held(locked)
            now = launch_levels(locked)
            rows = [_row(now, locked, each) for each in wanted]
            for row, each in zip(rows, wanted, strict=True):
                _must_be_at(row, each.version)
            _must_build_on(before.installation, now.installation)
            _must_build_on(before.group, now.group)
            for row, each in zip(rows, wanted, strict=True):
                _write(row, each, how)
            addresses.settle(launch_levels(locked))
            _outdate(_standings(locked, wanted))
    except IntegrityError as error:
        complaints = addresses.taken(_with(before, group, wanted), wanted, error)
        if not complaints:
            raise
        raise InvalidLaunchSettings(complaints) from error
    return rows


def _row(levels: LaunchLevels, group: ProtectionGroup, wanted: Wanted) -> LaunchSettings:
    found = levels.servers.get(wanted.server.pk) if wanted.server else levels.group
    return found or LaunchSettings(level=wanted.level, group=group, server=wanted.server, version=0)


def _must_be_at(row: LaunchSettings, version: int) -> None:
    if row.version != version:
        raise LaunchSettingsChanged(row, yours=version, current=row.version)


def _must_build_on(before: LaunchSettings | None, now: LaunchSettings | None) -> None:
    """What was checked built on the wider levels as they were."""
    was, is_now = (row.version if row else 0 for row in (before, now))
    if was != is_now:
        raise LaunchSettingsChanged(now or "launch settings", yours=was, current=is_now)


def _write(row: LaunchSettings, wanted: Wanted, how: _How) -> None:
    """Save a row as its next version; what is as it was stays the version that it is."""
    before = {"values": row.values, "combination": row.combination}
    now = {"values": dict(wanted.values), "combination": str(wanted.combination)}
    if row.version and before == now:
        return
    row.values, row.combination = now["values"], wanted.combination
    row.version += 1
    row.updated_at = timezone.now()
    row.save()
    kept = LaunchSettingsVersion.objects.create(
        settings=row,
        number=row.version,
        document=now,
        created_by_id=how.actor.user_id,
        created_by=how.actor.name[:254],
    )
    record(
        f"protection.launch_settings.{how.event}",
        actor=how.actor,
        subject=row.group or row,
        level=str(row.level),
        server=row.server.server_id if row.server else "",
        version=row.version,
        old=before,
        new=now,
        **how.facts,
    )
    mark("LaunchConfigurations", row.pk)
    mark("LaunchConfigurationVersions", kept.pk)


def _standings(group: ProtectionGroup, wanted: Sequence[Wanted]) -> Any:
    standings = LaunchStanding.objects.filter(group=group)
    if all(each.server for each in wanted):
        return standings.filter(server__in=[each.key for each in wanted])
    return standings


def _outdate(standings: Any) -> None:
    """Nobody knows whether AWS holds the new settings before it was looked."""
    standings.update(drift=DriftState.UNKNOWN, differences=[], message=_OUTDATED)
