"""What the model marks idempotent may be repeated, what it marks read-only changes nothing."""

from datetime import timedelta
from typing import Any

import pytest

from drportal.simulator.operations import HANDLERS
from tests.simulator.fidelity.acts_settings import PIT_POLICY
from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.model_facts import SERVICE
from tests.simulator.fidelity.player import HOME, HUB, STAGING, TARGET, Player
from tests.simulator.fidelity.state import fingerprint


def flagged(flag: str) -> list[str]:
    return sorted(
        name
        for name, operation in SERVICE["operations"].items()
        if flag in operation["flags"] and name in HANDLERS
    )


@pytest.fixture
def lived_in(player, clock) -> dict[str, dict[str, Any]]:
    """An estate with a past; what each operation is called with."""
    server = {"sourceServerID": server_id("web-1")}
    job = player.call("StartRecovery", sourceServers=[server], isDrill=True)["job"]["jobID"]
    clock.advance(timedelta(hours=1))
    instance = player.call("DescribeRecoveryInstances")["items"][0]["recoveryInstanceID"]
    player.call("ReverseReplication", recoveryInstanceID=instance)
    player.call("StartRecovery", sourceServers=[{"sourceServerID": server_id("db-1")}])
    clock.advance(timedelta(minutes=3))
    launch = player.call("CreateLaunchConfigurationTemplate")["launchConfigurationTemplate"]
    replication = player.call(
        "CreateReplicationConfigurationTemplate",
        stagingAreaSubnetId="subnet-01234567",
        replicationServersSecurityGroupsIDs=[],
        ebsEncryption="NONE",
        bandwidthThrottling=0,
        stagingAreaTags={},
        pitPolicy=PIT_POLICY,
    )
    arn = backend_of().arn_of("source-server", server_id("web-1"))
    gone = {"sourceServerID": server_id("state-disconnected")}
    return {
        "DescribeJobLogItems": {"jobID": job},
        "DescribeRecoverySnapshots": server,
        "GetFailbackReplicationConfiguration": {"recoveryInstanceID": instance},
        "GetLaunchConfiguration": server,
        "GetReplicationConfiguration": server,
        "ListExtensibleSourceServers": {"account": TARGET, "stagingAccountID": STAGING},
        "ListLaunchActions": {"resourceId": server_id("web-1")},
        "ListStagingAccounts": {"account": TARGET},
        "ListTagsForResource": {"resourceArn": arn},
        "DeleteJob": {"jobID": job},
        "DeleteLaunchConfigurationTemplate": only_id(launch, "launchConfigurationTemplateID"),
        "DeleteReplicationConfigurationTemplate": only_id(
            replication, "replicationConfigurationTemplateID"
        ),
        "DeleteSourceServer": gone,
        "TagResource": {"resourceArn": arn, "tags": {"Owner": "dr"}},
        "UntagResource": {"resourceArn": arn, "tagKeys": ["Application"]},
        "UpdateLaunchConfiguration": server | {"copyTags": True, "name": "other"},
        "UpdateReplicationConfiguration": server | {"bandwidthThrottling": 9},
    }


def only_id(shape: dict[str, Any], name: str) -> dict[str, str]:
    return {name: shape[name]}


def attempt(player: Player, operation: str, params: dict[str, Any]) -> str | None:
    place = {"account": HUB, "region": HOME} | params
    return player.attempt(operation, **place).error


def everything() -> list[dict[str, Any]]:
    return [fingerprint(backend_of(account)) for account in (HUB, TARGET, STAGING)]


@pytest.mark.parametrize("operation", flagged("readonly"))
def test_reading_changes_nothing(player, lived_in, operation):
    player.call("DescribeJobs")  # what is due happens at the first look, whatever looks
    before = everything()

    assert attempt(player, operation, lived_in.get(operation, {})) is None

    assert everything() == before


@pytest.mark.parametrize("operation", flagged("idempotent"))
def test_repeating_leaves_the_same_state(player, lived_in, operation):
    before = everything()
    assert attempt(player, operation, lived_in[operation]) is None
    after = everything()

    again = attempt(player, operation, lived_in[operation])

    assert after != before
    assert everything() == after
    assert again in {None, "ResourceNotFoundException"}


def test_initializing_again_changes_nothing(player):
    before = everything()
    player.call("InitializeService")

    assert everything() == before


@pytest.mark.parametrize("operation", ["StartRecovery", "TerminateRecoveryInstances"])
def test_what_is_not_idempotent_is_refused_the_second_time(player, lived_in, operation):
    instance = lived_in["GetFailbackReplicationConfiguration"]["recoveryInstanceID"]
    params: dict[str, Any] = {
        "StartRecovery": {"sourceServers": [lived_in["GetLaunchConfiguration"]]},
        "TerminateRecoveryInstances": {"recoveryInstanceIDs": [instance]},
    }[operation]
    player.call(operation, **params)
    jobs = len(backend_of().jobs)

    player.refused(operation, "ConflictException", **params)

    assert len(backend_of().jobs) == jobs
