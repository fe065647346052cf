"""What StartRecovery and its neighbours refuse, whole."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drportal.simulator.world import world
from tests.simulated_aws import InProcess, OverHTTP, healthy
from tests.simulator.watching import LONG_ENOUGH, ids, instances, launch

BUSY = "currently being processed by a Job"
UNKNOWN = "s-0123456789abcdef0"


def refusal(call: Any, **params: Any) -> dict[str, Any]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return dict(caught.value.response)


def start(drs: Any, server_ids: list[str]) -> dict[str, Any]:
    """The refusal of a start, which must have started nothing."""
    before = drs.describe_jobs()["items"]
    answer = refusal(
        drs.start_recovery, sourceServers=[{"sourceServerID": each} for each in server_ids]
    )
    assert drs.describe_jobs()["items"] == before
    return answer


def conflict(answer: dict[str, Any]) -> str:
    assert answer["Error"]["Code"] == "ConflictException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 409
    return str(answer["Error"]["Message"])


def quota(answer: dict[str, Any]) -> str:
    assert answer["Error"]["Code"] == "ServiceQuotaExceededException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 402
    assert answer["serviceCode"] == "drs"
    return str(answer["quotaCode"])


def test_one_busy_server_refuses_the_whole_call(aws: InProcess) -> None:
    aws.load(healthy(3))
    drs = aws.drs()
    first, *others = ids(drs)
    launch(drs, [first])
    answer = start(drs, [*others, first])
    assert BUSY in conflict(answer)
    assert answer["resourceId"] == first
    aws.clock.advance(LONG_ENOUGH)
    launch(drs, [*others, first])


def test_a_server_is_busy_while_its_instance_is_terminated(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    launch(drs)
    aws.clock.advance(LONG_ENOUGH)
    [made] = instances(drs).values()
    drs.terminate_recovery_instances(recoveryInstanceIDs=[made["recoveryInstanceID"]])
    assert BUSY in conflict(start(drs, ids(drs)))
    again = refusal(
        drs.terminate_recovery_instances, recoveryInstanceIDs=[made["recoveryInstanceID"]]
    )
    conflict(again)
    aws.clock.advance(LONG_ENOUGH)
    gone = refusal(
        drs.terminate_recovery_instances, recoveryInstanceIDs=[made["recoveryInstanceID"]]
    )
    assert "does not exist" in conflict(gone)


def test_an_unknown_server(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    assert "does not exist" in conflict(start(drs, [*ids(drs), UNKNOWN]))


def test_the_same_server_twice(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    assert "more than once" in conflict(start(drs, ids(drs) * 2))


@pytest.mark.parametrize("state", ["STOPPED", "INITIATING", "INITIAL_SYNC", "DISCONNECTED"])
def test_a_server_without_recovery_point(aws: InProcess, state: str) -> None:
    aws.load(healthy(1, replication={"state": state}))
    drs = aws.drs()
    assert f"its replication is {state}" in conflict(start(drs, ids(drs)))


@pytest.mark.parametrize("state", ["BACKLOG", "STALLED", "PAUSED", "RESCAN", "CREATING_SNAPSHOT"])
def test_lag_does_not_stop_a_recovery(aws: InProcess, state: str) -> None:
    aws.load(healthy(1, replication={"state": state, "lagSeconds": 600}))
    drs = aws.drs()
    assert launch(drs)["status"] == "PENDING"


def test_volumes_with_missing_attributes(aws: InProcess) -> None:
    aws.load(healthy(1, volumeStatus="MISSING_VOLUME_ATTRIBUTES"))
    drs = aws.drs()
    assert "MISSING_VOLUME_ATTRIBUTES" in conflict(start(drs, ids(drs)))


def test_own_windows_licence_without_host_tenancy(aws: InProcess) -> None:
    windows = "Microsoft Windows Server 2022 Datacenter"
    aws.load(healthy(1, os=windows, launchConfiguration={"licensing": {"osByol": True}}))
    drs = aws.drs()
    assert "host tenancy" in conflict(start(drs, ids(drs)))
    world.reset()
    world.clock = aws.clock
    aws.load(
        healthy(
            1,
            os=windows,
            launchConfiguration={"licensing": {"osByol": True}},
            launchTemplate={"Placement": {"Tenancy": "host"}},
        )
    )
    assert launch(aws.drs())["status"] == "PENDING"


def test_a_pinned_point_that_is_gone(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)
    oldest = drs.describe_recovery_snapshots(sourceServerID=server_id)["items"][0]
    wanted = {"sourceServerID": server_id, "recoverySnapshotID": oldest["snapshotID"]}
    aws.clock.advance(timedelta(days=2))
    answer = refusal(drs.start_recovery, sourceServers=[wanted])
    assert "does not exist any more" in conflict(answer)


def test_more_than_a_hundred_servers_are_a_quota_and_more_than_two_hundred_invalid(
    aws: InProcess,
) -> None:
    aws.load(healthy(101))
    drs = aws.drs()
    assert quota(start(drs, ids(drs))) == "L-B827C881"
    many = [f"s-{number:017d}" for number in range(201)]
    assert start(drs, many)["Error"]["Code"] == "ValidationException"


def test_twenty_jobs_at_once(aws: InProcess) -> None:
    aws.load(healthy(21))
    drs = aws.drs()
    *first, last = ids(drs)
    for server_id in first:
        launch(drs, [server_id])
    assert quota(start(drs, [last])) == "L-D88FAC3A"
    aws.clock.advance(LONG_ENOUGH)
    assert launch(drs, [last])["status"] == "PENDING"


def test_servers_in_all_active_jobs(aws: InProcess) -> None:
    aws.load(healthy(6) | {"quotas": {"servers_in_jobs": 5}})
    drs = aws.drs()
    wanted = ids(drs)
    launch(drs, wanted[:4])
    assert quota(start(drs, wanted[4:])) == "L-05AFA8C6"
    assert launch(drs, wanted[4:5])["status"] == "PENDING"


def test_quotas_are_per_account_and_region(aws: InProcess) -> None:
    one = healthy(1)
    [account] = one["accounts"]
    both = [{**server, "region": "us-west-2"} for server in one["servers"]]
    account["initialized"].append("us-west-2")
    aws.load(one | {"servers": one["servers"] + both, "quotas": {"concurrent_jobs": 1}})
    for region in ("us-east-1", "us-west-2"):
        assert launch(aws.drs(region=region))["status"] == "PENDING"


def test_total_servers(aws: InProcess) -> None:
    with pytest.raises(ValueError, match=r"servers\[2\]: Source servers: 3 would exceed"):
        aws.load(healthy(3) | {"quotas": {"total_servers": 2}})


def test_replicating_servers(aws: InProcess) -> None:
    stopped = healthy(2)
    stopped["servers"][0]["replication"] = {"state": "STOPPED"}
    aws.load(stopped | {"quotas": {"replicating_servers": 1}})
    drs = aws.drs()
    states = {
        each["sourceServerID"]: each["dataReplicationInfo"]["dataReplicationState"]
        for each in drs.describe_source_servers()["items"]
    }
    [server_id] = [each for each, state in states.items() if state == "STOPPED"]
    answer = refusal(drs.start_replication, sourceServerID=server_id)
    assert quota(answer) == "L-C1D14A2B"


def outcomes(count: int, drs: Any, server_ids: list[str]) -> list[str]:
    def attempt(_: int) -> str:
        try:
            launch(drs, server_ids)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return "started"

    with ThreadPoolExecutor(count) as pool:
        return sorted(pool.map(attempt, range(count)))


def test_of_24_threads_one_starts_in_process(aws: InProcess) -> None:
    aws.load(healthy(4))
    drs = aws.drs()
    assert outcomes(24, drs, ids(drs)) == ["ConflictException"] * 23 + ["started"]
    assert len(drs.describe_jobs()["items"]) == 1


def test_of_24_threads_one_starts_over_http(aws_server: OverHTTP) -> None:
    aws_server.control.load(healthy(4))
    aws_server.control.set_speed(1)
    drs = aws_server.drs()
    assert outcomes(24, drs, ids(drs)) == ["ConflictException"] * 23 + ["started"]
    assert len(drs.describe_jobs()["items"]) == 1


def test_before_initialize_service_nothing_answers(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs(region="eu-west-1")
    answer = refusal(drs.describe_source_servers)
    assert answer["Error"]["Code"] == "UninitializedAccountException"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    drs.initialize_service()
    drs.initialize_service()
    assert drs.describe_source_servers()["items"] == []


def test_a_server_with_an_instance_is_neither_disconnected_nor_deleted(aws: InProcess) -> None:
    aws.load(healthy(1))
    drs = aws.drs()
    [server_id] = ids(drs)
    launch(drs)
    assert BUSY in conflict(refusal(drs.disconnect_source_server, sourceServerID=server_id))
    aws.clock.advance(LONG_ENOUGH)
    answer = refusal(drs.disconnect_source_server, sourceServerID=server_id)
    assert "has the recovery instance" in conflict(answer)
    [made] = instances(drs).values()
    drs.terminate_recovery_instances(recoveryInstanceIDs=[made["recoveryInstanceID"]])
    aws.clock.advance(LONG_ENOUGH)
    conflict(refusal(drs.delete_source_server, sourceServerID=server_id))
    gone = drs.disconnect_source_server(sourceServerID=server_id)
    assert gone["dataReplicationInfo"]["dataReplicationState"] == "DISCONNECTED"
    assert gone["dataReplicationInfo"]["replicatedDisks"][0]["totalStorageBytes"] == 0
    drs.delete_source_server(sourceServerID=server_id)
    assert ids(drs) == []
