"""Failback in both kinds, and letting go of recovery instances."""

from datetime import timedelta

import boto3
import pytest

from drportal.simulator import failback
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.player import AWAY, HOME, HUB


@pytest.fixture
def recovered(player, clock):
    """Recovery instance ids by the name of their server."""
    names = ("web-1", "prem-1", "prem-2")
    servers = [{"sourceServerID": server_id(name)} for name in names]
    player.call("StartRecovery", sourceServers=servers)
    clock.advance(timedelta(hours=1))
    player.call("DescribeJobs")
    return {name: str(backend_of().servers[server_id(name)].recovery_instance_id) for name in names}


def shown(player, instance):
    found = player.call("DescribeRecoveryInstances", filters={"recoveryInstanceIDs": [instance]})
    return found["items"][0]


def states(player, instance):
    found = shown(player, instance)
    return found["dataReplicationInfo"]["dataReplicationState"], found["failback"]["state"]


def ec2_state(instance):
    ec2 = boto3.client("ec2", region_name=HOME)
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"]


def test_before_anything_the_two_origins_differ(player, recovered):
    assert states(player, recovered["prem-1"]) == ("NOT_STARTED", "FAILBACK_NOT_STARTED")
    assert states(player, recovered["web-1"]) == ("NOT_STARTED", "FAILBACK_NOT_READY_FOR_LAUNCH")


def test_a_failback_client_replicates_until_the_launch_may_start(player, clock, recovered):
    instance = recovered["prem-1"]
    failback.connect_failback_client(backend_of(), instance, "client-1")
    seen = [states(player, instance)]
    for wait in (failback.INITIATION, failback.SYNC):
        clock.advance(wait)
        seen.append(states(player, instance))

    assert seen == [
        ("INITIATING", "FAILBACK_IN_PROGRESS"),
        ("INITIAL_SYNC", "FAILBACK_IN_PROGRESS"),
        ("CONTINUOUS", "FAILBACK_READY_FOR_LAUNCH"),
    ]
    assert shown(player, instance)["failback"]["failbackClientID"] == "client-1"


@pytest.fixture
def ready(player, clock, recovered):
    failback.connect_failback_client(backend_of(), recovered["prem-1"])
    clock.advance(failback.INITIATION + failback.SYNC)
    return recovered["prem-1"]


@pytest.mark.parametrize(
    ("fails", "state", "status", "event"),
    [
        (False, "FAILBACK_COMPLETED", "LAUNCHED", "LAUNCH_END"),
        (True, "FAILBACK_ERROR", "FAILED", "LAUNCH_FAILED"),
    ],
)
def test_a_failback_launch_ends(player, clock, ready, fails, state, status, event):
    if fails:
        world.faults.add(Fault(Kind.LAUNCH_FAIL, server="prem-1", raw_error="no answer"))
    job = player.call("StartFailbackLaunch", recoveryInstanceIDs=[ready])["job"]
    assert job["initiatedBy"] == "FAILBACK"
    player.refused("DisconnectRecoveryInstance", "ConflictException", recoveryInstanceID=ready)
    player.refused("StartFailbackLaunch", "ConflictException", recoveryInstanceIDs=[ready])
    clock.advance(timedelta(minutes=10))

    found = shown(player, ready)["failback"]
    assert found["state"] == state
    assert found["failbackJobID"] == job["jobID"]
    ended = player.call("DescribeJobs", filters={"jobIDs": [job["jobID"]]})["items"][0]
    assert ended["status"] == "COMPLETED"
    assert ended["participatingServers"][0]["launchStatus"] == status
    log = player.call("DescribeJobLogItems", jobID=job["jobID"])["items"]
    assert [item["event"] for item in log] == ["JOB_START", "LAUNCH_START", event, "JOB_END"]


def test_one_instance_that_is_not_ready_refuses_the_whole_launch(player, ready, recovered):
    jobs = len(backend_of().jobs)
    both = [ready, recovered["prem-2"]]

    player.refused("StartFailbackLaunch", "ConflictException", recoveryInstanceIDs=both)
    player.refused("StartFailbackLaunch", "ValidationException", recoveryInstanceIDs=[ready] * 2)

    assert len(backend_of().jobs) == jobs


def test_a_stopped_failback_does_not_go_on(player, clock, recovered):
    instance = recovered["prem-1"]
    failback.connect_failback_client(backend_of(), instance)
    player.call("StopFailback", recoveryInstanceID=instance)
    clock.advance(timedelta(hours=2))

    assert states(player, instance) == ("NOT_STARTED", "FAILBACK_NOT_STARTED")


def test_a_failback_that_is_stopped_during_its_launch_fails(player, clock, ready):
    job = player.call("StartFailbackLaunch", recoveryInstanceIDs=[ready])["job"]["jobID"]
    clock.advance(timedelta(minutes=1))
    player.call("StopFailback", recoveryInstanceID=ready)
    clock.advance(timedelta(minutes=10))

    ended = player.call("DescribeJobs", filters={"jobIDs": [job]})["items"][0]
    assert ended["participatingServers"][0]["launchStatus"] == "FAILED"
    assert states(player, ready)[1] == "FAILBACK_NOT_STARTED"


def test_only_servers_from_premises_have_a_failback_client(recovered):
    with pytest.raises(ValueError, match="cannot be paired"):
        failback.connect_failback_client(backend_of(), recovered["web-1"])


