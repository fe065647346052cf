"""Recovery instances: every active account and Region is really asked, and only a complete
listing removes rows.
"""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drportal.actor import PORTAL
from drportal.aws import session
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Call, Failure
from drportal.mirror.models import OutboxEntry
from drportal.simulator.clock import ManualClock
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import RegionStatus, SyncState
from protection.models import AccountRegion, RecoveryInstance, SyncRun
from protection.services import accounts, instances, inventory
from tests.worlds import EAST, HUB, NORTH, PERSON, SOUTH, WEST, known, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def targets(aws):
    world_of(
        [
            *(server(f"db-{n}") for n in (1, 2, 3)),
            server("app-1", account=SOUTH, region=WEST),
        ]
    )
    return registered()


def sync() -> SyncRun:
    return instances.sync(actor=PORTAL)


def launch(*names: str, drill: bool = True) -> str:
    """Launch servers of one account and Region, to the end; returns the job's id."""
    found = [known(name) for name in names]
    scope = found[0].account.scope(found[0].region)
    job = Drs(scope).start_recovery([each.server_id for each in found], drill=drill)
    clock = world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(minutes=25))
    Drs(scope).jobs_since(timezone.now() - timedelta(days=1))
    return job.job_id


def row(account: str = NORTH, region: str = EAST) -> AccountRegion:
    return AccountRegion.objects.get(account__account_id=account, region=region)


def instance(name: str) -> RecoveryInstance:
    return RecoveryInstance.objects.get(server_id=known(name).server_id)


def stored() -> list[Any]:
    return list(RecoveryInstance.objects.order_by("pk").values())


def test_instances_are_filed_under_the_account_and_region_that_hold_them(targets):
    job = launch("db-1", "db-2")
    other = launch("app-1", drill=False)
    run = sync()
    assert (run.state, run.scopes_listed, run.seen, run.added) == (SyncState.COMPLETED, 6, 3, 3)
    found = instance("db-1")
    assert (found.account.account_id, found.region) == (NORTH, EAST)
    assert (found.job_id, found.is_drill, found.ec2_state) == (job, True, "RUNNING")
    assert found.instance_type
    assert found.private_ip
    assert found.launched_at is not None
    assert found.point_in_time is not None
    assert (instance("app-1").is_drill, instance("app-1").job_id) == (False, other)
    assert row().instance_count == 2
    assert row(HUB).instance_count == 0
    assert row(SOUTH, WEST).instance_count == 1


def test_one_listing_a_region_and_one_look_at_ec2_for_a_hundred(targets):
    launch("db-1", "db-2", "db-3")
    before = world.calls.count()
    sync()
    asked = world.calls.by_operation(since=before)
    assert asked == {"drs:DescribeRecoveryInstances": 6, "ec2:DescribeInstances": 1}


def test_an_unchanged_world_writes_nothing(targets):
    launch("db-1", "db-2")
    sync()
    before = stored()
    OutboxEntry.objects.all().delete()
    run = sync()
    assert (run.seen, run.added, run.changed, run.removed) == (2, 0, 0, 0)
    assert stored() == before
    assert not OutboxEntry.objects.exclude(kind="AuditLogs").exists()
    at = row().instances_listed_at
    assert at is not None
    assert at > timezone.now() - timedelta(minutes=1)


def test_what_changed_is_written_and_marked(targets):
    launch("db-1", "db-2")
    sync()
    OutboxEntry.objects.all().delete()
    found = instance("db-1")
    drs_backends[NORTH][EAST].instances[found.instance_id].ec2.stop()
    assert sync().changed == 1
    assert instance("db-1").ec2_state == "STOPPED"
    marked = OutboxEntry.objects.filter(kind="RecoveryInstanceInventory")
    assert [entry.object_id for entry in marked] == [str(found.pk)]


def test_what_was_terminated_elsewhere_goes_but_only_there(targets):
    launch("db-1", "db-2")
    launch("app-1")
    sync()
    gone = instance("db-1")
    drs_backends[NORTH][EAST].instances.pop(gone.instance_id)
    assert sync().removed == 1
    assert set(RecoveryInstance.objects.values_list("server_id", flat=True)) == {
        known("db-2").server_id,
        known("app-1").server_id,
    }
    entry = {"kind": "RecoveryInstanceInventory", "object_id": str(gone.pk)}
    assert OutboxEntry.objects.filter(**entry).exists()


def test_half_a_listing_is_none(targets, monkeypatch):
    launch("db-1", "db-2")
    sync()
    before = stored()

    def half(made, method, *, operation, scope, **_):
        yield {"items": []}
        call = Call(operation, scope.account_id, scope.region)
        raise AwsError(Failure.THROTTLED, "Rate exceeded", call=call)

    monkeypatch.setattr(session, "pages", half)
    assert sync().state == SyncState.FAILED
    assert stored() == before
    assert row().instance_count == 2


def test_drs_that_answers_without_ec2_keeps_what_ec2_had_told(targets):
    launch("db-1", "db-2")
    sync()
    before = stored()
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeInstances", account=NORTH))
    run = sync()
    assert (run.state, run.failed) == (SyncState.PARTIAL, 2)
    assert run.problems[0]["status"] == RegionStatus.IAM_PERMISSION_DENIED
    assert stored() == before
    assert (row().instance_status, row().instance_count) == (RegionStatus.ACTIVE, 2)
    assert "not authorized" in row().instance_message


def test_a_region_without_drs_is_not_asked_each_time(aws, settings):
    settings.DRS_REGIONS = [EAST, "eu-west-1"]
    world_of([server("db-1")])
    registered()
    before = world.calls.count()
    run = sync()
    assert (run.scopes_listed, run.scopes_skipped, run.state) == (3, 3, SyncState.COMPLETED)
    assert {call.region for call in world.calls.matching(since=before)} == {EAST}


def test_no_account_is_nothing_and_no_success(aws):
    world_of([])
    assert sync().state == SyncState.NOTHING


def test_an_account_takes_its_instances_along(targets):
    launch("db-1")
    sync()
    found = instance("db-1")
    accounts.delete(targets[NORTH], actor=PERSON)
    assert not RecoveryInstance.objects.exists()
    entry = {"kind": "RecoveryInstanceInventory", "object_id": str(found.pk)}
    assert OutboxEntry.objects.filter(**entry).exists()


def test_a_listing_does_not_touch_what_the_inventory_knows(targets):
    before = AccountRegion.objects.order_by("pk").values("status", "server_count", "listed_at")
    stood = list(before)
    sync()
    assert list(before.all()) == stood
    listed = row().instances_listed_at
    inventory.sync(actor=PORTAL)
    assert row().instances_listed_at == listed
