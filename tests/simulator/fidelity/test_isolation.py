"""Accounts and Regions never see each other, and a reset empties them all."""

import os
from itertools import product

import boto3
import pytest
from botocore.exceptions import ClientError

from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from tests.simulator.fidelity.estate import add, backend_of, server_id
from tests.simulator.fidelity.player import AWAY, HOME, HUB, TARGET
from tests.simulator.fidelity.state import fingerprint

PLACES = list(product((HUB, TARGET), (HOME, AWAY)))


@pytest.fixture(params=["player", "player_over_http"])
def anyhow(request):
    return request.getfixturevalue(request.param)


def test_the_same_calls_in_four_places_stay_apart(anyhow):
    made = {}
    for account, region in PLACES:
        place = {"account": account, "region": region}
        anyhow.call("InitializeService", **place)
        server = add("alone", account=account, region=region)
        template = anyhow.call("CreateLaunchConfigurationTemplate", **place)
        job = anyhow.call("StartRecovery", **place, sourceServers=[{"sourceServerID": server}])
        made[account, region] = (
            server,
            template["launchConfigurationTemplate"]["launchConfigurationTemplateID"],
            job["job"]["jobID"],
        )

    for (account, region), (server, template, job) in made.items():
        place = {"account": account, "region": region}
        servers = anyhow.call("DescribeSourceServers", **place)["items"]
        templates = anyhow.call("DescribeLaunchConfigurationTemplates", **place)["items"]
        jobs = anyhow.call("DescribeJobs", **place)["items"]
        others = {each[0] for each in made.values()} - {server}
        assert server in {each["sourceServerID"] for each in servers}
        assert not others & {each["sourceServerID"] for each in servers}
        assert [each["launchConfigurationTemplateID"] for each in templates] == [template]
        assert [each["jobID"] for each in jobs] == [job]


def test_another_places_server_does_not_exist_here(anyhow):
    anyhow.call("InitializeService", account=TARGET, region=AWAY)

    anyhow.refused(
        "GetLaunchConfiguration",
        "ResourceNotFoundException",
        account=TARGET,
        region=AWAY,
        sourceServerID=server_id("web-1"),
    )


def test_each_place_is_initialized_by_itself(anyhow):
    anyhow.refused("DescribeJobs", "UninitializedAccountException", account=TARGET, region=AWAY)
    anyhow.call("DescribeJobs", account=HUB, region=AWAY)


def test_a_reset_empties_every_place(player):
    player.call("StartRecovery", sourceServers=[{"sourceServerID": server_id("web-1")}])

    world.reset()

    for account, region in PLACES:
        backend = drs_backends[account][region]
        assert not backend.initialized
        assert not any(
            value for value in fingerprint(backend).values() if isinstance(value, dict | list)
        )
    with pytest.raises(ClientError, match="Account not initialized"):
        player.call("DescribeSourceServers")


def test_a_reset_empties_ec2_too(player, clock):
    assert backend_of().launch_configurations
    templates = boto_templates()
    assert templates

    world.reset()

    assert boto_templates() == []


def boto_templates():
    return boto3.client("ec2", region_name=HOME).describe_launch_templates()["LaunchTemplates"]


def test_moto_is_not_told_to_merge_the_accounts():
    assert "MOTO_ACCOUNT_ID" not in os.environ
