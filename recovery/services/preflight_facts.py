"""What the database knows of a plan that is about to be looked at, and AWS's answers beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from protection.choices import CheckState, LaunchStatus
from protection.models import AccountRegion, AccountValidation, ProtectionGroup, SourceServer
from protection.selectors import readiness_of, regions_by_key
from protection.services import launch_status
from recovery.engine.options import WHOLE, StartOptions, inherited
from recovery.engine.preflight import digest_of, key_of
from recovery.engine.preflight_facts import Facts, Judged, Place, PlaceFacts, ServerFacts
from recovery.engine.wording import lasting
from recovery.models import Execution, PlanWave, PlanWaveGroup, RecoveryPlan
from recovery.selectors import holders, place_of_server, servers_by_group, with_waves
from recovery.services.plan_rules import launched_of, named
from recovery.services.preflight_asking import Wanted, ask_places
from recovery.services.starting import complaints
from recovery.states import CheckOutcome, ExecutionState

# Where IAM does not answer, a validation counts for so long.
_VALIDATION_WORTH: Final = timedelta(hours=24)
_Regions = Mapping[tuple[object, str], AccountRegion]
_Launched = tuple[PlanWave, ProtectionGroup, SourceServer]


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of a plan: `wanted` is what is to be asked of AWS, and `digest` is
    of the servers that a start would launch.
    """

    plan: RecoveryPlan
    needs: Mapping[int, frozenset[int]]
    servers: tuple[ServerFacts, ...]
    wanted: tuple[Wanted, ...]
    wrong: tuple[tuple[int, str], ...]
    digest: str


@dataclass(frozen=True, slots=True)
class _Settings:
    """How the launch settings of one server in one group stand."""

    status: LaunchStatus
    values: Mapping[str, Any]
    message: str


def known_of(plan: RecoveryPlan, options: StartOptions = WHOLE) -> Known:
    """Read what the database knows of what `options` choose of `plan`. The queries grow with the
    plan's groups, not its servers.
    """
    waves = list(with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get().waves.all())
    entries = [(wave, entry) for wave in waves for entry in wave.entries.all()]
    held = servers_by_group(entry.group_id for _, entry in entries)
    planned = [
        (wave, entry.group, server)
        for wave, entry in entries
        for server in launched_of(held[entry.group_id], entry.server_ids)
    ]
    launched = [row for row in planned if options.takes(row[0].position, row[2].server_id)]
    settings = _settings({entry.group for _, entry in entries})
    regions, held_by = regions_by_key(), holders()
    return Known(
        plan=plan,
        needs=_needs(waves, launched),
        servers=tuple(
            replace(
                _server(wave, group, server, settings, regions, held_by),
                wish=options.wish(server.server_id),
            )
            for wave, group, server in launched
        ),
        wanted=tuple(_wanted(launched, settings, options)),
        wrong=(*_wrong(waves, entries, held, options), *_wrong_options(waves, planned, options)),
        digest=digest_of(
            (wave.position, *place_of_server(server), str(options.wish(server.server_id)))
            for wave, _, server in launched
        ),
    )


def points_of(facts: Facts) -> dict[str, dict[str, str]]:
    """The recovery points that were found for what is wished, as `Preflight.points` keeps them."""
    found = {}
    for server in facts.servers:
        told = facts.places[server.place].points.get(server.server_id)
        if server.wish and told is not None and told.value is not None:
            key = key_of(*server.place, server.server_id)
            found[key] = {"id": told.value.id, "at": told.value.at.isoformat()}
    return found


def _needs(waves: Sequence[PlanWave], launched: Sequence[_Launched]) -> dict[int, frozenset[int]]:
    """What each wave waits for, where those that launch nothing count as ended."""
    full = {wave.position for wave, _, _ in launched}
    return inherited(
        {wave.position: wave.depends_on for wave in waves},
        {wave.position for wave in waves} - full,
    )


def facts_of(known: Known, *, alive: Callable[[], None]) -> Facts:
    """All facts: what the database knows, and what AWS tells now."""
    places = ask_places(known.wanted, alive=alive)
    vouched = _vouched({each.account.pk for each in known.wanted})
    return Facts(
        now=timezone.now(),
        rpo=known.plan.rpo,
        needs=known.needs,
        servers=known.servers,
        places={place: _with(found, vouched.get(place)) for place, found in places.items()},
        wrong=known.wrong,
    )


def _vouched(accounts: Iterable[UUID]) -> dict[Place, datetime]:
    """Where a validation lately found that the role may do everything, and when. One query."""
    lately = timezone.now() - _VALIDATION_WORTH
    rows = AccountValidation.objects.filter(target__in=accounts, finished_at__gte=lately)
    return {
        (row.target.account_id, check["region"]): row.finished_at
        for row in rows.select_related("target").order_by("finished_at")
        if row.target is not None and row.finished_at is not None
        for check in row.checks
        if (check["name"], check["state"]) == ("permissions", CheckState.PASSED)
    }


