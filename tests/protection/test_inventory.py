"""Every account and Region stands by itself; an error changes no count and removes no row."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditRecord
from drportal.actor import PORTAL
from drportal.aws import drs, session
from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.roles import forget_sessions
from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import Readiness, RegionStatus, SyncState
from protection.errors import SyncAlreadyRunning
from protection.models import AccountRegion, SourceServer, SyncRun
from protection.selectors import STALE_AFTER, readiness_of, servers_chosen
from protection.services import groups, inventory
from tests.worlds import (
    EAST,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    WEST,
    group_of,
    known,
    registered,
    server,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def accounts(aws):
    world_of(
        [
            *(server(f"db-{n}") for n in (1, 2, 3)),
            server("app-1", account=SOUTH),
            server("app-2", account=SOUTH, region=WEST),
        ]
    )
    return registered()


def sync() -> SyncRun:
    return inventory.sync(actor=PORTAL)


def row(account: str, region: str = EAST) -> AccountRegion:
    return AccountRegion.objects.get(account__account_id=account, region=region)


def names() -> set[str]:
    return set(SourceServer.objects.values_list("name", flat=True))


def fault(kind: Kind, **more) -> None:
    world.faults.add(Fault(kind, **more))


def test_every_server_is_filed_under_the_account_and_region_that_manage_it(accounts):
    assert names() == {"db-1", "db-2", "db-3", "app-1", "app-2"}
    found = known("app-2")
    assert (found.account.account_id, found.region) == (SOUTH, WEST)
    assert row(NORTH).server_count == 3
    assert row(HUB).server_count == 0
    assert SyncRun.objects.get().state == SyncState.COMPLETED


def test_an_unchanged_world_writes_no_server_and_no_mirror_item(accounts):
    before = list(SourceServer.objects.order_by("pk").values())
    OutboxEntry.objects.all().delete()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        run = sync()
    assert (run.seen, run.added, run.changed, run.removed) == (5, 0, 0, 0)
    assert list(SourceServer.objects.order_by("pk").values()) == before
    wrote = [q["sql"] for q in queries if "protection_sourceserver" in q["sql"]]
    assert not [sql for sql in wrote if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not OutboxEntry.objects.exclude(kind="AuditLogs").exists()


def test_what_drs_no_longer_lists_goes_but_only_there(accounts):
    backend = drs_backends[NORTH][EAST]
    del backend.servers[known("db-1").server_id]
    run = sync()
    assert run.removed == 1
    assert names() == {"db-2", "db-3", "app-1", "app-2"}


def test_a_server_that_a_group_names_stays_and_says_that_it_is_gone(accounts):
    gone = known("db-1")
    groups.create(
        name="By name", account=accounts[NORTH], region=EAST, server_ids=[gone.pk], actor=PERSON
    )
    removed = drs_backends[NORTH][EAST].servers.pop(gone.server_id)
    sync()
    gone.refresh_from_db()
    assert readiness_of(gone, row(NORTH)).readiness == Readiness.NOT_READY
    drs_backends[NORTH][EAST].servers[gone.server_id] = removed
    sync()
    gone.refresh_from_db()
    assert readiness_of(gone, row(NORTH)).readiness == Readiness.READY


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.THROTTLE, RegionStatus.THROTTLED),
        (Kind.ACCESS_DENIED, RegionStatus.IAM_PERMISSION_DENIED),
        (Kind.UNREACHABLE, RegionStatus.ENDPOINT_UNREACHABLE),
        (Kind.SERVER_ERROR, RegionStatus.ERROR),
        (Kind.TIMEOUT_BEFORE, RegionStatus.ENDPOINT_UNREACHABLE),
    ],
)
def test_a_region_that_does_not_answer_keeps_what_was_known(accounts, kind, status):
    before = list(SourceServer.objects.order_by("pk").values())
    seconds = {"seconds": 0} if kind in {Kind.THROTTLE, Kind.SERVER_ERROR} else {}
    fault(kind, operation="DescribeSourceServers", account=NORTH, region=EAST, **seconds)
    run = sync()
    assert run.state == SyncState.PARTIAL
    assert run.problems[0]["account"] == NORTH
    assert row(NORTH).status == status
    assert row(NORTH).message
    assert row(NORTH).server_count == 3
    assert list(SourceServer.objects.order_by("pk").values()) == before
    assert row(SOUTH).status == RegionStatus.ACTIVE


def test_half_a_listing_is_none(accounts, monkeypatch):
    whole = drs.Drs.source_servers

    def broken_off(self):
        yield from list(whole(self))[:1]
        call = Call("DescribeSourceServers", self.scope.account_id, self.scope.region)
        raise AwsError(Failure.THROTTLED, "Rate exceeded", call=call)

    monkeypatch.setattr(drs.Drs, "source_servers", broken_off)
    before = names()
    run = sync()
    assert names() == before
    assert run.state == SyncState.FAILED


def test_a_role_that_is_gone_is_a_failure_of_that_account_only(accounts):
    world.accounts.roles.clear()
    forget_sessions()
    run = sync()
    assert run.state == SyncState.PARTIAL
    assert row(NORTH).status == RegionStatus.IAM_PERMISSION_DENIED
    assert row(HUB).status == RegionStatus.ACTIVE
    assert len(names()) == 5


def test_nothing_that_answers_is_a_failed_run(accounts):
    fault(Kind.UNREACHABLE)
    forget_sessions()
    run = sync()
    assert run.state == SyncState.FAILED
    assert AuditRecord.objects.filter(
        event="protection.inventory.synced", outcome="FAILED"
    ).exists()


def test_a_region_without_drs_is_no_failure_and_is_asked_again_in_an_hour(aws, settings):
    settings.DRS_REGIONS = [EAST, "eu-west-1"]
    world_of([server("db-1")])
    registered()
    found = row(NORTH, "eu-west-1")
    assert found.status == RegionStatus.NOT_INITIALIZED
    assert found.server_count is None
    run = SyncRun.objects.get()
    assert (run.state, run.scopes_without_drs) == (SyncState.COMPLETED, 3)
    again = sync()
    assert again.scopes_skipped == 3
    AccountRegion.objects.update(next_check_at=timezone.now())
    assert sync().scopes_skipped == 0


def test_drs_that_went_away_is_a_failure_and_keeps_the_servers(accounts):
    drs_backends[NORTH][EAST].initialized = False
    run = sync()
    assert run.state == SyncState.PARTIAL
    assert row(NORTH).status == RegionStatus.NOT_INITIALIZED
    assert "db-1" in names()


def test_one_run_at_a_time_and_a_dead_one_is_taken_over(accounts):
    dead = SyncRun.objects.create(
        kind="INVENTORY", requested_by="x", leased_until=timezone.now() + timedelta(minutes=1)
    )
    with pytest.raises(SyncAlreadyRunning):
        sync()
    SyncRun.objects.filter(pk=dead.pk).update(leased_until=timezone.now())
    assert sync().state == SyncState.COMPLETED
    dead.refresh_from_db()
    assert dead.state == SyncState.ABANDONED


def test_facts_that_are_too_old_leave_a_server_unknown(accounts):
    where = row(NORTH)
    found = known("db-1")
    assert readiness_of(found, where).readiness == Readiness.READY
    where.listed_at = timezone.now() - STALE_AFTER - timedelta(minutes=1)
    assert readiness_of(found, where).readiness == Readiness.UNKNOWN
    where.listed_at, where.status = timezone.now(), RegionStatus.THROTTLED
    assert readiness_of(found, where).readiness == Readiness.UNKNOWN
    assert readiness_of(found, None).readiness == Readiness.UNKNOWN


def test_a_group_by_tags_follows_the_inventory(accounts):
    group = group_of("db")
    assert servers_chosen(group).count() == 3
    del drs_backends[NORTH][EAST].servers[known("db-1").server_id]
    sync()
    assert servers_chosen(group).count() == 2


@pytest.mark.parametrize(
    "odd",
    [
        {"sourceProperties": {"cpus": [{"cores": "many"}]}},
        {"sourceProperties": {"disks": [{"bytes": None}]}},
        {"tags": ["Name"]},
    ],
    ids=["a word for a number", "nothing for a number", "a list for a map"],
)
def test_a_server_that_makes_no_sense_fails_its_region_alone(accounts, monkeypatch, odd):
    sync()
    before = SourceServer.objects.in_bulk()
    whole = session.pages

    def pages(made, method, *, operation, scope, **arguments):
        for page in whole(made, method, operation=operation, scope=scope, **arguments):
            if (scope.account_id, scope.region) == (NORTH, EAST):
                page["items"][0] |= odd
            yield page

    monkeypatch.setattr(session, "pages", pages)
    assert sync().state == SyncState.PARTIAL
    assert row(NORTH).status == RegionStatus.ERROR
    assert "cannot be read" in row(NORTH).message
    assert row(NORTH).server_count == 3
    assert row(SOUTH).status == RegionStatus.ACTIVE
    assert SourceServer.objects.in_bulk() == before
