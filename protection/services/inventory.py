"""The inventory sync: what DRS lists in every account and Region.

Every account and Region stands by itself. One that does not answer keeps its rows and its count,
and says why; only a complete listing changes or removes rows, and only its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus, SyncKind
from protection.models import AccountRegion, SyncRun
from protection.rules.facts import facts
from protection.rules.regions import NOT_IN_USE, status_of
from protection.services import asking, origins, server_rows, sync_runs
from protection.services.server_rows import Columns

_WITHOUT_DRS = timedelta(hours=1)  # how soon a Region without DRS is looked at again


@dataclass(frozen=True, slots=True)
class Listing:
    """What one account and Region answered: its servers' columns by id, or why there are none."""

    row: AccountRegion
    servers: dict[str, Columns] = field(default_factory=dict)
    prints: dict[str, str] = field(default_factory=dict)
    error: AwsError | None = None


@dataclass(slots=True)
class _Outcome:
    """The Regions that were listed: those that answered as before, and those with new servers."""

    tally: sync_runs.Tally
    listed: list[AccountRegion] = field(default_factory=list)
    unchanged: list[AccountRegion] = field(default_factory=list)
    with_news: set[int] = field(default_factory=set)


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Bring the inventory up to date, and return the run with what it saw and could not see.

    Raises SyncAlreadyRunning while another run is alive. AWS's failures end in the run and in the
    rows of the Regions concerned; they are not raised.
    """
    run = sync_runs.begin(SyncKind.INVENTORY, actor=actor)
    tally, alive = sync_runs.Tally(), sync_runs.Pulse(run)
    outcome = _Outcome(tally)
    try:
        rows, tally.scopes_skipped = asking.due_regions()
        for listing in asking.ask_all(rows, _list, alive=alive):
            _take_in(listing, outcome)
        _note_unchanged(outcome.unchanged)
        origins.refresh(outcome.listed, with_news=outcome.with_news, tally=tally, alive=alive)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def _list(row: AccountRegion) -> Listing:
    try:
        found = Drs(row.account.scope(row.region)).source_servers()
        servers = {server.server_id: facts(server.raw) for server in found}
    except AwsError as error:
        return Listing(row, error=error)
    return Listing(row, servers, server_rows.fingerprints(servers))


def _take_in(listing: Listing, outcome: _Outcome) -> None:
    row, tally = listing.row, outcome.tally
    if listing.error is not None:
        _note_error(row, listing.error, tally)
        return
    tally.scopes_listed += 1
    tally.seen += len(listing.servers)
    outcome.listed.append(row)
    count = len(listing.servers)
    differs = server_rows.difference(row, listing.servers, listing.prints)
    as_before = row.status == RegionStatus.ACTIVE and row.server_count == count
    if as_before and not differs:
        outcome.unchanged.append(row)
        return
    with transaction.atomic():
        tally.removed += server_rows.write(row, listing.servers, listing.prints, differs)
        if as_before:
            outcome.unchanged.append(row)
        else:
            _note_answer(row, count)
    tally.added += len(differs.new)
    tally.changed += len(differs.changed)
    if differs.new or differs.moved:
        outcome.with_news.add(row.pk)


def _note_answer(row: AccountRegion, count: int) -> None:
    now = timezone.now()
    row.status, row.message, row.server_count = RegionStatus.ACTIVE, "", count
    row.listed_at = row.checked_at = row.changed_at = now
    row.next_check_at = None
    columns = ["status", "message", "server_count", "listed_at", "checked_at"]
    row.save(update_fields=[*columns, "changed_at", "next_check_at"])
    mark("RegionStatus", row.pk)


def _note_error(row: AccountRegion, error: AwsError, tally: sync_runs.Tally) -> None:
    status = status_of(error)
    in_use = status not in NOT_IN_USE or row.listed_at is not None
    if in_use:
        tally.scopes_failed += 1
        where = {"account": row.account.account_id, "region": row.region}
        tally.cannot(**where, status=status.value, message=error.message)
    else:
        tally.scopes_without_drs += 1
    now = timezone.now()
    changed = (row.status, row.message) != (status, error.message)
    row.status, row.message, row.checked_at = status, error.message, now
    row.next_check_at = None if in_use else now + _WITHOUT_DRS
    row.changed_at = now if changed else row.changed_at
    columns = ["status", "message", "checked_at", "next_check_at", "changed_at"]
    with transaction.atomic():
        row.save(update_fields=columns)
        if changed:
            mark("RegionStatus", row.pk)


def _note_unchanged(rows: Sequence[AccountRegion]) -> None:
    """One statement for all that answered as before: only the time of the answer is new."""
    if rows:
        now = timezone.now()
        AccountRegion.objects.filter(pk__in=[row.pk for row in rows]).update(
            listed_at=now, checked_at=now
        )
