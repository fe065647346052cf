"""The table of permissions, held against the gateway's code and botocore's models."""

import ast
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from drportal.aws.permissions import IN_STAGING, OPERATIONS, OPERATIONS_AT_HOME, needed
from tests.architecture.test_house_rules import ROOT, modules

GATEWAY = modules("drportal/aws")


@cache
def operations_of(service: str) -> dict[str, str]:
    """The operations of a service by the names by which code may call them."""
    names = botocore.session.get_session().get_service_model(service).operation_names
    return {xform_name(name): name for name in names} | {name: name for name in names}


def services_in(tree: ast.AST) -> set[str]:
    """The services for which a module makes clients."""
    return {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and _name(node.func) == "client"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }


def _name(function: ast.AST) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def called(source: str) -> set[tuple[frozenset[str], str]]:
    """The operations that a module calls, each with the services of which it could be."""
    tree = ast.parse(source)
    known = {service: operations_of(service) for service in services_in(tree)}
    found = set()
    for node in ast.walk(tree):
        word = ""
        if isinstance(node, ast.Call):
            word = _name(node.func)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            word = node.value
        services = frozenset(service for service, names in known.items() if word in names)
        if services:
            found.add((services, known[min(services)][word]))
    return found


def missing(source: str) -> set[str]:
    """The operations that a module calls and the table does not know."""
    return {
        f"{'/'.join(sorted(services))}:{operation}"
        for services, operation in called(source)
        if not any(
            operation in OPERATIONS.get(service, {})
            or operation in OPERATIONS_AT_HOME.get(service, ())
            for service in services
        )
    }


@pytest.mark.parametrize("path", GATEWAY, ids=lambda path: path.stem)
def test_every_operation_that_the_gateway_calls_has_its_permissions(path: Path):
    assert missing(path.read_text()) == set()


def test_the_search_finds_what_is_called():
    found = {operation for path in GATEWAY for _, operation in called(path.read_text())}
    assert found >= {
        "AssumeRole",
        "CreateVolume",
        "DescribeInstances",
        "DescribeJobLogItems",
        "GetCallerIdentity",
        "PutItem",
        "SimulatePrincipalPolicy",
        "StartRecovery",
    }


@pytest.mark.parametrize(
    "source",
    [
        'client("drs", Use.WRITE, scope).disconnect_source_server(sourceServerID=server)',
        'pages(client("drs", Use.READ, s), "describe_source_networks", scope=s)',
        'reader = client("ec2", Use.READ, s)\nwith translated("DescribeFleets", s): pass',
        'session(region=r).client("sts").get_session_token()',
    ],
)
def test_an_operation_that_the_table_lacks_is_found(source):
    assert len(missing(source)) == 1


def test_the_table_names_operations_that_exist():
    tables = [*OPERATIONS.items(), *OPERATIONS_AT_HOME.items(), *IN_STAGING.items()]
    for service, names in tables:
        assert set(names) <= set(operations_of(service)), service
    for service, staging in IN_STAGING.items():
        assert staging <= set(OPERATIONS[service])


def test_no_permission_is_a_pattern_of_actions():
    for permission in needed():
        service, _, action = permission.action.partition(":")
        assert service, permission
        assert action.isalnum(), permission


def test_what_the_table_asks_of_ec2_and_drs_exists():
    """Actions of EC2 are named after its operations; so are those of DRS, but for its own one."""
    for permission in needed():
        service, _, action = permission.action.partition(":")
        if service in {"ec2", "drs"} and action != "CreateRecoveryInstanceForDrs":
            assert action in operations_of(service), permission.action


def test_the_table_holds_what_data_management_calls():
    wanted = {
        "drs": {
            "CreateExtendedSourceServer",
            "DescribeRecoveryInstances",
            "GetLaunchConfiguration",
            "GetReplicationConfiguration",
            "ListExtensibleSourceServers",
            "ListStagingAccounts",
            "TagResource",
            "UntagResource",
            "UpdateLaunchConfiguration",
        },
        "ec2": {
            "CreateLaunchTemplateVersion",
            "DescribeInstanceTypeOfferings",
            "DescribeInstanceTypes",
            "DescribeLaunchTemplateVersions",
            "DescribeNetworkInterfaces",
            "DescribeSecurityGroups",
            "DescribeSubnets",
            "DescribeVpcs",
            "ModifyLaunchTemplate",
        },
        "iam": {"GetInstanceProfile", "ListInstanceProfiles"},
        "kms": {"DescribeKey"},
        "service-quotas": {"GetServiceQuota", "ListServiceQuotas"},
    }
    for service, names in wanted.items():
        assert names <= set(OPERATIONS[service])


def test_the_table_is_in_the_gateway():
    assert (ROOT / "drportal" / "aws" / "permissions.py") in GATEWAY
