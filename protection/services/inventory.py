"""The inventory sync: what DRS lists in every account and Region.

Every account and Region stands by itself. One that does not answer keeps its rows and its count,
and says why; only a complete listing changes or removes rows, and only its own.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.regions import watched_regions
from drportal.mirror.services import mark
from drportal.observability import correlated, correlation_id
from drportal.transactions import reaches_outside
from protection.choices import RegionStatus, SyncKind
from protection.models import AccountRegion, GroupMember, SourceServer, SyncRun, TargetAccount
from protection.rules.facts import facts, fingerprint
from protection.services import sync_runs

_THREADS = 8
_WITHOUT_DRS = timedelta(hours=1)  # how soon a Region without DRS is looked at again

_STATUS = {
    Failure.THROTTLED: RegionStatus.THROTTLED,
    Failure.ACCESS_DENIED: RegionStatus.IAM_PERMISSION_DENIED,
    Failure.SCP_DENIED: RegionStatus.SCP_DENIED,
    Failure.CREDENTIALS: RegionStatus.REGION_NOT_ENABLED,
    Failure.NOT_INITIALIZED: RegionStatus.NOT_INITIALIZED,
    Failure.REGION_NOT_OPTED_IN: RegionStatus.REGION_NOT_OPTED_IN,
    Failure.UNREACHABLE: RegionStatus.ENDPOINT_UNREACHABLE,
    Failure.TIMED_OUT: RegionStatus.ENDPOINT_UNREACHABLE,
    Failure.CONNECTION_LOST: RegionStatus.ENDPOINT_UNREACHABLE,
}
# These say that DRS is not used there; they are an answer, not a failure.
NOT_IN_USE = frozenset(
    {
        RegionStatus.NOT_INITIALIZED,
        RegionStatus.REGION_NOT_OPTED_IN,
        RegionStatus.REGION_NOT_ENABLED,
    }
)


@dataclass(frozen=True, slots=True)
class Listing:
    """What one account and Region answered: its servers' columns by id, or why there are none."""

    account: TargetAccount
    region: str
    servers: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: AwsError | None = None


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Bring the inventory up to date, and return the run with what it saw and could not see.

    Raises SyncAlreadyRunning while another run is alive. AWS's failures end in the run and in the
    rows of the Regions concerned; they are not raised.
    """
    run = sync_runs.begin(SyncKind.INVENTORY, actor=actor)
    tally = sync_runs.Tally()
    try:
        due, tally.scopes_skipped = _due()
        unchanged: list[AccountRegion] = []
        for listing in _listings(due):
            _take_in(listing, tally, unchanged)
            sync_runs.keep_alive(run)
        _note_unchanged(unchanged)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def _due() -> tuple[list[tuple[TargetAccount, str]], int]:
    """The accounts and Regions to ask now, and how many are left for later."""
    later = set(
        AccountRegion.objects.filter(next_check_at__gt=timezone.now()).values_list(
            "account_id", "region"
        )
    )
    pairs = [
        (account, region)
        for account in TargetAccount.objects.filter(active=True)
        for region in watched_regions(account.partition)
    ]
    due = [(account, region) for account, region in pairs if (account.pk, region) not in later]
    return due, len(pairs) - len(due)


def _listings(due: Sequence[tuple[TargetAccount, str]]) -> Iterator[Listing]:
    """Ask many at once; AWS is waited for in threads that touch no database."""
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="inventory") as pool:
        work = correlation_id()
        asked = [pool.submit(_list, account, region, work) for account, region in due]
        for answered in as_completed(asked):
            yield answered.result()


def _list(account: TargetAccount, region: str, work: str) -> Listing:
    with correlated(work):
        try:
            found = Drs(account.scope(region)).source_servers()
            servers = {server.server_id: facts(server.raw) for server in found}
        except AwsError as error:
            return Listing(account, region, error=error)
        finally:
            connection.close()
    return Listing(account, region, servers=servers)


def _take_in(listing: Listing, tally: sync_runs.Tally, unchanged: list[AccountRegion]) -> None:
    row, _ = AccountRegion.objects.get_or_create(account=listing.account, region=listing.region)
    if listing.error is not None:
        _note_error(row, listing.error, tally)
        return
    tally.scopes_listed += 1
    tally.seen += len(listing.servers)
    with transaction.atomic():
        _change_servers(listing, tally)
        if row.status == RegionStatus.ACTIVE and row.server_count == len(listing.servers):
            unchanged.append(row)
            return
        now = timezone.now()
        row.status, row.message = RegionStatus.ACTIVE, ""
        row.server_count, row.listed_at, row.checked_at = len(listing.servers), now, now
        row.changed_at, row.next_check_at = now, None
        row.save()
        mark("RegionStatus", row.pk)


def _note_error(row: AccountRegion, error: AwsError, tally: sync_runs.Tally) -> None:
    status = _STATUS.get(error.failure, RegionStatus.ERROR)
    in_use = status not in NOT_IN_USE or row.listed_at is not None
    if in_use:
        tally.scopes_failed += 1
        tally.problems.append(
            {"account": row.account.account_id, "region": row.region, "status": status.value}
            | {"message": error.message}
        )
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


def _change_servers(listing: Listing, tally: sync_runs.Tally) -> None:
    here = SourceServer.objects.filter(account=listing.account, region=listing.region)
    known = {server.server_id: server for server in here}
    now = timezone.now()
    new, changed = [], []
    for server_id, columns in listing.servers.items():
        now_print = fingerprint(columns)
        server = known.get(server_id)
        if server is None:
            server = SourceServer(
                account=listing.account, region=listing.region, server_id=server_id
            )
            new.append(server)
        elif server.fingerprint != now_print or server.gone_at is not None:
            changed.append(server)
        else:
            continue
        for column, value in {**columns, "fingerprint": now_print, "gone_at": None}.items():
            setattr(server, column, value)
        server.changed_at = now
    SourceServer.objects.bulk_create(new, batch_size=500)
    if changed:
        columns_written = [*next(iter(listing.servers.values())), "fingerprint"]
        SourceServer.objects.bulk_update(
            changed, [*columns_written, "gone_at", "changed_at"], batch_size=200
        )
    gone = [server for server in known.values() if server.server_id not in listing.servers]
    removed = _remove(gone)
    mark("SourceServerInventory", *(server.pk for server in [*new, *changed]), *removed)
    tally.added += len(new)
    tally.changed += len(changed)
    tally.removed += len(removed)


def _remove(gone: Sequence[SourceServer]) -> list[Any]:
    """Delete what DRS no longer lists. What a group names stays, and says that it is gone."""
    if not gone:
        return []
    ids = [server.pk for server in gone]
    named = set(GroupMember.objects.filter(server_id__in=ids).values_list("server_id", flat=True))
    newly = [server.pk for server in gone if server.pk in named and server.gone_at is None]
    SourceServer.objects.filter(pk__in=newly).update(gone_at=timezone.now())
    lost = [pk for pk in ids if pk not in named]
    SourceServer.objects.filter(pk__in=lost).delete()
    return [*newly, *lost]
