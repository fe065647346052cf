"""The tag sync: the EC2 tags of the instances that source servers come from, brought to DRS.

Both sides are read anew in each run: what is a few minutes old says nothing about whose a tag is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction

from drportal.actor import Actor
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError
from drportal.aws.scope import Scope
from drportal.mirror.services import mark
from drportal.transactions import reaches_outside
from protection.choices import SkipReason, SyncKind
from protection.models import AccountRegion, SourceServer, SyncRun, TagSyncSettings
from protection.rules.facts import facts, fingerprint, named
from protection.rules.origin import Origin, origin_of
from protection.rules.regions import NOT_IN_USE, status_of
from protection.rules.tag_sync import Choice, TagPlan, planned
from protection.selectors import tag_sync_settings
from protection.services import asking, origins, server_rows, sync_runs
from protection.services.server_rows import Columns

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """What DRS told of one account and Region, and EC2 of the instances, or why it did not."""

    row: AccountRegion
    servers: dict[str, Columns] = field(default_factory=dict)
    told: origins.Told = field(default_factory=origins.Told)
    error: AwsError | None = None


@dataclass(frozen=True, slots=True)
class _Server:
    """A server with what is planned for it."""

    server: SourceServer
    columns: Columns
    plan: TagPlan


@reaches_outside
def sync(*, actor: Actor) -> SyncRun:
    """Set and remove tags in DRS as the settings say, and return the run with what it did, or,
    in a dry run, would do.

    Raises SyncAlreadyRunning while another run is alive. AWS's failures end in the run.
    """
    settings = tag_sync_settings()
    run = sync_runs.begin(SyncKind.TAGS, actor=actor, dry_run=settings.dry_run)
    tally, alive = sync_runs.Tally(), sync_runs.Pulse(run)
    try:
        rows, tally.scopes_skipped = asking.due_regions()
        chosen = [row for row in rows if takes_account(settings, row.account.account_id)]
        tally.scopes_skipped += len(rows) - len(chosen)
        ways = origins.ways_in()
        for listing in asking.ask_all(chosen, lambda row: _list(row, ways), alive=alive):
            _take_in(listing, settings, tally, alive)
    except BaseException:
        sync_runs.fail(run, tally, actor=actor)
        raise
    return sync_runs.finish(run, tally, actor=actor)


def takes_account(settings: TagSyncSettings, account_id: str) -> bool:
    """Whether servers that are managed in this account get tags."""
    included = not settings.include_accounts or account_id in settings.include_accounts
    return included and account_id not in settings.exclude_accounts


def choice_of(settings: TagSyncSettings) -> Choice:
    """Which tags the settings take."""
    return Choice(tuple(settings.include_keys), tuple(settings.exclude_keys), settings.key_mapping)


def passed_over(columns: Columns) -> str:
    """Why a server gets no tags, whatever EC2 says, as a SkipReason; empty if it does."""
    if columns["replication_state"] == "DISCONNECTED":
        return SkipReason.DISCONNECTED
    return "" if _origin(columns) else SkipReason.NO_INSTANCE


def _origin(columns: Columns) -> Origin | None:
    return origin_of(
        columns["origin_account_id"], columns["origin_region"], columns["origin_instance_id"]
    )


def _list(row: AccountRegion, ways: origins.Ways) -> Listing:
    try:
        found = Drs(row.account.scope(row.region)).source_servers()
        servers = {server.server_id: facts(server.raw) for server in found}
    except AwsError as error:
        return Listing(row, error=error)
    wanted = [_origin(columns) for columns in servers.values() if not passed_over(columns)]
    told = origins.ask_in_turn((origin for origin in wanted if origin), ways)
    return Listing(row, servers, told)


def _take_in(
    listing: Listing,
    settings: TagSyncSettings,
    tally: sync_runs.Tally,
    alive: Callable[[], None],
) -> None:
    row = listing.row
    if listing.error is not None:
        _note_error(row, listing.error, tally)
        return
    tally.scopes_listed += 1
    tally.seen += len(listing.servers)
    for (account_id, region), error in listing.told.silent.items():
        tally.scopes_failed += 1
        message = f"EC2: {error.message}"
        status = status_of(error).value
        tally.cannot(account=account_id, region=region, status=status, message=message)
    servers = list(_planned(listing, choice_of(settings), tally))
    if settings.dry_run:
        for each in servers:
            _tell(row, each, tally)
    elif servers:
        _do(row, servers, tally, alive)


def _do(
    row: AccountRegion,
    servers: Sequence[_Server],
    tally: sync_runs.Tally,
    alive: Callable[[], None],
) -> None:
    _note_ours(servers)
    done = _carry_out(row, [each for each in servers if each.plan.changes], tally, alive)
    _note_done(row, servers, done)


def _note_error(row: AccountRegion, error: AwsError, tally: sync_runs.Tally) -> None:
    status = status_of(error)
    if status in NOT_IN_USE and row.listed_at is None:
        tally.scopes_without_drs += 1
        return
    tally.scopes_failed += 1
    where = {"account": row.account.account_id, "region": row.region}
    tally.cannot(**where, status=status.value, message=error.message)


def _planned(listing: Listing, choice: Choice, tally: sync_runs.Tally) -> Iterator[_Server]:
    row = listing.row
    here = SourceServer.objects.filter(account=row.account_id, region=row.region)
    known = {each.server_id: each for each in here.only("server_id", "synced_tags")}
    for server_id, columns in listing.servers.items():
        server = known.get(server_id)
        if server is None:
            tally.passed_over(SkipReason.NOT_LISTED_YET)
            continue
        reason, source = _source(columns, listing.told)
        if source is None:
            tally.passed_over(reason)
            continue
        plan = planned(source, columns["tags"], server.synced_tags, choice)
        tally.passed_over(*plan.skipped.elements())
        if plan.changes or plan.after != server.synced_tags:
            yield _Server(server, columns, plan)


def _source(columns: Columns, told: origins.Told) -> tuple[str, dict[str, str] | None]:
    """Why a server's instance tells no tags, or else the tags."""
    reason, origin = passed_over(columns), _origin(columns)
    if reason or origin is None:
        return reason, None
    instance = told.instances.get(origin)
    if instance is None:
        return told.why_not(origin) or SkipReason.INSTANCE_GONE, None
    return "", instance.tags


