"""The tag sync, against simulated EC2 and DRS."""

from typing import Any

import pytest

from drportal.actor import PORTAL
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Call, Failure
from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import RegionStatus, SkipReason, SyncState
from protection.models import SourceServer, SyncRun, TagSyncSettings
from protection.selectors import servers_with
from protection.services import inventory, tag_sync
from tests.protection.origins import comes_from, from_ec2, in_drs, tag, untag
from tests.worlds import EAST, NORTH, SOUTH, WEST, known, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)

DB = {"Name": "db-1", "Tier": "db"}


@pytest.fixture
def north(aws):
    world_of([*(server(f"db-{n}") for n in (1, 2, 3)), server("app-1", account=SOUTH)])
    return registered()[NORTH]


def sync() -> SyncRun:
    return tag_sync.sync(actor=PORTAL)


def settings(**wanted: Any) -> None:
    TagSyncSettings.objects.update_or_create(pk=1, defaults=wanted)


def writes() -> int:
    """How often DRS was asked to change something."""
    asked = world.calls.by_operation(service="drs")
    return asked.get("drs:TagResource", 0) + asked.get("drs:UntagResource", 0)


def test_tags_of_the_instance_are_set_in_drs_and_seen_by_groups(north):
    from_ec2("db-1", account=SOUTH, region=WEST, CostCenter="7", Owner="ops")
    run = sync()
    assert in_drs("db-1") == {**DB, "CostCenter": "7", "Owner": "ops"}
    assert (run.state, run.changed, run.failed) == (SyncState.COMPLETED, 1, 0)
    found = known("db-1")
    assert found.tags == {**DB, "CostCenter": "7", "Owner": "ops"}
    assert found.synced_tags == {"CostCenter": "7", "Owner": "ops"}
    group = servers_with(account_id=north.pk, region=EAST, tags={"CostCenter": "7"})
    assert list(group) == [found]
    marked = OutboxEntry.objects.filter(kind="SourceServerInventory", object_id=str(found.pk))
    assert marked.exists()
    assert run.changes[0]["set"] == {"CostCenter": "7", "Owner": "ops"}