def test_reversed_replication_makes_a_server_where_the_instance_came_from(player, clock, recovered):
    instance = recovered["web-1"]
    arn = player.call("ReverseReplication", recoveryInstanceID=instance)[
        "reversedDirectionSourceServerArn"
    ]
    away = player.call("DescribeSourceServers", region=AWAY)["items"]
    home = player.call("DescribeSourceServers", filters={"sourceServerIDs": [server_id("web-1")]})[
        "items"
    ][0]

    assert [each["arn"] for each in away] == [arn]
    assert arn.startswith(f"arn:aws:drs:{AWAY}:{HUB}:source-server/")
    assert away[0]["replicationDirection"] == "FAILBACK"
    assert away[0]["reversedDirectionSourceServerArn"] == home["arn"]
    assert home["reversedDirectionSourceServerArn"] == arn
    assert away[0]["sourceCloudProperties"]["originRegion"] == HOME
    assert away[0]["sourceProperties"]["identificationHints"]["awsInstanceID"] == instance
    assert states(player, instance) == ("INITIATING", "FAILBACK_IN_PROGRESS")
    clock.advance(timedelta(hours=1))
    assert states(player, instance) == ("CONTINUOUS", "FAILBACK_READY_FOR_LAUNCH")


def test_the_way_back_ends_with_a_recovery_in_the_origin_region(player, clock, recovered):
    instance = recovered["web-1"]
    arn = player.call("ReverseReplication", recoveryInstanceID=instance)[
        "reversedDirectionSourceServerArn"
    ]
    clock.advance(timedelta(hours=1))
    back = [{"sourceServerID": arn.rpartition("/")[2]}]
    for drill, state in ((True, "FAILBACK_READY_FOR_LAUNCH"), (False, "FAILBACK_COMPLETED")):
        player.call("StartRecovery", region=AWAY, sourceServers=back, isDrill=drill)
        clock.advance(timedelta(hours=1))
        assert states(player, instance)[1] == state

    again = player.call("DescribeRecoveryInstances", region=AWAY)["items"][0]
    third = player.call(
        "ReverseReplication", region=AWAY, recoveryInstanceID=again["recoveryInstanceID"]
    )["reversedDirectionSourceServerArn"]
    assert third.startswith(f"arn:aws:drs:{HOME}:{HUB}:source-server/")
    found = player.call(
        "DescribeSourceServers", filters={"sourceServerIDs": [third.rpartition("/")[2]]}
    )["items"][0]
    assert found["replicationDirection"] == "FAILOVER"


def test_reversal_is_refused_where_it_cannot_work(player, recovered):
    instance = {"recoveryInstanceID": recovered["web-1"]}
    before = len(backend_of(region=AWAY).servers)

    backend_of(region=AWAY).initialized = False
    player.refused("ReverseReplication", "UninitializedAccountException", **instance)
    backend_of(region=AWAY).initialized = True
    world.accounts.accounts[HUB].not_opted_in.add(AWAY)
    player.refused("ReverseReplication", "AccessDeniedException", **instance)
    world.accounts.accounts[HUB].not_opted_in.clear()
    world.settings.quotas.replicating_servers = 0
    player.refused("ReverseReplication", "ConflictException", **instance)
    world.settings.quotas.replicating_servers = 300
    boto3.client("ec2", region_name=HOME).stop_instances(InstanceIds=[recovered["web-1"]])
    player.refused("ReverseReplication", "ConflictException", **instance)

    assert len(backend_of(region=AWAY).servers) == before


def test_the_origins_template_may_ask_for_the_source_instance(player, recovered):
    player.call("CreateLaunchConfigurationTemplate", region=AWAY, launchIntoSourceInstance=True)
    arn = player.call("ReverseReplication", recoveryInstanceID=recovered["web-1"])[
        "reversedDirectionSourceServerArn"
    ]

    settings = player.call(
        "GetLaunchConfiguration", region=AWAY, sourceServerID=arn.rpartition("/")[2]
    )
    origin = backend_of().servers[server_id("web-1")].origin
    assert origin is not None
    assert settings["launchIntoInstanceProperties"] == {
        "launchIntoEC2InstanceID": origin.instance_id
    }


def test_failback_settings_are_kept_per_instance(player, recovered):
    own = {"recoveryInstanceID": recovered["prem-1"]}
    before = player.call("GetFailbackReplicationConfiguration", **own)
    player.call("UpdateFailbackReplicationConfiguration", **own, bandwidthThrottling=5)
    after = player.call("GetFailbackReplicationConfiguration", **own)
    other = player.call(
        "GetFailbackReplicationConfiguration", recoveryInstanceID=recovered["prem-2"]
    )

    assert before["bandwidthThrottling"] == other["bandwidthThrottling"] == 0
    assert after == before | {"bandwidthThrottling": 5}


def test_letting_go_keeps_the_instance_in_ec2_until_the_next_launch(player, clock, recovered):
    instance = recovered["prem-1"]
    own = {"recoveryInstanceID": instance}
    player.call("DisconnectRecoveryInstance", **own)
    assert states(player, instance)[0] == "DISCONNECTED"
    player.call("DeleteRecoveryInstance", **own)
    assert ec2_state(instance) == "running"
    server = {"sourceServerID": server_id("prem-1")}
    found = player.call("DescribeSourceServers", filters={"sourceServerIDs": [*server.values()]})
    assert "recoveryInstanceId" not in found["items"][0]

    player.call("StartRecovery", sourceServers=[server])
    clock.advance(timedelta(hours=1))
    player.call("DescribeJobs")

    assert ec2_state(instance) == "terminated"