def _tell(row: AccountRegion, each: _Server, tally: sync_runs.Tally) -> None:
    if not each.plan.changes:
        return
    tally.changed += 1
    tally.tell(
        account=row.account.account_id,
        region=row.region,
        server=each.server.server_id,
        name=each.columns["name"],
        set=each.plan.to_set,
        remove=list(each.plan.to_remove),
    )


def _note_ours(servers: Sequence[_Server]) -> None:
    """Before DRS is asked: what is about to be set counts as ours."""
    _write_ours([(each.server, each.plan.intended) for each in servers])


def _carry_out(
    row: AccountRegion,
    servers: Sequence[_Server],
    tally: sync_runs.Tally,
    alive: Callable[[], None],
) -> dict[str, AwsError | None]:
    """Ask DRS for each server; returns how it went by server id. One that fails stops no other."""
    scope = row.account.scope(row.region)
    outcome: dict[str, AwsError | None] = {}
    for each, error in asking.ask_all(servers, lambda each: _apply(scope, each), alive=alive):
        outcome[each.server.server_id] = error
        if error is None:
            _tell(row, each, tally)
            continue
        tally.failed += 1
        tally.cannot(
            account=row.account.account_id,
            region=row.region,
            server=each.server.server_id,
            status=status_of(error).value,
            message=error.message,
        )
    return outcome


def _apply(scope: Scope, each: _Server) -> tuple[_Server, AwsError | None]:
    drs, arn = Drs(scope), each.columns["arn"]
    try:
        if each.plan.to_set:
            drs.tag(arn, each.plan.to_set)
        if each.plan.to_remove:
            drs.untag(arn, each.plan.to_remove)
    except AwsError as error:
        return each, error
    return each, None


def _note_done(
    row: AccountRegion, servers: Sequence[_Server], done: dict[str, AwsError | None]
) -> None:
    """Write what DRS holds now, so that groups see it, and which of it is ours."""
    ours, pending = [], server_rows.Pending()
    for each in servers:
        error = done.get(each.server.server_id)
        if error is not None:
            lost = each.plan.intended if error.ambiguous else each.plan.ours
            ours.append((each.server, lost))
            continue
        ours.append((each.server, each.plan.after))
        if each.plan.changes:
            columns, found = _with_tags(each), each.server
            print_ = fingerprint(columns)
            pending.differ(row, found.server_id, columns, found.pk, print_=print_)
    with transaction.atomic():
        pending.write()
        _write_ours(ours)


def _with_tags(each: _Server) -> Columns:
    tags = each.plan.applied_to(each.columns["tags"])
    name = named(tags, each.columns["hostname"], each.server.server_id)
    return {**each.columns, "tags": tags, "name": name}


def _write_ours(wanted: Sequence[tuple[SourceServer, dict[str, str]]]) -> None:
    changed = []
    for server, tags in wanted:
        if server.synced_tags != tags:
            server.synced_tags = tags
            changed.append(server)
    if changed:
        with transaction.atomic():
            SourceServer.objects.bulk_update(changed, ["synced_tags"], batch_size=_BATCH)
            mark("SourceServerInventory", *(server.pk for server in changed))
