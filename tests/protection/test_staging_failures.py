"""What fails in a staging sync says so, and changes nothing that was known."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import ExtensionState, RegionStatus, SyncState
from protection.models import AccountRegion, StagingServer
from protection.rules import extension
from tests.staging_world import (
    DEPOT,
    asked_to_extend,
    let_go,
    settled,
    staged,
    standing,
    sync,
)
from tests.worlds import EAST, NORTH, WEST

pytestmark = pytest.mark.django_db(transaction=True)
DEFAULT_KEY: dict[str, Any] = {"replicationConfiguration": {"ebsEncryption": "DEFAULT"}}


def fault(kind: Kind, operation: str, **more) -> None:
    world.faults.add(Fault(kind, operation=operation, seconds=0, **more))


def due_again() -> None:
    StagingServer.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())


def test_a_refusal_is_on_the_row_and_the_next_try_comes_later_and_later(aws):
    settled([staged("app-1")])
    fault(Kind.ACCESS_DENIED, "CreateExtendedSourceServer")
    waits = []
    for attempt in range(1, 4):
        run = sync()
        assert (run.state, run.failed) == (SyncState.PARTIAL, 1)
        row = standing("app-1")
        assert (row.state, row.attempts) == ("FAILED", attempt)
        assert "not authorized" in row.message
        assert row.next_try_at is not None
        assert row.tried_at is not None
        waits.append(row.next_try_at - row.tried_at)
        assert sync().failed == 0  # not before its time
        due_again()
    assert waits == [timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60)]
    assert len(asked_to_extend()) == 3
    world.faults.clear()
    assert sync().added == 1
    assert standing("app-1").attempts == 0
    failed = AuditRecord.objects.filter(event="protection.staging_server.extension_failed")
    assert set(failed.values_list("outcome", flat=True)) == {"FAILED"}


@pytest.mark.parametrize("attempts", [1, 2, 7, 8, 100, 10_000])
def test_nobody_waits_longer_than_a_day(attempts):
    assert extension.wait_after(1) == timedelta(minutes=15)
    assert extension.FIRST_WAIT <= extension.wait_after(attempts) <= timedelta(hours=24)
    assert extension.wait_after(100) == timedelta(hours=24)


@pytest.mark.parametrize(
    "kind",
    [Kind.THROTTLE, Kind.ACCESS_DENIED, Kind.SERVER_ERROR, Kind.UNREACHABLE, Kind.TIMEOUT_BEFORE],
)
@pytest.mark.parametrize("operation", ["ListExtensibleSourceServers", "DescribeSourceServers"])
def test_a_target_that_does_not_answer_keeps_what_was_known(aws, kind, operation):
    settled([staged("app-1"), staged("app-2", **DEFAULT_KEY), staged("web-1", region=WEST)])
    sync()
    before = list(StagingServer.objects.order_by("pk").values())
    due_again_before = asked_to_extend()
    fault(kind, operation, account=NORTH, region=EAST)
    run = sync()
    assert run.state == SyncState.PARTIAL
    assert (run.scopes_listed, run.scopes_failed) == (1, 1)
    [problem] = run.problems
    assert (problem["account"], problem["region"]) == (NORTH, EAST)
    assert problem["message"]
    assert list(StagingServer.objects.order_by("pk").values()) == before
    assert asked_to_extend() == due_again_before


def test_half_of_the_pages_are_none(aws, monkeypatch):
    settled([staged(f"app-{number}") for number in range(1, 5)])
    sync()
    before = list(StagingServer.objects.order_by("pk").values())
    monkeypatch.setattr("drportal.aws.staging._PAGE", 2)
    let_go()
    # The first page is answered, the second never.
    original = world.faults.strike
    seen = []

    def second_page(*kinds, **place):
        listing = ("ListExtensibleSourceServers", EAST)
        if (place.get("operation"), place.get("region")) == listing and Kind.UNREACHABLE in kinds:
            seen.append(place)
            if len(seen) > 1:
                return Fault(Kind.UNREACHABLE)
        return original(*kinds, **place)

    monkeypatch.setattr(world.faults, "strike", second_page)
    run = sync()
    assert len(seen) > 1
    assert (run.scopes_failed, run.removed, run.changed) == (1, 0, 0)
    assert list(StagingServer.objects.order_by("pk").values()) == before


def test_the_role_in_the_staging_account_is_gone(aws):
    settled([staged("app-1", **DEFAULT_KEY), staged("app-2"), staged("app-3")])
    StagingServer.objects.all().delete()
    fault(Kind.ACCESS_DENIED, "CreateExtendedSourceServer", times=2)
    sync()
    world.faults.clear()
    before = {row.hostname: row for row in StagingServer.objects.all()}
    assert before["app-1"].state == ExtensionState.HELD_BACK
    due_again()
    fault(Kind.ACCESS_DENIED, "GetReplicationConfiguration", account=DEPOT)
    run = sync()
    assert (run.state, run.scopes_failed) == (SyncState.PARTIAL, 1)
    assert run.problems[0]["account"] == DEPOT
    for row in StagingServer.objects.all():
        assert (row.state, row.message) == (
            before[row.hostname].state,
            before[row.hostname].message,
        )
    reads = world.calls.matching(operation="GetReplicationConfiguration", account=DEPOT)
    assert len([call for call in reads if call.error]) == 1  # one is enough to know


def test_a_server_of_which_nothing_could_be_checked_is_unknown_not_extended(aws):
    settled([staged("app-1"), staged("app-2")])
    fault(Kind.THROTTLE, "GetReplicationConfiguration", account=DEPOT)
    run = sync()
    assert run.state == SyncState.PARTIAL
    states = StagingServer.objects.values_list("state", flat=True)
    assert set(states) == {ExtensionState.UNKNOWN}
    assert "Rate" in StagingServer.objects.all()[0].message
    assert asked_to_extend() == []
    world.faults.clear()
    assert sync().added == 2


def test_a_target_whose_servers_cannot_be_counted_gets_none(aws, monkeypatch):
    settled([staged("app-1")])
    whole = "protection.services.extending.Drs.source_servers"
    from drportal.aws.errors import AwsError, Call, Failure

    def broken_off(self):
        raise AwsError(Failure.THROTTLED, "Rate exceeded", call=Call("x", NORTH, EAST))

    monkeypatch.setattr(whole, broken_off)
    run = sync()
    assert (run.state, run.added) == (SyncState.PARTIAL, 0)
    assert asked_to_extend() == []


def test_a_region_that_does_not_answer_to_the_inventory_is_left_for_later(aws):
    settled([staged("app-1"), staged("web-1", region=WEST)])
    sync()
    before = list(StagingServer.objects.order_by("pk").values())
    AccountRegion.objects.filter(account__account_id=NORTH, region=EAST).update(
        status=RegionStatus.THROTTLED
    )
    run = sync()
    assert (run.scopes_listed, run.scopes_skipped) == (1, 1)
    assert list(StagingServer.objects.order_by("pk").values()) == before


def test_nobody_who_answers_is_a_failed_run(aws):
    settled([staged("app-1")])
    fault(Kind.UNREACHABLE, "*")
    assert sync().state == SyncState.FAILED
