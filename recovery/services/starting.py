"""What a start launches of a plan: its waves and servers as they are now, and what is left out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.utils import timezone

from drportal.actor import Actor
from protection.models import ProtectionGroup, SourceServer
from protection.selectors import readiness_of, regions_by_key
from recovery.engine.options import POINT_ID, StartOptions, inherited
from recovery.engine.preflight import key_of
from recovery.errors import (
    ChosenServersGone,
    InvalidOptions,
    PlanHasNoServers,
    RecoveryPointUnknown,
    ServersNotReady,
    ServerTwice,
)
from recovery.models import (
    Execution,
    PlanWave,
    PlanWaveGroup,
    Preflight,
    RecoveryPlan,
    Wave,
    WaveServer,
)
from recovery.selectors import place_of_server, servers_by_group, with_waves
from recovery.services.events import note
from recovery.services.plan_rules import launched_of, named
from recovery.states import ServerState, WaveState

NOT_CHOSEN = "Not chosen at the start."

Member = tuple[ProtectionGroup, SourceServer]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A wave of the plan with the servers that it launches, as its groups hold them now, with
    those that it would launch and that were not chosen, and with the waves that it waits for.
    """

    wave: PlanWave
    servers: tuple[Member, ...]
    others: tuple[Member, ...]
    optional: frozenset[tuple[ProtectionGroup, str]]
    needs: frozenset[int]

    def critical(self, group: ProtectionGroup, server: SourceServer) -> bool:
        """Whether its failure fails the wave."""
        return (group, server.server_id) not in self.optional


def resolve(plan: RecoveryPlan, options: StartOptions) -> list[Resolved]:
    """The waves of `plan` as a start would carry them out now. A fixed number of queries.

    Raises InvalidOptions, ServerTwice, PlanHasNoServers and ChosenServersGone.
    """
    waves = list(with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get().waves.all())
    entries = {wave: list(wave.entries.all()) for wave in waves}
    held = servers_by_group(entry.group_id for found in entries.values() for entry in found)
    _must_hold_the_chosen(entries, held, options)
    members = {wave: members_of(found, held) for wave, found in entries.items()}
    wrong = complaints(
        options,
        {
            wave.position: frozenset(server.server_id for _, server in found)
            for wave, found in members.items()
        },
    )
    if wrong:
        raise InvalidOptions(wrong)
    resolved = [_resolved(wave, entries[wave], members[wave], options) for wave in waves]
    _must_be_once(resolved)
    left_out = {entry.wave.position for entry in resolved if not entry.servers}
    needs = inherited({wave.position: wave.depends_on for wave in waves}, left_out)
    return [replace(entry, needs=needs[entry.wave.position]) for entry in resolved]


def members_of(
    entries: Sequence[PlanWaveGroup], held: Mapping[UUID, Sequence[SourceServer]]
) -> list[Member]:
    """The servers that a wave launches where nobody chooses, with their groups."""
    return [
        (entry.group, server)
        for entry in entries
        for server in launched_of(held[entry.group_id], entry.server_ids)
    ]


def complaints(
    options: StartOptions, planned: Mapping[int, frozenset[str]]
) -> list[tuple[str, str]]:
    """What is wrong with `options` for a plan of these servers, by the position of their wave:
    (field, sentence). Nothing that was named is passed over in silence.
    """
    found = []
    if options.not_after is not None and options.not_after > timezone.now():
        found.append(("not_after", "A time that is yet to come tells no recovery point."))
    if options.from_wave > max(planned, default=1):
        found.append(("from_wave", f"The plan has no wave {options.from_wave}."))
    found += [
        ("waves", f"The plan has no wave {position}.")
        for position in sorted(options.waves - planned.keys())
    ]
    found += [
        ("waves", f"Wave {position} is before wave {options.from_wave}.")
        for position in sorted(options.waves & planned.keys())
        if position < options.from_wave
    ]
    launched = {
        server_id
        for position, server_ids in planned.items()
        if options.takes_wave(position)
        for server_id in server_ids
    }
    strangers = sorted(options.server_ids - launched)
    if strangers:
        found.append(("server_ids", f"Not in the waves that are launched: {named(strangers)}."))
    no_points = sorted(at for at in options.points.values() if not POINT_ID.fullmatch(at))
    if no_points:
        found.append(("points", f"These are no recovery points: {named(no_points)}."))
    chosen = launched & options.server_ids if options.server_ids else launched
    pointless = sorted(options.points.keys() - chosen)
    if pointless:
        said = f"A recovery point is chosen for what is not launched: {named(pointless)}."
        found.append(("points", said))
    return found


def places(
    resolved: Sequence[Resolved], options: StartOptions
) -> list[tuple[int, str, str, str, str]]:
    """The servers that are launched, and from which points, as a preflight names them."""
    return [
        (
            entry.wave.position,
            *place_of_server(server),
            str(options.wish(server.server_id)),
        )
        for entry in resolved
        for _, server in entry.servers
    ]


def unready(resolved: Sequence[Resolved]) -> ServersNotReady | None:
    """Servers that could not be launched now, or of which that is not known."""
    regions = regions_by_key()
    verdicts = {
        str(server): readiness_of(server, regions.get((server.account_id, server.region)))
        for entry in resolved
        for _, server in entry.servers
    }
    refused = [(name, found.reason) for name, found in verdicts.items() if not found.launchable]
    return ServersNotReady(refused) if refused else None