def test_a_second_run_and_the_next_inventory_change_nothing(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    inventory.sync(actor=PORTAL)
    sync()
    before, asked = list(SourceServer.objects.order_by("pk").values()), writes()
    assert sync().changed == 0
    assert inventory.sync(actor=PORTAL).changed == 0
    assert list(SourceServer.objects.order_by("pk").values()) == before
    assert writes() == asked


def test_what_is_gone_at_the_source_is_removed_if_it_was_ours(north):
    instance = from_ec2("db-1", account=SOUTH, CostCenter="7", Owner="ops")
    sync()
    untag(SOUTH, instance, "CostCenter")
    tag(SOUTH, instance, Owner="dev")
    sync()
    assert in_drs("db-1") == {**DB, "Owner": "dev"}
    assert known("db-1").synced_tags == {"Owner": "dev"}
    untag(SOUTH, instance, "Owner")
    sync()
    assert in_drs("db-1") == DB


def test_tags_of_others_are_left_alone(north):
    instance = from_ec2("db-1", account=SOUTH, Tier="web", Owner="ops")
    run = sync()
    assert in_drs("db-1")["Tier"] == "db"
    assert run.skipped[SkipReason.TAG_NOT_OURS] == 1
    drs_backends[NORTH][EAST].tags[known("db-1").arn]["Owner"] = "somebody"
    untag(SOUTH, instance, "Owner", "Tier")
    sync()
    assert in_drs("db-1") == {**DB, "Owner": "somebody"}
    assert known("db-1").synced_tags == {}


def test_copy_tags_is_not_touched(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    sync()
    assert not world.calls.matching(operation="UpdateLaunchConfiguration")


def test_what_has_no_tags_to_tell_is_passed_over_with_the_reason(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    comes_from("db-2", "999999999999", "i-0123456789abcdef0")
    backend = drs_backends[NORTH][EAST]
    backend.servers[known("db-1").server_id].replication.state = "DISCONNECTED"
    run = sync()
    assert run.skipped == {
        SkipReason.DISCONNECTED: 1,
        SkipReason.ORIGIN_NOT_REGISTERED: 1,
        SkipReason.NO_INSTANCE: 2,
    }
    assert writes() == 0


def test_an_instance_that_is_gone_takes_no_tags_along(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    sync()
    comes_from("db-1", SOUTH, "i-0123456789abcdef0")
    run = sync()
    assert run.skipped[SkipReason.INSTANCE_GONE] == 1
    assert in_drs("db-1")["CostCenter"] == "7"


def test_an_origin_that_is_silent_takes_no_tags_along(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    sync()
    world.faults.add(Fault(Kind.THROTTLE, operation="DescribeInstances", seconds=0))
    run = sync()
    assert run.state == SyncState.PARTIAL
    assert run.skipped[SkipReason.ORIGIN_SILENT] == 1
    assert run.problems[0]["status"] == RegionStatus.THROTTLED
    assert in_drs("db-1")["CostCenter"] == "7"
    assert known("db-1").synced_tags == {"CostCenter": "7"}


def test_a_dry_run_says_what_it_would_do_and_does_nothing(north):
    instance = from_ec2("db-1", account=SOUTH, CostCenter="7", Owner="ops")
    sync()
    untag(SOUTH, instance, "Owner")
    tag(SOUTH, instance, CostCenter="8")
    settings(dry_run=True)
    before, asked = list(SourceServer.objects.order_by("pk").values()), writes()
    run = sync()
    assert (run.dry_run, run.changed, run.state) == (True, 1, SyncState.COMPLETED)
    assert run.changes == [
        {
            "account": NORTH,
            "region": EAST,
            "server": known("db-1").server_id,
            "name": "db-1",
            "set": {"CostCenter": "8"},
            "remove": ["Owner"],
        }
    ]
    assert writes() == asked
    assert list(SourceServer.objects.order_by("pk").values()) == before


def test_filters_and_other_keys(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7", Owner="ops", CostUnit="x")
    settings(include_keys=["Cost*"], exclude_keys=["*Unit"], key_mapping={"CostCenter": "cc"})
    sync()
    assert in_drs("db-1") == {**DB, "cc": "7"}


@pytest.mark.parametrize(
    "wanted", [{"include_accounts": [SOUTH]}, {"exclude_accounts": [NORTH]}], ids=str
)
def test_accounts_that_are_not_chosen_are_not_asked(north, wanted):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    settings(**wanted)
    before = world.calls.count()
    run = sync()
    assert run.scopes_skipped >= 2
    assert not world.calls.matching(since=before, service="drs", account=NORTH)
    assert in_drs("db-1") == DB


def test_accounts_of_which_none_is_chosen_are_nothing_and_no_success(north):
    settings(include_accounts=["888888888888"])
    assert sync().state == SyncState.NOTHING


def test_a_server_that_is_refused_is_named_and_the_rest_goes_on(north, monkeypatch):
    for name in ("db-1", "db-2", "db-3"):
        from_ec2(name, account=SOUTH, CostCenter="7")
    refused, whole = known("db-2"), Drs.tag

    def tagged(self, arn, tags):
        if arn == refused.arn:
            call = Call("TagResource", self.scope.account_id, self.scope.region)
            raise AwsError(Failure.ACCESS_DENIED, "not this one", call=call)
        whole(self, arn, tags)

    monkeypatch.setattr(Drs, "tag", tagged)
    run = sync()
    assert (run.state, run.changed, run.failed) == (SyncState.PARTIAL, 2, 1)
    assert run.problems[0]["server"] == refused.server_id
    assert run.problems[0]["status"] == RegionStatus.IAM_PERMISSION_DENIED
    assert known("db-2").synced_tags == {}
    assert known("db-3").tags["CostCenter"] == "7"


def test_a_tag_whose_answer_got_lost_is_still_ours(north):
    instance = from_ec2("db-1", account=SOUTH, CostCenter="7")
    world.faults.add(Fault(Kind.TIMEOUT_AFTER, operation="TagResource"))
    assert sync().failed == 1
    assert in_drs("db-1")["CostCenter"] == "7"
    world.faults.clear()
    untag(SOUTH, instance, "CostCenter")
    sync()
    assert in_drs("db-1") == DB


def test_a_tag_that_was_set_before_the_worker_died_is_still_ours(north, monkeypatch):
    instance = from_ec2("db-1", account=SOUTH, CostCenter="7")

    def died(*_):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(tag_sync, "_note_done", died)
        with pytest.raises(SystemExit):
            sync()
    assert in_drs("db-1")["CostCenter"] == "7"
    untag(SOUTH, instance, "CostCenter")
    sync()
    assert in_drs("db-1") == DB


def test_a_server_that_the_inventory_has_not_seen_waits_for_it(north):
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    arn = known("db-1").arn
    SourceServer.objects.filter(name="db-1").delete()
    assert sync().skipped[SkipReason.NOT_LISTED_YET] == 1
    assert "CostCenter" not in drs_backends[NORTH][EAST].tags[arn]