def _with(found: PlaceFacts, vouched_at: datetime | None) -> PlaceFacts:
    """The facts of a place, where IAM does not answer with what a validation found lately.

    IAM is one service for all Regions: it may be away just when a Region is lost.
    """
    unknown = found.permissions.outcome == CheckOutcome.UNKNOWN
    entered = found.drs.outcome == CheckOutcome.PASSED
    if vouched_at is None or not (unknown and entered):
        return found
    age = lasting(timezone.now() - vouched_at)
    said = f"{found.permissions.found} {age} ago, a validation found that it may do everything."
    judged = Judged(CheckOutcome.WARNING, said, found.permissions.remedy)
    return replace(found, permissions=judged)


def _settings(groups: Iterable[ProtectionGroup]) -> dict[tuple[UUID, UUID], _Settings]:
    return {
        (group.pk, each.server.pk): _Settings(
            each.status,
            each.intended,
            each.last.message if each.last else "",
        )
        for group in groups
        for each in launch_status.of_group(group).servers
    }


def _server(
    wave: PlanWave,
    group: ProtectionGroup,
    server: SourceServer,
    settings: Mapping[tuple[UUID, UUID], _Settings],
    regions: _Regions,
    held_by: Mapping[tuple[str, str, str], Execution],
) -> ServerFacts:
    where = regions.get((server.account_id, server.region))
    verdict = readiness_of(server, where)
    own = settings.get((group.pk, server.pk))
    holder = held_by.get(place_of_server(server))
    return ServerFacts(
        server_id=server.server_id,
        name=server.name,
        wave=wave.position,
        group=group.name,
        account_id=server.account.account_id,
        region=server.region,
        readiness=str(verdict.readiness),
        reason=verdict.reason,
        lag=server.lag,
        listed_at=where.listed_at if where else None,
        held_by=_holder(holder, wave) if holder and not _is_for(holder, wave) else "",
        settings=str(own.status if own else LaunchStatus.UNKNOWN),
        settings_message=_why(own),
    )


def _why(own: _Settings | None) -> str:
    """Why settings could not be applied, if that is so."""
    return own.message if own is not None and own.status == LaunchStatus.FAILED else ""


def _is_for(holder: Execution, wave: PlanWave) -> bool:
    """Whether the preflight is for the approval of just the execution that holds the server."""
    return holder.plan_id == wave.plan_id and holder.state == ExecutionState.AWAITING


def _holder(holder: Execution, wave: PlanWave) -> str:
    """Who holds it, in words that everybody may read who sees this plan: not which other plan."""
    mine = holder.plan_id == wave.plan_id
    return "the execution of this plan that is under way" if mine else "another execution"


def _wanted(
    launched: Sequence[_Launched],
    settings: Mapping[tuple[UUID, UUID], _Settings],
    options: StartOptions,
) -> Iterable[Wanted]:
    by_place: dict[tuple[str, str], list[tuple[ProtectionGroup, SourceServer]]] = {}
    for _, group, server in launched:
        place = server.account.account_id, server.region
        by_place.setdefault(place, []).append((group, server))
    for (_, region), rows in sorted(by_place.items()):
        values = {
            server.server_id: own.values if own else {}
            for group, server in rows
            for own in [settings.get((group.pk, server.pk))]
        }
        ids = tuple(sorted({server.server_id for _, server in rows}))
        wishes = {server_id: options.wish(server_id) for server_id in ids}
        yield Wanted(rows[0][1].account, region, ids, values, wishes)


def _wrong(
    waves: Sequence[PlanWave],
    entries: Sequence[tuple[PlanWave, PlanWaveGroup]],
    held: Mapping[UUID, Sequence[SourceServer]],
    options: StartOptions,
) -> Iterable[tuple[int, str]]:
    """What a start would be refused for, whatever AWS says."""
    seen: set[tuple[str, str, str]] = set()
    full: set[int] = set()
    for wave, entry in entries:
        servers = held[entry.group_id]
        there = {server.server_id for server in servers}
        gone = sorted(
            each for each in set(entry.server_ids) - there if options.takes(wave.position, each)
        )
        if gone:
            yield wave.position, f"{entry.group} no longer holds {named(gone)}."
        launched = launched_of(servers, entry.server_ids)
        again = [str(server) for server in launched if place_of_server(server) in seen]
        if again:
            yield wave.position, f"Launched more than once by this plan: {named(again)}."
        seen |= {place_of_server(server) for server in launched}
        if launched:
            full.add(wave.position)
    for wave in waves:
        whole = options.takes_wave(wave.position) and not options.server_ids
        if whole and wave.position not in full:
            yield wave.position, f"Wave {wave.position} ({wave.name}) has no servers."


def _wrong_options(
    waves: Sequence[PlanWave], planned: Sequence[_Launched], options: StartOptions
) -> Iterable[tuple[int, str]]:
    """What was chosen and is no longer in the plan."""
    by_wave = {
        wave.position: frozenset(
            server.server_id for other, _, server in planned if other.position == wave.position
        )
        for wave in waves
    }
    return [(0, sentence) for _, sentence in complaints(options, by_wave)]
