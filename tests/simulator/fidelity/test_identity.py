"""Ids and ARNs that a caller takes from DRS to EC2 and back."""

import re
from datetime import timedelta

import boto3
import pytest

from tests.simulator.fidelity.estate import backend_of, server_id
from tests.simulator.fidelity.player import AWAY, HOME, HUB, STAGING, TARGET

PATTERNS = {
    "sourceServerID": r"s-[0-9a-z]{17}",
    "jobID": r"drsjob-[0-9a-z]{17}",
    "recoveryInstanceID": r"i-[0-9a-f]{17}",
    "snapshotID": r"pit-[0-9a-z]{17}",
    "launchConfigurationTemplateID": r"lct-[0-9a-z]{17}",
    "replicationConfigurationTemplateID": r"rct-[0-9a-z]{17}",
    "ec2LaunchTemplateID": r"lt-[0-9a-f]{17}",
}


@pytest.fixture
def launched(player, clock):
    servers = [{"sourceServerID": server_id(name)} for name in ("web-1", "db-1")]
    player.call("StartRecovery", sourceServers=servers)
    clock.advance(timedelta(hours=1))
    return player.call("DescribeRecoveryInstances")["items"]


def test_a_recovery_instance_is_an_ec2_instance_of_the_same_place(launched):
    ids = {each["recoveryInstanceID"] for each in launched}
    ec2 = boto3.client("ec2", region_name=HOME)
    found = {
        each["InstanceId"]
        for reservation in ec2.describe_instances(InstanceIds=sorted(ids))["Reservations"]
        for each in reservation["Instances"]
    }

    assert found == ids
    assert {each["ec2InstanceID"] for each in launched} == ids
    elsewhere = boto3.client("ec2", region_name=AWAY)
    assert elsewhere.describe_instances()["Reservations"] == []


def test_its_volumes_are_ec2s(launched):
    ec2 = boto3.client("ec2", region_name=HOME)
    for each in launched:
        disks = each["recoveryInstanceProperties"]["disks"]
        volumes = ec2.describe_volumes(VolumeIds=[disk["ebsVolumeID"] for disk in disks])["Volumes"]
        assert {volume["Attachments"][0]["InstanceId"] for volume in volumes} == {
            each["recoveryInstanceID"]
        }
        assert len(volumes) == 2


def test_the_launch_template_of_a_server_is_ec2s(player):
    own = player.call("GetLaunchConfiguration", sourceServerID=server_id("web-1"))
    ec2 = boto3.client("ec2", region_name=HOME)
    found = ec2.describe_launch_templates(LaunchTemplateIds=[own["ec2LaunchTemplateID"]])

    assert len(found["LaunchTemplates"]) == 1


def test_ids_look_like_those_of_aws(recorded):
    seen: dict[str, set[str]] = {name: set() for name in PATTERNS}
    gather([each.result for each in recorded.play.answers if each.error is None], seen)

    for name, values in seen.items():
        assert values, name
        assert all(re.fullmatch(PATTERNS[name], value) for value in values), (name, values)


def gather(value, seen):
    if isinstance(value, list):
        for inner in value:
            gather(inner, seen)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if name in seen and isinstance(inner, str):
                seen[name].add(inner)
            gather(inner, seen)


def test_arns_name_their_kind_and_id(player, launched):
    job = player.call("DescribeJobs")["items"][0]
    server = player.call("DescribeSourceServers")["items"][0]

    place = f"arn:aws:drs:{HOME}:{HUB}:"
    assert job["arn"] == f"{place}job/{job['jobID']}"
    assert server["arn"] == f"{place}source-server/{server['sourceServerID']}"
    for each in launched:
        assert each["arn"] == f"{place}recovery-instance/{each['recoveryInstanceID']}"


def test_an_extended_server_names_its_staging_server(player):
    staged = backend_of(STAGING).servers[server_id("staged-1", STAGING)]
    made = player.call("CreateExtendedSourceServer", account=TARGET, sourceServerArn=staged.arn)

    assert made["sourceServer"]["stagingArea"] == {
        "status": "EXTENDED",
        "stagingAccountID": STAGING,
        "stagingSourceServerArn": staged.arn,
    }
    assert made["sourceServer"]["arn"].startswith(f"arn:aws:drs:{HOME}:{TARGET}:source-server/")
