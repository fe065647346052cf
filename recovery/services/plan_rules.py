"""What a plan may say. Each complaint names its field, has a code and is a sentence."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Exists, OuterRef

from drportal.errors import InvalidInput
from protection.models import AccountRegion, ProtectionGroup, SourceServer
from protection.rules import selection
from recovery.choices import LaunchSettingsPolicy
from recovery.engine import checks, graph
from recovery.engine.gates import GateRule
from recovery.errors import invalid_plan
from recovery.selectors import servers_by_group
from recovery.services import gate_people

SHORTEST_LIMIT, LONGEST_LIMIT = timedelta(minutes=1), timedelta(days=7)
DEFAULT_LIMIT = timedelta(minutes=60)
LONGEST_WAIT = timedelta(hours=24)
LONGEST_OBJECTIVE = timedelta(days=30)
MOST_WAVES = 50
MOST_ADDRESSES = 50
MOST_DRILL_DAYS = 3660
_NAMED = 20  # servers in a sentence; more are counted

Complaint = dict[str, str]


@dataclass(frozen=True, slots=True)
class GroupServers:
    """Of a group in a wave: the servers that are launched, all of them if `server_ids` is empty,
    and those whose failure does not fail the wave. Both are DRS's ids.
    """

    group_id: UUID
    server_ids: tuple[str, ...] = ()
    optional_server_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """A wave as somebody wants it. Its position is its place in the list, from 1.

    `group_servers` need name only the groups of which not all servers are launched, or some are
    optional. `checks` are as `recovery.engine.checks` says.
    """

    name: str
    group_ids: tuple[UUID, ...]
    depends_on: tuple[int, ...] = ()
    gate: bool = False
    gate_instructions: str = ""
    time_limit: timedelta = field(default=DEFAULT_LIMIT)
    wait: timedelta = field(default=timedelta(0))
    success_threshold: int = 100
    group_servers: tuple[GroupServers, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    gate_rule: GateRule | None = None

    def servers_of(self, group_id: UUID) -> GroupServers:
        """What the wave says of the servers of one of its groups."""
        said = (entry for entry in self.group_servers if entry.group_id == group_id)
        return next(said, GroupServers(group_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSpec:
    """A plan as somebody wants it."""

    name: str
    waves: tuple[WaveSpec, ...]
    description: str = ""
    owner: str = ""
    rto: timedelta | None = None
    rpo: timedelta | None = None
    preflight_before_waves: bool = True
    launch_settings_policy: LaunchSettingsPolicy = LaunchSettingsPolicy.BLOCK
    drill_every_days: int | None = None
    notification_addresses: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    approval_needed: bool = True


def must_be_valid(said: PlanSpec) -> None:
    """Raise the error that says everything that is wrong with a plan."""
    found = complaints(said)
    if found:
        raise invalid_plan(found)


def complaints(said: PlanSpec) -> list[Complaint]:
    """All that keeps a plan from being saved. Three queries at most, and a few a gate of named
    people.
    """
    found = [*_head_complaints(said), *_count_complaints(said.waves)]
    for position, wave in enumerate(said.waves, start=1):
        found += _wave_complaints(position, wave)
        found += _gate_complaints(position, wave)
    found += _group_complaints(said.waves)
    found += _graph_complaints(said.waves)
    found += _server_complaints(said.waves)
    return found


def launched_of(servers: Iterable[SourceServer], chosen: Collection[str]) -> list[SourceServer]:
    """Of a group's servers, those that a wave launches: the chosen ones, or all."""
    return [server for server in servers if not chosen or server.server_id in chosen]


