"""What is known of a wave that could launch: its servers, and what AWS tells of them now."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.utils import timezone

from protection.choices import LaunchStatus, Readiness
from protection.models import ProtectionGroup, SourceServer, TargetAccount
from protection.services import launch_wanted
from recovery.engine.preflight_facts import (
    NOT_KNOWN,
    Facts,
    Judged,
    Listed,
    Place,
    PlaceFacts,
    ServerFacts,
    Told,
)
from recovery.models import PlanVersion, Wave, WaveServer
from recovery.services.preflight_asking import Wanted, ask_places
from recovery.states import CheckOutcome, ServerState

_NOT_REGISTERED: Final = "the account is not registered in the portal"


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds of the servers that a wave would launch now. `settings` say by row
    how the launch settings of each stand.
    """

    wave: Wave
    servers: tuple[WaveServer, ...]
    wanted: tuple[Wanted, ...]
    settings: Mapping[UUID, str]
    rpo: timedelta | None


def waiting(wave: Wave) -> list[WaveServer]:
    """The servers of `wave` that would be launched now, in one order. Asks only for servers."""
    rows = [server for server in wave.servers.all() if server.state == ServerState.PENDING]
    return sorted(rows, key=lambda row: (row.account_id, row.region, row.server_id))


def places(servers: Iterable[WaveServer], position: int) -> list[tuple[int, str, str, str]]:
    """The servers as a digest is made of them."""
    return [(position, row.account_id, row.region, row.server_id) for row in servers]


def known_of(wave: Wave) -> Known:
    """Read what the database knows. The queries grow with the wave's groups, not its servers."""
    servers = waiting(wave)
    accounts = TargetAccount.objects.in_bulk(
        {row.account_id for row in servers}, field_name="account_id"
    )
    values, settings = _settings(servers)
    return Known(
        wave=wave,
        servers=tuple(servers),
        wanted=tuple(_wanted(servers, accounts, values)),
        settings=settings,
        rpo=_rpo(wave),
    )


def facts_of(known: Known, *, alive: Callable[[], None]) -> Facts:
    """All facts: what the database knows, and what AWS tells now. Failures of AWS are facts too."""
    found = ask_places(known.wanted, alive=alive)
    places = {
        place: found.get(place) or _shut()
        for place in {(row.account_id, row.region) for row in known.servers}
    }
    position = known.wave.position
    return Facts(
        now=timezone.now(),
        rpo=known.rpo,
        needs={position: frozenset()},
        servers=tuple(
            _server(known, row, places[row.account_id, row.region]) for row in known.servers
        ),
        places=places,
    )


def _server(known: Known, row: WaveServer, place: PlaceFacts) -> ServerFacts:
    told = place.listed
    why = told.problem or "DRS was not asked"
    listed = (told.value or {}).get(row.server_id, Listed(str(Readiness.UNKNOWN), why))
    return ServerFacts(
        server_id=row.server_id,
        name=row.name,
        wave=known.wave.position,
        group=row.group_name,
        account_id=row.account_id,
        region=row.region,
        readiness=listed.readiness,
        reason=listed.reason,
        lag=listed.lag,
        listed_at=place.at,
        settings=known.settings[row.pk],
    )


def _settings(
    servers: Sequence[WaveServer],
) -> tuple[dict[UUID, Mapping[str, Any]], dict[UUID, str]]:
    """What is set for each server, and whether it is being applied, by the wave server's row."""
    values: dict[UUID, Mapping[str, Any]] = {row.pk: {} for row in servers}
    status = {row.pk: NOT_KNOWN for row in servers}
    groups = ProtectionGroup.objects.filter(name__in={row.group_name for row in servers})
    by_name = {group.name: group for group in groups}
    rows = source_servers(servers)
    applying = launch_wanted.being_applied(list(by_name.values()))
    for name, group in by_name.items():
        mine = {
            row.pk: rows[key_of(row)]
            for row in servers
            if row.group_name == name and key_of(row) in rows
        }
        wanted = launch_wanted.wanted(group, {source.pk for source in mine.values()})
        for pk, source in mine.items():
            values[pk] = wanted[source.pk]
            # Whether they hold is what AWS is asked.
            found = LaunchStatus.UNKNOWN if values[pk] else LaunchStatus.NOT_CONFIGURED
            status[pk] = str(LaunchStatus.SYNCING if source.pk in applying else found)
    return values, status


def source_servers(servers: Iterable[WaveServer]) -> dict[tuple[str, str, str], SourceServer]:
    """The inventory's rows of servers, by account, Region and id. One query."""
    found = SourceServer.objects.filter(server_id__in={row.server_id for row in servers})
    return {
        (row.account.account_id, row.region, row.server_id): row
        for row in found.select_related("account")
    }


def key_of(row: WaveServer) -> tuple[str, str, str]:
    """What DRS knows a wave's server by: account, Region and id."""
    return row.account_id, row.region, row.server_id


def _wanted(
    servers: Iterable[WaveServer],
    accounts: Mapping[str, TargetAccount],
    values: Mapping[UUID, Mapping[str, Any]],
) -> Iterable[Wanted]:
    by_place: dict[Place, list[WaveServer]] = {}
    for row in servers:
        if row.account_id in accounts:
            by_place.setdefault((row.account_id, row.region), []).append(row)
    for (account_id, region), rows in by_place.items():
        yield Wanted(
            accounts[account_id],
            region,
            tuple(row.server_id for row in rows),
            {row.server_id: values[row.pk] for row in rows},
            before_wave=True,
        )


def _rpo(wave: Wave) -> timedelta | None:
    """The objective of the plan version that is carried out; None where there is none."""
    execution = wave.execution
    version = PlanVersion.objects.filter(plan=execution.plan_id, number=execution.plan_version)
    seconds = version.values_list("document__rpo_seconds", flat=True).first()
    return None if seconds is None else timedelta(seconds=seconds)


def _shut() -> PlaceFacts:
    """A place that cannot be asked, because the portal does not know its account."""
    remedy = "Register the account again, or leave its servers out."
    unknown = Judged(CheckOutcome.UNKNOWN, f"Not known: {_NOT_REGISTERED}.", remedy)
    return PlaceFacts(
        at=timezone.now(),
        account=Judged(CheckOutcome.FAILED, f"Not to be entered: {_NOT_REGISTERED}.", remedy),
        drs=unknown,
        permissions=unknown,
        jobs=Told(problem=_NOT_REGISTERED),
        instances=Told(problem=_NOT_REGISTERED),
        subnets=Told(problem=_NOT_REGISTERED),
        listed=Told(problem=_NOT_REGISTERED),
    )
