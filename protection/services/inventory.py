"""The inventory sync: what DRS lists in every account and Region.

Every account and Region stands by itself. One that does not answer keeps its rows and its count,
and says why; only a complete listing changes or removes rows, and only its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError
from drportal.aws.session import readable
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus, SyncKind
from protection.models import AccountRegion, SyncRun
from protection.rules.facts import facts
from protection.rules.regions import NOT_IN_USE, status_of
from protection.services import asking, origins, server_rows, sync_runs
from protection.services.server_rows import Known, Listed

_WITHOUT_DRS = timedelta(hours=1)  # how soon a Region without DRS is looked at again


Question = tuple[AccountRegion, Mapping[str, Known]]


@dataclass(frozen=True, slots=True)
class Listing:
    """What one account and Region answered, beside what was known of it, or why there is none."""

    row: AccountRegion
    known: Mapping[str, Known]
    listed: Listed = field(default_factory=Listed)
    error: AwsError | None = None


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Bring the inventory up to date, and return the run with what it saw and could not see.

    Raises SyncAlreadyRunning while another run is alive. AWS's failures end in the run and in the
    rows of the Regions concerned; they are not raised.
    """
    run = sync_runs.begin(SyncKind.INVENTORY, actor=actor)
    tally, alive = sync_runs.Tally(), sync_runs.Pulse(run)
    pending = server_rows.Pending()
    try:
        rows, tally.scopes_skipped = asking.due_regions()
        known = server_rows.known_servers(rows)
        listed = []
        questions: list[Question] = [(row, known[row.pk]) for row in rows]
        for listing in asking.ask_all(questions, _list, alive=alive):
            if listing.error is not None:
                _note_error(listing.row, listing.error, tally)
                continue
            listed.append(listing.row)
            tally.seen += len(listing.listed.ids)
            pending.take(listing.row, listing.listed, listing.known)
            _note_answer(listing, pending)
            pending.write_if_many()
        pending.write()
        tally.scopes_listed = len(listed)
        tally.added, tally.changed, tally.removed = pending.added, pending.changed, pending.removed
        _note_time(listed)
        origins.refresh(listed, with_news=pending.news, tally=tally, alive=alive)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def _list(question: Question) -> Listing:
    row, known = question
    scope = row.account.scope(row.region)
    try:
        with readable("DescribeSourceServers", scope):
            found = Drs(scope).source_servers()
            servers = ((server.server_id, facts(server.raw)) for server in found)
            return Listing(row, known, server_rows.compared(servers, known))
    except AwsError as error:
        return Listing(row, known, error=error)


def _note_answer(listing: Listing, pending: server_rows.Pending) -> None:
    """Of an answer that says what the last one said, only the time is new; see `_note_time`."""
    row, count = listing.row, len(listing.listed.ids)
    if (row.status, row.server_count) == (RegionStatus.ACTIVE, count):
        return
    now = timezone.now()
    row.status, row.message, row.server_count = RegionStatus.ACTIVE, "", count
    row.listed_at = row.checked_at = row.changed_at = now
    row.next_check_at = None
    pending.regions.append(row)


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


def _note_time(rows: Sequence[AccountRegion]) -> None:
    """When the Regions were listed, in one statement for all."""
    if rows:
        now = timezone.now()
        AccountRegion.objects.filter(pk__in=[row.pk for row in rows]).update(
            listed_at=now, checked_at=now
        )
