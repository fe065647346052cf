"""The staging sync: what targets could extend from their staging accounts, and extending it.

Each target, staging account and Region stands by itself. One that does not answer changes nothing
that was known. How one server stands, and why, is in its row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.aws.errors import AwsError
from drportal.aws.staging import Extended, Extensible, Extensions
from drportal.state import move_all
from drportal.transactions import reaches_outside
from protection.choices import EXTENSION, ExtensionState, RegionStatus, SyncKind
from protection.models import AccountRegion, StagingLink, StagingServer, SyncRun
from protection.rules.regions import NOT_IN_USE
from protection.services import asking, sync_runs
from protection.services.extending import Place, extend_due
from protection.services.sync_runs import Tally


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a target told of one staging account in one Region, or why it did not."""

    place: Place
    extensible: Sequence[Extensible] = field(default_factory=tuple)
    extended: Sequence[Extended] = field(default_factory=tuple)
    error: AwsError | None = None


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Bring what is known of staging servers up to date and extend those that may be extended.

    In the run, a scope is a target's staging account in a Region; `added` are the servers that
    were extended, `changed` the other rows that are new or changed. Raises SyncAlreadyRunning
    while another run is alive. AWS's failures end in the run and in the rows; they are not raised.
    """
    run = sync_runs.begin(SyncKind.STAGING, actor=actor)
    tally, alive = Tally(), sync_runs.Pulse(run)
    try:
        sightings = asking.ask_all(_places(tally), _look, alive=alive)
        listed = [sighting.place for sighting in sightings if _take_in(sighting, tally)]
        extend_due(run, listed, tally, actor=actor)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def _places(tally: Tally) -> list[Place]:
    """Where to ask. A Region that does not answer to the inventory sync is left for later."""
    links = StagingLink.objects.filter(target__active=True).select_related("target", "staging")
    rows: dict[Any, list[AccountRegion]] = {}
    for row in AccountRegion.objects.filter(account__in=[link.target_id for link in links]):
        rows.setdefault(row.account_id, []).append(row)
    places = []
    for link in links:
        for row in rows.get(link.target_id, []):
            if row.status == RegionStatus.ACTIVE:
                places.append(Place(link, row.region))
            elif row.status in NOT_IN_USE and row.listed_at is None:
                tally.scopes_without_drs += 1
            else:
                tally.scopes_skipped += 1
    return places


def _look(place: Place) -> Sighting:
    target = Extensions(place.target_scope)
    try:
        # In this order: what is extended in between is in both, and then it is extended.
        extensible = target.extensible(place.link.staging.account_id)
        extended = target.extended(place.link.staging.account_id)
    except AwsError as error:
        return Sighting(place, error=error)
    return Sighting(place, extensible, extended)


def _take_in(sighting: Sighting, tally: Tally) -> bool:
    """Whether the place answered, and is still there."""
    if sighting.error is not None:
        tally.scopes_failed += 1
        tally.cannot(**sighting.place.problem(sighting.error))
        return False
    with transaction.atomic():
        link = sighting.place.link
        if not StagingLink.objects.select_for_update().filter(pk=link.pk).exists():
            return False  # it was removed while AWS was asked
        tally.scopes_listed += 1
        _write(sighting, tally)
    return True


def _write(sighting: Sighting, tally: Tally) -> None:
    place = sighting.place
    known = {row.arn: row for row in place.rows()}
    extended = {server.staging_arn: server for server in sighting.extended}
    extensible = {s.arn: s for s in sighting.extensible if s.arn not in extended}
    tally.seen += len(extended) + len(extensible)
    listed: dict[str, Extended | Extensible] = {**extensible, **extended}
    new = [_new(place, arn, server) for arn, server in listed.items() if arn not in known]
    StagingServer.objects.bulk_create(new, batch_size=500)
    tally.changed += len(new)
    for arn, row in known.items():
        if arn in extended:
            tally.changed += _is_extended(row, extended[arn])
        elif arn in extensible:
            tally.changed += _is_extensible(row, extensible[arn])
    gone = [row.pk for arn, row in known.items() if arn not in listed]
    removed, _ = StagingServer.objects.filter(pk__in=gone).delete()
    tally.removed += removed


def _new(place: Place, arn: str, server: Extended | Extensible) -> StagingServer:
    told = {"arn": arn, "hostname": server.hostname}
    if isinstance(server, Extended):
        told |= {"state": ExtensionState.EXTENDED, "message": server.error}
    return StagingServer(link=place.link, region=place.region, **told)


def _is_extended(row: StagingServer, server: Extended) -> bool:
    """Whether that was news."""
    hostname = server.hostname or row.hostname
    there = (ExtensionState.EXTENDED, server.error, hostname)
    if (row.state, row.message, row.hostname) == there:
        return False
    now = timezone.now()
    return _moved(
        row,
        ExtensionState.EXTENDED,
        message=server.error,
        hostname=hostname,
        attempts=0,
        next_try_at=None,
        extended_at=row.extended_at or now,
        changed_at=now,
    )


def _is_extensible(row: StagingServer, server: Extensible) -> bool:
    """Whether that was news: it was extended, and is not any more."""
    if row.state == ExtensionState.EXTENDED:
        return _moved(
            row,
            ExtensionState.FOUND,
            message="",
            attempts=0,
            next_try_at=None,
            extended_at=None,
            changed_at=timezone.now(),
        )
    if server.hostname in {"", row.hostname}:
        return False
    found = StagingServer.objects.filter(pk=row.pk)
    return bool(found.update(hostname=server.hostname, changed_at=timezone.now()))


def _moved(row: StagingServer, state: ExtensionState, **changes: Any) -> bool:
    rows = StagingServer.objects.filter(pk=row.pk)
    return bool(move_all(rows, state, lifecycle=EXTENSION, source=row.state, **changes))