def snapshot(execution: Execution, resolved: Sequence[Resolved]) -> None:
    """Write the waves and servers of the plan as they are now. What was not chosen has its rows
    too, so that the execution tells what was not done.
    """
    now = timezone.now()
    waves = Wave.objects.bulk_create(_wave(execution, entry, now) for entry in resolved)
    WaveServer.objects.bulk_create(
        row
        for wave, entry in zip(waves, resolved, strict=True)
        for row in _servers(execution, wave, entry)
    )


def choose_points(execution: Execution, options: StartOptions, preflight: Preflight | None) -> None:
    """Write which recovery point each server is launched from, unless from the latest: the one
    that was named, or the one that `preflight`, of the same options, found for the wanted time.

    Raises RecoveryPointUnknown if for a server there is none; it is never launched from the
    latest instead.
    """
    known = preflight.points if preflight is not None else {}
    servers = list(execution.servers.filter(in_scope=True).order_by("name", "id"))
    chosen, missing = [], []
    for server in servers:
        wish = options.wish(server.server_id)
        if not wish:
            continue
        found = known.get(key_of(server.account_id, server.region, server.server_id), {})
        server.chosen_point_id = wish.snapshot_id or found.get("id", "")
        if not server.chosen_point_id:
            missing.append(str(server))
        if found.get("id") == server.chosen_point_id:
            server.chosen_point_at = datetime.fromisoformat(found["at"])
        chosen.append(server)
    if missing:
        raise RecoveryPointUnknown(missing)
    WaveServer.objects.bulk_update(chosen, ["chosen_point_id", "chosen_point_at"])


def note_options(execution: Execution, options: StartOptions, *, actor: Actor) -> None:
    """Say in the timeline what part is carried out, from when, and for which ticket."""
    told = [options.said()] if options.as_dict() else []
    left_out = execution.servers.filter(in_scope=False).count()
    told += [f"{left_out} servers of the plan were not chosen."] if left_out else []
    told += [f"Ticket: {options.ticket}."] if options.ticket else []
    if told:
        note(execution, "execution.options", " ".join(told), actor=actor)


def _must_hold_the_chosen(
    entries: Mapping[PlanWave, Sequence[PlanWaveGroup]],
    held: Mapping[UUID, Sequence[SourceServer]],
    options: StartOptions,
) -> None:
    """A server that the plan names must not be left out silently."""
    gone = [
        (f"wave {wave.position}", entry.group.name, chosen)
        for wave, found in entries.items()
        for entry in found
        for chosen in set(entry.server_ids) - {row.server_id for row in held[entry.group_id]}
        if options.takes(wave.position, chosen)
    ]
    if gone:
        raise ChosenServersGone(gone)


def _resolved(
    wave: PlanWave,
    entries: Sequence[PlanWaveGroup],
    members: Sequence[Member],
    options: StartOptions,
) -> Resolved:
    whole = options.takes_wave(wave.position) and not options.server_ids
    if whole and not members:
        raise PlanHasNoServers(f"Wave {wave.position} ({wave.name}) has no servers.")
    chosen = [options.takes(wave.position, server.server_id) for _, server in members]
    return Resolved(
        wave=wave,
        servers=tuple(_those(members, chosen, taken=True)),
        others=tuple(_those(members, chosen, taken=False)),
        optional=frozenset(
            (entry.group, pk) for entry in entries for pk in entry.optional_server_ids
        ),
        needs=frozenset(wave.depends_on),
    )


def _those(members: Sequence[Member], chosen: Sequence[bool], *, taken: bool) -> Iterator[Member]:
    return (member for member, this in zip(members, chosen, strict=True) if this == taken)


def _must_be_once(resolved: Sequence[Resolved]) -> None:
    servers = [server for entry in resolved for _, server in (*entry.servers, *entry.others)]
    twice = [server for server, times in Counter(servers).items() if times > 1]
    if twice:
        listed = ", ".join(sorted(map(str, twice)))
        raise ServerTwice(f"Servers are in more than one group of the plan: {listed}.")


def _wave(execution: Execution, entry: Resolved, now: datetime) -> Wave:
    ended = {} if entry.servers else {"finished_at": now, "message": NOT_CHOSEN}
    return Wave(
        execution=execution,
        position=entry.wave.position,
        name=entry.wave.name,
        depends_on=sorted(entry.needs),
        gate=entry.wave.gate,
        gate_instructions=entry.wave.gate_instructions,
        gate_rule=entry.wave.gate_rule,
        wait=entry.wave.wait,
        time_limit=entry.wave.time_limit,
        success_threshold=entry.wave.success_threshold,
        checks=entry.wave.checks,
        group_names=sorted({held.group.name for held in entry.wave.entries.all()}),
        state=WaveState.PENDING if entry.servers else WaveState.LEFT_OUT,
        **ended,
    )


def _servers(execution: Execution, wave: Wave, entry: Resolved) -> Iterator[WaveServer]:
    left_out = {
        "state": ServerState.LEFT_OUT,
        "in_scope": False,
        "message": NOT_CHOSEN,
        "finished_at": timezone.now(),
    }
    for members, more in ((entry.servers, {}), (entry.others, left_out)):
        for group, server in members:
            yield WaveServer(
                execution=execution,
                wave=wave,
                account_id=server.account.account_id,
                region=server.region,
                server_id=server.server_id,
                name=server.name,
                os=server.os,
                group_name=group.name,
                critical=entry.critical(group, server),
                **more,
            )