def named(words: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more


def _head_complaints(said: PlanSpec) -> Iterable[Complaint]:
    if not 1 <= len(said.name.strip()) <= 64:  # noqa: PLR2004  # the field's own length
        yield _complaint("name", "invalid", "A name has 1 to 64 characters.")
    for name, text, most in (("description", said.description, 1000), ("owner", said.owner, 255)):
        if len(text) > most:
            yield _complaint(name, "too_long", f"At most {most} characters.")
    for name, objective in (("rto", said.rto), ("rpo", said.rpo)):
        if objective is not None and not timedelta(0) < objective <= LONGEST_OBJECTIVE:
            message = f"The {name.upper()} is more than nothing and at most 30 days."
            yield _complaint(f"{name}_minutes", "invalid", message)
    days = said.drill_every_days
    if days is not None and not 1 <= days <= MOST_DRILL_DAYS:
        message = f"1 to {MOST_DRILL_DAYS} days, or none."
        yield _complaint("drill_every_days", "invalid", message)
    yield from _address_complaints(said.notification_addresses)
    try:
        selection.checked(said.tags)
    except InvalidInput as error:
        yield from error.errors


def _address_complaints(addresses: Sequence[str]) -> Iterable[Complaint]:
    where = "notification_addresses"
    if len(addresses) > MOST_ADDRESSES:
        yield _complaint(where, "too_many", f"At most {MOST_ADDRESSES} addresses.")
        return
    seen: set[str] = set()
    for place, address in enumerate(addresses):
        if not _is_address(address):
            message = f"This is no e-mail address: {address[:100]}"
            yield _complaint(f"{where}[{place}]", "INVALID_EMAIL", message)
        elif address.lower() in seen:
            message = f"{address} is there already."
            yield _complaint(f"{where}[{place}]", "INVALID_EMAIL", message)
        seen.add(address.lower())


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return len(text) <= 254  # noqa: PLR2004  # the field's own length


def _count_complaints(waves: Sequence[WaveSpec]) -> Iterable[Complaint]:
    if not waves:
        yield _complaint("waves", "no_waves", "A plan has at least one wave.")
    if len(waves) > MOST_WAVES:
        yield _complaint("waves", "too_many", f"A plan has at most {MOST_WAVES} waves.")


def _wave_complaints(position: int, wave: WaveSpec) -> Iterable[Complaint]:
    where = f"waves[{position - 1}]"
    if not 1 <= len(wave.name.strip()) <= 64:  # noqa: PLR2004  # the field's own length
        yield _complaint(f"{where}.name", "invalid", "A name has 1 to 64 characters.")
    if not wave.group_ids:
        message = "A wave launches at least one group."
        yield _complaint(f"{where}.group_ids", "no_groups", message)
    if not SHORTEST_LIMIT <= wave.time_limit <= LONGEST_LIMIT:
        message = "A time limit is 1 minute to 7 days."
        yield _complaint(f"{where}.time_limit_minutes", "invalid", message)
    if not timedelta(0) <= wave.wait <= LONGEST_WAIT:
        yield _complaint(f"{where}.wait_minutes", "invalid", "A wave waits for 0 to 24 hours.")
    if not 1 <= wave.success_threshold <= 100:  # noqa: PLR2004  # percent
        message = "A success threshold is 1 to 100 percent."
        yield _complaint(f"{where}.success_threshold", "invalid", message)
    for found in checks.complaints(wave.checks, limit=wave.time_limit):
        member = f".{found['member']}" if found["member"] else ""
        at = f"{where}.checks[{found['place']}]{member}" if member else f"{where}.checks"
        yield _complaint(at, found["code"], found["message"])
    if len(wave.gate_instructions) > 1000:  # noqa: PLR2004  # the field's own length
        yield _complaint(f"{where}.gate_instructions", "too_long", "At most 1000 characters.")


def _gate_complaints(position: int, wave: WaveSpec) -> Iterable[Complaint]:
    where = f"waves[{position - 1}].gate_rule"
    if wave.gate_rule is None:
        return
    if not wave.gate:
        yield _complaint(where, "no_gate", "It names who opens a gate, but has none.")
    for code, message in gate_people.complaints(wave.gate_rule):
        yield _complaint(where, code, message)


def _group_complaints(waves: Sequence[WaveSpec]) -> Iterable[Complaint]:
    wanted = {group_id for wave in waves for group_id in wave.group_ids}
    known = set(ProtectionGroup.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    taken: set[UUID] = set()
    for place, wave in enumerate(waves):
        where = f"waves[{place}].group_ids"
        for group_id in wave.group_ids:
            if group_id not in known:
                yield _unknown_group(place, group_id)
            elif group_id in taken:
                message = f"Group {group_id} is in the plan already."
                yield _complaint(where, "group_twice", message)
            taken.add(group_id)


def unseen_complaints(waves: Sequence[WaveSpec], unseen: Collection[UUID]) -> list[Complaint]:
    """About groups that the person may not see: those are as unknown as what is not there."""
    return [
        _unknown_group(place, group_id)
        for place, wave in enumerate(waves)
        for group_id in wave.group_ids
        if group_id in unseen
    ]


def _unknown_group(place: int, group_id: UUID) -> Complaint:
    message = f"There is no protection group {group_id}."
    return _complaint(f"waves[{place}].group_ids", "unknown_group", message)


def _server_complaints(waves: Sequence[WaveSpec]) -> Iterable[Complaint]:
    """About servers that a wave names: they must be in its group as it is now.

    Where nothing was ever listed nobody knows what is in the group; the start will tell.
    """
    naming = {entry.group_id for wave in waves for entry in wave.group_servers}
    held = servers_by_group(_listed(naming)) if naming else {}
    for place, wave in enumerate(waves):
        where = f"waves[{place}].group_servers"
        seen: set[UUID] = set()
        for entry in wave.group_servers:
            if entry.group_id not in wave.group_ids or entry.group_id in seen:
                message = f"Group {entry.group_id} is not among the wave's groups, or named twice."
                yield _complaint(where, "group_not_in_wave", message)
            elif entry.group_id in held:
                yield from _entry_complaints(where, entry, held[entry.group_id])
            seen.add(entry.group_id)


def _listed(group_ids: Collection[UUID]) -> list[UUID]:
    """The groups whose account and Region were listed at some time."""
    listed = AccountRegion.objects.filter(
        account=OuterRef("account"), region=OuterRef("region"), listed_at__isnull=False
    )
    groups = ProtectionGroup.objects.filter(Exists(listed), pk__in=group_ids)
    return list(groups.values_list("pk", flat=True))


def _entry_complaints(
    where: str, entry: GroupServers, held: Sequence[SourceServer]
) -> Iterable[Complaint]:
    there = {server.server_id for server in held}
    strangers = sorted(set(entry.server_ids) - there)
    if strangers:
        message = f"These servers are not in group {entry.group_id} now: {named(strangers)}."
        yield _complaint(where, "server_not_in_group", message)
    launched = set(entry.server_ids) or there
    idle = sorted(set(entry.optional_server_ids) - launched)
    if idle:
        message = f"These servers are optional, but the wave does not launch them: {named(idle)}."
        yield _complaint(where, "optional_not_launched", message)


def _graph_complaints(waves: Sequence[WaveSpec]) -> Iterable[Complaint]:
    needs = needs_of(waves)
    for position, missing in graph.unknown(needs).items():
        where = f"waves[{position - 1}].depends_on"
        told = ", ".join(map(str, missing))
        yield _complaint(where, "unknown_wave", f"There is no wave {told}.")
    around = graph.cycle(needs)
    if around:
        path = " → ".join(map(str, around))
        yield _complaint("waves", "cycle", f"The waves wait for each other in a circle: {path}.")


def needs_of(waves: Sequence[WaveSpec]) -> dict[int, set[int]]:
    """By position, the waves that a wave waits for."""
    return {position: set(wave.depends_on) for position, wave in enumerate(waves, start=1)}


def _complaint(field_name: str, code: str, message: str) -> Complaint:
    return {"field": field_name, "code": code, "message": message}
