"""Every paginator of the model that the simulator serves, at every size that may go wrong."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from moto import mock_aws

from drportal.simulator.accounts import Role
from drportal.simulator.operations import HANDLERS
from drportal.simulator.registration import register
from drportal.simulator.world import world
from tests.simulator.fidelity.acts_settings import ACTION, PIT_POLICY
from tests.simulator.fidelity.estate import add, backend_of, build, server_id
from tests.simulator.fidelity.model_facts import SERVICE
from tests.simulator.fidelity.player import HOME, HUB, STAGING, TARGET, Player, client

PAGED = sorted(SERVICE["pagination"].keys() & HANDLERS.keys())
CAPS = {
    "ListStagingAccounts": 50,
    "ListExtensibleSourceServers": 300,
    "DescribeLaunchConfigurationTemplates": 1000,
    "ListLaunchActions": 1000,
}
IDENTITY = {
    "DescribeJobLogItems": ("logDateTime", "event", "eventData"),
    "DescribeJobs": ("jobID",),
    "DescribeLaunchConfigurationTemplates": ("launchConfigurationTemplateID",),
    "DescribeRecoveryInstances": ("recoveryInstanceID",),
    "DescribeRecoverySnapshots": ("snapshotID",),
    "DescribeReplicationConfigurationTemplates": ("replicationConfigurationTemplateID",),
    "DescribeSourceServers": ("sourceServerID",),
    "ListExtensibleSourceServers": ("arn",),
    "ListLaunchActions": ("actionId",),
    "ListStagingAccounts": ("accountID",),
}
MORE_STAGING = ("444444444444", "555555555555")


@pytest.fixture(scope="module")
def params(keys) -> Iterator[dict[str, dict[str, Any]]]:
    """An estate with several of everything; what each operation needs to list them."""
    register()
    with mock_aws():
        clock = build()
        backend_of().initialized = True
        player = Player(client)
        jobs = []
        for name in ("web-1", "web-2", "db-1", "db-2"):
            job = player.call("StartRecovery", sourceServers=[{"sourceServerID": server_id(name)}])
            jobs.append(job["job"]["jobID"])
        clock.advance(timedelta(hours=1))
        fill_settings(player)
        fill_staging(player)
        yield {
            "DescribeJobLogItems": {"jobID": jobs[0]},
            "DescribeRecoverySnapshots": {"sourceServerID": server_id("web-1"), "order": "DESC"},
            "ListExtensibleSourceServers": {"stagingAccountID": STAGING},
            "ListLaunchActions": {"resourceId": server_id("web-1")},
        }
        world.reset()


def fill_settings(player: Player) -> None:
    world.settings.quotas.launch_configuration_templates = 3
    for number in range(3):
        player.call("CreateLaunchConfigurationTemplate")
        player.call(
            "CreateReplicationConfigurationTemplate",
            stagingAreaSubnetId="subnet-01234567",
            replicationServersSecurityGroupsIDs=[],
            ebsEncryption="DEFAULT",
            bandwidthThrottling=0,
            stagingAreaTags={},
            pitPolicy=PIT_POLICY,
        )
        player.call(
            "PutLaunchAction",
            resourceId=server_id("web-1"),
            actionCode="AWS-RunShellScript",
            order=10 - number,
            actionId=ACTION[:-1] + str(number),
            optional=True,
            active=True,
            name="check",
            actionVersion="1",
            category="OTHER",
            description="",
        )


def fill_staging(player: Player) -> None:
    for account in (STAGING, *MORE_STAGING):
        role = f"arn:aws:iam::{account}:role/service-role/DRSStagingAccountRole_{TARGET}"
        world.accounts.add_role(Role(role, ["drs.amazonaws.com"]))
        backend_of(account).initialized = True
        extended = add("extended", account=account)
        # With the default key, DRS would not extend it.
        backend_of(account).replication_configurations[extended]["ebsEncryption"] = "NONE"
        arn = backend_of(account).servers[extended].arn
        player.call("CreateExtendedSourceServer", account=TARGET, sourceServerArn=arn)


def place_of(operation: str) -> str:
    """Where there are several: the staging operations are asked by the target account."""
    return TARGET if "Staging" in operation or "Extensible" in operation else HUB


def listed(operation: str, params: dict[str, Any], **paging: Any) -> tuple[list[Any], str | None]:
    answer = getattr(client(place_of(operation), HOME), xform_name(operation))(
        **params.get(operation, {}), **paging
    )
    result_key = SERVICE["pagination"][operation]["result_key"]
    items = [tuple(str(item[name]) for name in IDENTITY[operation]) for item in answer[result_key]]
    return items, answer.get("nextToken")


def pages(operation: str, params: dict[str, Any], size: int) -> list[list[Any]]:
    made: list[list[Any]] = []
    token: str | None = None
    while True:
        more: dict[str, Any] = {"nextToken": token} if token else {}
        items, token = listed(operation, params, maxResults=size, **more)
        made.append(items)
        if token is None:
            return made


def test_every_paginator_of_the_model_is_covered():
    assert sorted(IDENTITY) == PAGED


@pytest.mark.parametrize("operation", PAGED)
def test_pages_of_every_size_make_the_whole_list(params, operation):
    everything, token = listed(operation, params)
    count = len(everything)
    assert token is None
    assert count >= 3
    assert len(set(everything)) == count

    for size in (1, 2, count, count + 1):
        if size > CAPS.get(operation, size):
            continue
        made = pages(operation, params, size)
        assert [item for shown in made for item in shown] == everything
        assert [len(shown) for shown in made[:-1]] == [size] * (len(made) - 1)
        assert len(made) == -(-count // size)


@pytest.mark.parametrize("operation", PAGED)
def test_botocores_paginator_reads_it_all(params, operation):
    everything, _ = listed(operation, params)
    result_key = SERVICE["pagination"][operation]["result_key"]

    result = (
        client(place_of(operation), HOME)
        .get_paginator(xform_name(operation))
        .paginate(**params.get(operation, {}), PaginationConfig={"PageSize": 2})
        .build_full_result()
    )

    assert len(result[result_key]) == len(everything)
    assert "NextToken" not in result


@pytest.mark.parametrize("operation", PAGED)
@pytest.mark.parametrize("token", ["nonsense", "AAAA", "¡no!", "other"])
def test_a_token_of_nothing_is_refused(params, operation, token):
    if token == "other":
        donor = "DescribeJobs" if operation != "DescribeJobs" else "DescribeSourceServers"
        token = listed(donor, params, maxResults=1)[1] or ""

    with pytest.raises(ClientError) as caught:
        listed(operation, params, nextToken=token)

    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


@pytest.mark.parametrize("operation", CAPS)
def test_a_page_is_no_larger_than_the_model_allows(params, operation):
    everything, _ = listed(operation, params, maxResults=CAPS[operation])
    assert everything

    with pytest.raises(ClientError, match="at most") as caught:
        listed(operation, params, maxResults=CAPS[operation] + 1)
    assert caught.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize("operation", CAPS)
def test_without_a_size_a_page_keeps_to_the_cap(params, operation, monkeypatch):
    shown = []

    def noted(items, **paging):
        shown.append(paging["default"])
        return list(items), None

    module = HANDLERS[operation].__module__
    monkeypatch.setattr(f"{module}.page", noted)
    listed(operation, params)

    assert shown
    assert shown[0] <= CAPS[operation]


def test_jobs_are_listed_newest_first(params):
    jobs = client(HUB, HOME).describe_jobs()["items"]

    made = [job["creationDateTime"] for job in jobs]
    assert made == sorted(made, reverse=True)


def test_a_page_survives_that_its_last_item_is_gone(player):
    first = player.call("DescribeSourceServers", maxResults=3)
    last = first["items"][-1]["sourceServerID"]
    player.call("DisconnectSourceServer", sourceServerID=last)
    player.call("DeleteSourceServer", sourceServerID=last)

    rest = player.call("DescribeSourceServers", nextToken=first["nextToken"])["items"]
    everything = player.call("DescribeSourceServers")["items"]

    shown = [each["sourceServerID"] for each in first["items"][:-1] + rest]
    assert shown == [each["sourceServerID"] for each in everything]
