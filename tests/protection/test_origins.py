"""Facts from EC2 come from the account that has the instance, or are not told at all."""

from datetime import timedelta

import pytest
from django.utils import timezone
from moto.ec2.models import ec2_backends

from drportal.actor import PORTAL
from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import RegionStatus, SkipReason, SyncState
from protection.models import AccountRegion, SourceServer, SyncRun
from protection.services import accounts, inventory
from tests.protection.origins import comes_from, from_ec2, tag
from tests.worlds import EAST, HUB, NORTH, PERSON, SOUTH, WEST, known, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)

STRANGER = "999999999999"


@pytest.fixture
def north(aws):
    world_of([*(server(f"db-{n}") for n in (1, 2, 3)), server("app-1", account=SOUTH)])
    return registered()[NORTH]


def sync() -> SyncRun:
    return inventory.sync(actor=PORTAL)


def row(account: str = NORTH) -> AccountRegion:
    return AccountRegion.objects.get(account__account_id=account, region=EAST)


def asked() -> list[tuple[str, str]]:
    """Where EC2 was asked for instances by the sync, in order."""
    calls = world.calls.matching(operation="DescribeInstances")
    return [(call.account, call.region) for call in calls]


def an_hour_later() -> None:
    AccountRegion.objects.update(origin_facts_at=timezone.now() - timedelta(hours=1))


def test_facts_come_from_the_origin_account_and_region(north):
    from_ec2("db-1", account=SOUTH, region=WEST, Name="the real one", CostCenter="7")
    sync()
    found = known("db-1")
    assert (found.account.account_id, found.region) == (NORTH, EAST)
    assert (found.origin_account_id, found.origin_region) == (SOUTH, WEST)
    assert found.staging_account_id == ""
    assert found.origin_instance_type == "m5.large"
    assert found.origin_tags == {"Name": "the real one", "CostCenter": "7"}
    assert found.origin_vpc_id.startswith("vpc-")
    assert found.origin_subnet_id.startswith("subnet-")
    assert found.origin_private_ip
    assert found.origin_security_group_ids
    assert found.tags["Name"] == "db-1"
    assert asked() == [(SOUTH, WEST)]
    assert row().origin_facts_at is not None
    assert row().origin_message == ""


def test_the_hubs_own_instances_are_asked_for_with_the_hubs_keys(north):
    from_ec2("db-1", account=HUB)
    sync()
    assert known("db-1").origin_tags == {}
    assert asked() == [(HUB, EAST)]


def test_an_account_that_is_not_registered_is_not_asked_and_that_is_said(north):
    comes_from("db-1", STRANGER, "i-0123456789abcdef0")
    run = sync()
    assert asked() == []
    assert known("db-1").origin_tags is None
    assert STRANGER in row().origin_message
    assert row().origin_facts_at is None
    assert run.skipped == {SkipReason.ORIGIN_NOT_REGISTERED: 1}
    assert run.state == SyncState.COMPLETED


def test_an_account_that_is_switched_off_is_not_entered(north):
    from_ec2("db-1", account=SOUTH)
    south = north.__class__.objects.get(account_id=SOUTH)
    accounts.edit(south, active=False, actor=PERSON)
    sync()
    assert asked() == []
    assert SOUTH in row().origin_message


def test_ec2_is_asked_again_after_an_hour_and_when_a_server_is_new(north):
    from_ec2("db-1", account=SOUTH)
    sync()
    sync()
    assert len(asked()) == 1
    from_ec2("db-2", account=SOUTH)
    sync()
    assert len(asked()) == 2
    an_hour_later()
    sync()
    assert len(asked()) == 3


def test_what_ec2_tells_again_writes_nothing(north):
    from_ec2("db-1", account=SOUTH, Owner="ops")
    sync()
    an_hour_later()
    before = list(SourceServer.objects.order_by("pk").values())
    OutboxEntry.objects.all().delete()
    assert sync().changed == 0
    assert list(SourceServer.objects.order_by("pk").values()) == before
    assert not OutboxEntry.objects.exclude(kind="AuditLogs").exists()


def test_only_what_changed_in_ec2_is_written(north):
    instance = from_ec2("db-1", account=SOUTH, Owner="ops")
    from_ec2("db-2", account=SOUTH, Owner="ops")
    sync()
    tag(SOUTH, instance, Owner="dev")
    an_hour_later()
    other = known("db-2").changed_at
    print_before = known("db-1").fingerprint
    assert sync().changed == 1
    assert known("db-1").origin_tags == {"Owner": "dev"}
    assert known("db-1").fingerprint == print_before
    assert known("db-2").changed_at == other


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.THROTTLE, RegionStatus.THROTTLED),
        (Kind.ACCESS_DENIED, RegionStatus.IAM_PERMISSION_DENIED),
        (Kind.UNREACHABLE, RegionStatus.ENDPOINT_UNREACHABLE),
        (Kind.OPT_IN_REQUIRED, RegionStatus.REGION_NOT_ENABLED),
    ],
)
def test_an_origin_that_does_not_answer_keeps_what_was_known(north, kind, status):
    from_ec2("db-1", account=SOUTH, Owner="ops")
    sync()
    an_hour_later()
    before = list(SourceServer.objects.order_by("pk").values())
    at = row().origin_facts_at
    world.faults.add(Fault(kind, operation="DescribeInstances", account=SOUTH, seconds=0))
    run = sync()
    assert list(SourceServer.objects.order_by("pk").values()) == before
    assert row().origin_facts_at == at
    assert f"EC2 in {SOUTH}/{EAST}" in row().origin_message
    assert run.state == SyncState.PARTIAL
    assert run.skipped == {SkipReason.ORIGIN_SILENT: 1}
    assert (run.problems[0]["account"], run.problems[0]["status"]) == (SOUTH, status)
    assert row().status == RegionStatus.ACTIVE


def test_an_instance_that_is_gone_keeps_what_was_known(north):
    from_ec2("db-1", account=SOUTH, Owner="ops")
    sync()
    comes_from("db-1", SOUTH, known("db-1").origin_instance_id)
    ec2_backends[SOUTH][EAST].reservations.clear()
    an_hour_later()
    assert sync().state == SyncState.COMPLETED
    assert known("db-1").origin_tags == {"Owner": "ops"}


def test_facts_of_another_instance_are_not_kept(north):
    from_ec2("db-1", account=SOUTH, Owner="ops")
    sync()
    comes_from("db-1", STRANGER, "i-0123456789abcdef0")
    sync()
    found = known("db-1")
    assert (found.origin_account_id, found.origin_tags, found.origin_vpc_id) == (STRANGER, None, "")


def test_ec2_is_asked_in_batches_of_a_hundred(aws):
    world_of(server(f"web-{n:03}") for n in range(120))
    registered()
    backend = drs_backends[NORTH][EAST]
    ids = [from_ec2(f"web-{n:03}", account=SOUTH) for n in (0, 119)]
    for n in range(1, 119):
        comes_from(f"web-{n:03}", SOUTH, f"i-{n:017x}")
    assert len(backend.servers) == 120
    sync()
    assert len(asked()) == 2
    assert known("web-000").origin_instance_id == ids[0]
    assert SourceServer.objects.exclude(origin_tags=None).count() == 2
