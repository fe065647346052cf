"""The demo's company has what the demo and its readers are told."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drportal.simulator import company
from tests.simulated_aws import InProcess
from tests.simulator.watching import job, launch, statuses

HEALTHY = ("storefront", "orders", "payments")


@pytest.fixture
def servers(aws: InProcess) -> list[dict[str, Any]]:
    return estate(aws)


def estate(aws: InProcess) -> list[dict[str, Any]]:
    aws.load(company.scenario())
    found = []
    for account in company.ACCOUNTS:
        for region in company.REGIONS:
            items = aws.drs(account, region).describe_source_servers()["items"]
            found += [item | {"account": account, "region": region} for item in items]
    return found


def state(server: dict[str, Any]) -> str:
    return str(server["dataReplicationInfo"]["dataReplicationState"])


def test_it_has_a_hub_three_targets_and_a_staging_account(servers: list[dict[str, Any]]) -> None:
    assert len(company.ACCOUNTS) == 5
    assert len(servers) >= 60
    places = {(each["account"], each["region"]) for each in servers}
    assert places == {
        (account, region) for account in company.ACCOUNTS for region in company.REGIONS
    } - {(company.STAGING, company.EAST)}


def test_it_has_every_kind_of_operating_system(servers: list[dict[str, Any]]) -> None:
    systems = {each["sourceProperties"]["os"]["fullString"] for each in servers}
    for name in (
        "Amazon Linux",
        "Ubuntu",
        "Red Hat Enterprise Linux",
        "Windows Server 2016",
        "Windows Server 2019",
        "Windows Server 2022",
    ):
        assert any(name in system for system in systems)


def test_its_servers_are_mostly_healthy_and_some_in_every_other_state(
    servers: list[dict[str, Any]],
) -> None:
    states = Counter(map(state, servers))
    assert states["CONTINUOUS"] > len(servers) * 0.7
    assert states.keys() == {
        "STOPPED",
        "INITIATING",
        "INITIAL_SYNC",
        "BACKLOG",
        "CREATING_SNAPSHOT",
        "CONTINUOUS",
        "PAUSED",
        "RESCAN",
        "STALLED",
        "DISCONNECTED",
    }
    for server in servers:
        if state(server) == "BACKLOG":
            assert server["dataReplicationInfo"]["lagDuration"] != "P0D"
        if state(server) == "STALLED":
            assert server["dataReplicationInfo"]["dataReplicationError"]["rawError"]


def test_every_server_is_tagged(servers: list[dict[str, Any]]) -> None:
    for server in servers:
        assert {"Application", "Environment", "Tier", "Owner", "Name"} <= server["tags"].keys()
        assert server["tags"]["Tier"] in {"database", "application", "web"}


def test_three_applications_are_all_healthy_and_one_spans_two_accounts(
    servers: list[dict[str, Any]],
) -> None:
    for application in HEALTHY:
        own = [each for each in servers if each["tags"]["Application"] == application]
        assert own
        assert {state(each) for each in own} == {"CONTINUOUS"}
    orders = {each["account"] for each in servers if each["tags"]["Application"] == "orders"}
    assert orders == {company.RETAIL, company.FINANCE}


def test_a_drill_of_the_healthy_applications_succeeds(
    aws: InProcess, servers: list[dict[str, Any]]
) -> None:
    started = {}
    for account in (company.RETAIL, company.FINANCE):
        wanted = [
            each["sourceServerID"]
            for each in servers
            if each["account"] == account and each["tags"]["Application"] in HEALTHY
        ]
        started[account] = launch(aws.drs(account), wanted)["jobID"]
    aws.clock.advance(timedelta(minutes=50))
    for account, job_id in started.items():
        ended = job(aws.drs(account), job_id)
        assert ended["status"] == "COMPLETED"
        assert set(statuses(ended).values()) == {"LAUNCHED"}


def test_extended_servers_are_recovered_from_the_staging_account(
    aws: InProcess, servers: list[dict[str, Any]]
) -> None:
    extended = [each for each in servers if each["stagingArea"]["status"] == "EXTENDED"]
    assert len(extended) == 6
    assert {each["account"] for each in extended} == {company.LOGISTICS}
    assert {each["stagingArea"]["stagingAccountID"] for each in extended} == {company.STAGING}
    drs = aws.drs(company.LOGISTICS, company.WEST)
    started = launch(drs, [each["sourceServerID"] for each in extended])
    aws.clock.advance(timedelta(minutes=15))
    assert set(statuses(job(drs, started["jobID"])).values()) == {"LAUNCHED"}


def test_every_other_region_is_uninitialized_or_not_enabled(aws: InProcess) -> None:
    aws.load(company.scenario())
    seen: Counter[str] = Counter()
    for account in company.ACCOUNTS:
        keys = None if account == company.HUB else aws.assume(account)
        for region in ("eu-west-1", "me-south-1", "af-south-1"):
            with pytest.raises(ClientError) as caught:
                aws.client("drs", region, keys).describe_jobs()
            seen[caught.value.response["Error"]["Code"]] += 1
    assert seen == {"UninitializedAccountException": 13, "UnrecognizedClientException": 2}


def ids_of_everything(aws: InProcess) -> list[Any]:
    found = [each["sourceServerID"] for each in estate(aws)]
    for account in (company.HUB, company.RETAIL):
        keys = None if account == company.HUB else aws.assume(account)
        ec2 = aws.client("ec2", keys=keys)
        found += [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]]
        found += [each["GroupId"] for each in ec2.describe_security_groups()["SecurityGroups"]]
        templates = ec2.describe_launch_templates()["LaunchTemplates"]
        found += [each["LaunchTemplateId"] for each in templates]
    return found


def test_every_id_is_the_same_at_every_start_but_a_job_s(aws: InProcess) -> None:
    first, second = (
        (ids_of_everything(aws), launch(aws.drs(region=company.WEST))["jobID"]) for _ in range(2)
    )
    assert first[0] == second[0]
    assert first[1] != second[1]
