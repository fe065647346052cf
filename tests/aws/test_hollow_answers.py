"""Answers of EC2, IAM, DynamoDB and KMS that lack what they must have: no list is no empty list."""

from collections.abc import Callable

import pytest

from drportal.aws.dynamodb import DynamoTables, Table
from drportal.aws.ec2 import Ec2
from drportal.aws.errors import AwsError
from drportal.aws.instance_profiles import InstanceProfiles
from drportal.aws.instance_types import InstanceTypes
from drportal.aws.kms import key_of
from drportal.aws.launch_targets import LaunchTargets
from drportal.aws.launch_templates import LaunchTemplates
from drportal.aws.network import Network
from drportal.aws.quotas import drs_quotas
from drportal.aws.scope import Account, Scope
from tests.aws.loopback import Reply
from tests.worlds import EAST, HUB

NOTHING_IN_IT = {"ec2": "<Response/>", "iam": "<R><SomeResult/></R>", "json": {}}


@pytest.mark.parametrize("protocol", NOTHING_IN_IT)
def test_an_answer_without_its_list_is_a_failure_and_not_an_empty_list(loopback, protocol) -> None:
    loopback.says("/", Reply(body=NOTHING_IN_IT[protocol]))
    for operation, ask in _listings(protocol).items():
        with pytest.raises(AwsError, match="cannot be read") as raised:
            ask()
        assert raised.value.context["operation"] == operation


def _listings(protocol: str) -> dict[str, Callable[[], object]]:
    scope = Scope(Account(HUB), EAST)
    network, types = Network(scope), InstanceTypes(scope)
    tables, table = DynamoTables(scope), Table("a-table", key="id")
    listings: dict[str, dict[str, Callable[[], object]]] = {
        "ec2": {
            "DescribeInstances": lambda: Ec2(scope).instances(["i-0123456789abcdef0"]),
            "DescribeSubnets": network.subnets,
            "DescribeSecurityGroups": network.security_groups,
            "DescribeNetworkInterfaces": lambda: network.addresses_in_use("subnet-1", "10.0.0.1"),
            "DescribeInstanceTypes": types.all,
            "DescribeInstanceTypeOfferings": lambda: types.is_offered("m5.large"),
            "DescribeLaunchTemplateVersions": lambda: LaunchTemplates(scope).default("lt-1"),
        },
        "iam": {
            "ListInstanceProfiles": InstanceProfiles(scope).all,
            "GetInstanceProfile": lambda: InstanceProfiles(scope).named("role"),
        },
        "json": {
            "Scan": lambda: list(tables.items(table)),
            "BatchWriteItem": lambda: tables.write_batch(table, [{"id": "1"}], []),
            "DescribeKey": lambda: key_of(scope, "a-key"),
        },
    }
    return listings[protocol]


def test_an_instance_that_is_to_be_launched_into_is_not_gone_for_want_of_an_answer(loopback):
    loopback.says("/", Reply(body=NOTHING_IN_IT["ec2"]))
    with pytest.raises(AwsError, match="cannot be read"):
        LaunchTargets(Scope(Account(HUB), EAST)).named("i-0123456789abcdef0")


def test_quotas_without_an_answer_say_that_they_are_only_documented(loopback) -> None:
    loopback.says("/", Reply(body=NOTHING_IN_IT["json"]))
    found = drs_quotas(Scope(Account(HUB), EAST))
    assert not found.replicating_servers.told
    assert "cannot be read" in found.problem
