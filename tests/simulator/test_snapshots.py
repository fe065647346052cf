"""Recovery points, as the point-in-time policy keeps them."""

from datetime import timedelta
from typing import Any

import pytest

from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import at, ids


def times(drs: Any, **params: Any) -> list[Any]:
    [server_id] = ids(drs)
    items = drs.describe_recovery_snapshots(sourceServerID=server_id, **params)["items"]
    return [at(each["expectedTimestamp"]) for each in items]


def test_ten_minutes_for_an_hour_then_hours_then_days(aws: InProcess) -> None:
    aws.load(healthy(1))
    found = times(aws.drs(), order="DESC")
    ages = [aws.clock.now() - each for each in found]
    assert ages[:7] == [timedelta(minutes=10 * number) for number in range(6)] + [
        timedelta(hours=1)
    ]
    assert timedelta(hours=23) in ages
    assert max(ages) < timedelta(days=7)
    assert len([age for age in ages if age > timedelta(days=1)]) == 6
    assert found == sorted(found, reverse=True)
    assert times(aws.drs(), order="ASC") == found[::-1]


def test_ids_stay_and_points_age_out(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)

    def by_time() -> dict[str, str]:
        items = drs.describe_recovery_snapshots(sourceServerID=server_id)["items"]
        return {each["expectedTimestamp"]: each["snapshotID"] for each in items}

    before = by_time()
    aws.clock.advance(timedelta(minutes=30))
    after = by_time()
    shared = before.keys() & after.keys()
    assert {time: before[time] for time in shared} == {time: after[time] for time in shared}
    assert len(after.keys() - before.keys()) == 3
    assert len(before.keys() - after.keys()) == 3


def test_a_point_that_is_being_taken_has_no_timestamp_yet(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)
    newest = drs.describe_recovery_snapshots(sourceServerID=server_id, order="DESC")["items"][0]
    assert "timestamp" not in newest
    assert newest["ebsSnapshots"][0].startswith("snap-")
    aws.clock.advance(timedelta(seconds=5))
    newest = drs.describe_recovery_snapshots(sourceServerID=server_id, order="DESC")["items"][0]
    assert at(newest["timestamp"]) == aws.clock.now()


def test_the_filter_by_time(aws: InProcess) -> None:
    aws.load(healthy(1))
    now = aws.clock.now()
    wanted = {
        "fromDateTime": (now - timedelta(minutes=35)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "toDateTime": (now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    found = times(aws.drs(), filters=wanted)
    assert [now - each for each in found] == [timedelta(minutes=10 * n) for n in (3, 2, 1)]


def test_a_server_that_stalled_has_only_older_points(aws: InProcess) -> None:
    aws.load(healthy(1, replication={"state": "STALLED", "lagSeconds": 7200, "sinceHours": 2}))
    found = times(aws.drs())
    assert max(found) == aws.clock.now() - timedelta(hours=2)


def test_points_begin_when_the_server_was_added(aws: InProcess) -> None:
    aws.load(healthy(1, addedDaysAgo=2))
    oldest = min(times(aws.drs()))
    assert aws.clock.now() - oldest < timedelta(days=2)


def test_another_policy(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)
    policy = drs.get_replication_configuration(sourceServerID=server_id)["pitPolicy"]
    for rule in policy[1:]:
        rule["enabled"] = False
    policy[0] |= {"interval": 15, "retentionDuration": 45}
    drs.update_replication_configuration(sourceServerID=server_id, pitPolicy=policy)
    found = times(drs, order="DESC")
    assert [aws.clock.now() - each for each in found] == [
        timedelta(minutes=15 * number) for number in range(3)
    ]


@pytest.mark.parametrize("state", ["STOPPED", "INITIATING", "INITIAL_SYNC", "DISCONNECTED"])
def test_without_a_first_sync_there_is_none(aws: InProcess, state: str) -> None:
    aws.load(healthy(1, replication={"state": state}))
    assert times(aws.drs()) == []


def test_an_unknown_server_has_none(aws: InProcess) -> None:
    aws.load(healthy(1))
    found = aws.drs().describe_recovery_snapshots(sourceServerID="s-0123456789abcdef0")
    assert found["items"] == []
