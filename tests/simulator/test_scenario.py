"""Scenarios: what they make, and how they are refused."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from drportal.simulator import scenario
from drportal.simulator.reader import ScenarioError
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, healthy
from tests.simulator.watching import at, ids

ACCOUNT = "123456789012"
OTHER = "210000000001"


def changed(**members: Any) -> dict[str, Any]:
    return healthy(2) | members


def with_server(**members: Any) -> dict[str, Any]:
    made = healthy(2)
    made["servers"][1] |= members
    return made


def without(member: str) -> dict[str, Any]:
    made = healthy(2)
    del made["servers"][1][member]
    return made


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, r"accounts: there must be at least one\."),
        (changed(acounts=[]), r"has unknown members: acounts\."),
        (changed(accounts=[{}]), r"accounts\[0\]\.id: is missing\."),
        (changed(accounts=[{"id": "42"}]), r"accounts\[0\]\.id: '42' is not an account id"),
        (changed(accounts=[{"id": ACCOUNT, "nme": "x"}]), r"accounts\[0\]: has unknown.*nme"),
        (changed(accounts=[{"id": ACCOUNT}] * 2), r"accounts\[1\]\.id: .* is there twice"),
        (
            changed(accounts=[{"id": ACCOUNT, "initialized": ["mars-east-1"]}]),
            r"accounts\[0\]\.initialized: DRS has no Region mars-east-1",
        ),
        (changed(accounts={}), r"accounts: must be a list, not an object\."),
        (changed(speed="fast"), r"speed: must be a number, not a string\."),
        (changed(speed=0), r"speed: must be at least 0\.001, not 0\."),
        (changed(quotas={"jobs": 3}), r"quotas: has unknown members: jobs\."),
        (changed(quotas={"concurrent_jobs": 1.5}), r"quotas\.concurrent_jobs: must be a whole"),
        (changed(settings={"cleanup": -1}), r"settings\.cleanup: must be at least 0"),
        (changed(settings={"strict_model": "yes"}), r"settings\.strict_model: must be true or"),
        (changed(roles=[{"arn": "nobody"}]), r"roles\[0\]\.arn: 'nobody' is not the ARN of a role"),
        (
            changed(roles=[{"arn": f"arn:aws:iam::{OTHER}:role/Portal"}]),
            rf"roles\[0\]\.arn: there is no account {OTHER}",
        ),
        (
            changed(roles=[{"arn": f"arn:aws:iam::{ACCOUNT}:role/Portal", "trust": [1]}]),
            r"roles\[0\]\.trust\[0\]: must be a string",
        ),
        (without("hostname"), r"servers\[1\]\.hostname: is missing\."),
        (without("os"), r"servers\[1\]\.os: is missing\."),
        (with_server(account=OTHER), rf"servers\[1\]\.region: there is no account {OTHER}"),
        (with_server(region="eu-west-1"), r"servers\[1\]\.region: .* has not initialized eu-west"),
        (with_server(hostname="web-01"), r"servers\[1\]\.id: s-\w+ is there twice"),
        (with_server(cpus="four"), r"servers\[1\]\.cpus: must be a whole number, not a string"),
        (with_server(tags={"Tier": 1}), r"servers\[1\]\.tags: the value of Tier must be a string"),
        (with_server(disks=[{"GiB": 8}]), r"servers\[1\]\.disks\[0\]\.device: is missing"),
        (
            with_server(disks=[{"device": "/dev/xvda", "size": 8}]),
            r"servers\[1\]\.disks\[0\]\.size: is unknown",
        ),
        (
            with_server(replication={"state": "FINE"}),
            r"servers\[1\]\.replication\.state: is none of STOPPED, INITIATING",
        ),
        (with_server(origin={"account": OTHER}), r"servers\[1\]\.origin\.region: is missing"),
        (with_server(colour="red"), r"servers\[1\]: has unknown members: colour\."),
        (
            changed(
                extensions=[
                    {
                        "region": "us-east-1",
                        "target": ACCOUNT,
                        "stagingAccount": ACCOUNT,
                        "server": "web-99",
                    }
                ]
            ),
            r"extensions\[0\]\.server: account \d+ has no server web-99",
        ),
        (changed(faults=[{"kind": "SULK"}]), r"faults\[0\]: 'SULK' is not a valid Kind"),
        (changed(faults=["THROTTLE"]), r"faults\[0\]: must be an object, not a string"),
    ],
)
def test_a_scenario_is_refused_with_place_and_reason(
    aws: InProcess, given: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        aws.load(given)
    assert world.accounts.accounts == {}  # nothing is left of it


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("{", "is not JSON"), ("[]", "must hold one JSON object"), (None, "No such file")],
)
def test_a_file_that_holds_no_scenario(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "scenario.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ScenarioError, match=complaint):
        scenario.read(path)


def test_a_scenario_from_a_file(aws: InProcess, tmp_path: Path) -> None:
    path = tmp_path / "scenario.json"
    path.write_text(json.dumps(healthy(3)))
    aws.load(scenario.read(path))
    assert len(ids(aws.drs())) == 3


def test_settings_quotas_speed_and_faults(aws: InProcess) -> None:
    aws.load(
        changed(
            speed=12.5,
            settings={"termination": 30, "hold_seconds": 2},
            quotas={"concurrent_jobs": 3},
            faults=[{"kind": "THROTTLE", "operation": "StartRecovery", "times": 4}],
        )
    )
    assert world.clock.speed == 12.5
    assert world.settings.termination == timedelta(seconds=30)
    assert world.settings.hold_seconds == 2.0
    assert world.settings.quotas.concurrent_jobs == 3
    [fault] = world.faults.list()
    assert (fault.operation, fault.times) == ("StartRecovery", 4)


def test_a_server_as_it_was_written_down(aws: InProcess) -> None:
    aws.load(
        with_server(
            cpus=16,
            ramGiB=64,
            ip="10.1.2.3",
            addedDaysAgo=10,
            tags={"Application": "shop"},
            disks=[{"device": "/dev/sda1", "GiB": 100}],
            origin={"account": OTHER, "region": "eu-west-1", "instanceId": "i-0123456789abcdef0"},
            replicationConfiguration={"bandwidthThrottling": 50},
            launchConfiguration={"copyTags": True},
        )
    )
    drs = aws.drs()
    [server] = [
        each
        for each in drs.describe_source_servers()["items"]
        if each["sourceProperties"]["identificationHints"]["hostname"] == "web-02"
    ]
    properties = server["sourceProperties"]
    assert properties["cpus"][0]["cores"] == 16
    assert properties["ramBytes"] == 64 * 1024**3
    assert properties["networkInterfaces"][0]["ips"] == ["10.1.2.3"]
    assert properties["disks"] == [{"deviceName": "/dev/sda1", "bytes": 100 * 1024**3}]
    assert properties["identificationHints"]["awsInstanceID"] == "i-0123456789abcdef0"
    assert server["tags"] == {"Application": "shop"}
    assert server["sourceCloudProperties"]["originRegion"] == "eu-west-1"
    added = at(server["lifeCycle"]["addedToServiceDateTime"])
    assert aws.clock.now() - added == timedelta(days=10)
    server_id = server["sourceServerID"]
    replication = drs.get_replication_configuration(sourceServerID=server_id)
    assert replication["bandwidthThrottling"] == 50
    assert drs.get_launch_configuration(sourceServerID=server_id)["copyTags"] is True


def test_a_new_scenario_leaves_nothing_of_the_old(aws: InProcess) -> None:
    aws.load(healthy(4))
    aws.client("dynamodb").create_table(
        TableName="plans",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    aws.load(healthy(1))
    assert len(ids(aws.drs())) == 1
    assert aws.client("dynamodb").list_tables()["TableNames"] == []
