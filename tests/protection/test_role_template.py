"""The template of the role: valid, least privilege, and enough for all that is called."""

import ast
import json
from typing import Any

import boto3
import pytest
from moto import mock_aws

from drportal.aws.permissions import IN_STAGING, MANAGED, OPERATIONS, Permission, Tagged, needed
from drportal.simulator.policies import allows, may_call
from protection.rules.role_template import RoleSpec, as_text, template
from tests.worlds import EAST, HUB, NORTH, role

SPEC = RoleSpec(role(NORTH), HUB, "the-external-id")
EVERYTHING = needed()
MOST_CHARACTERS = 10_240  # of all inline policies of a role, without white space (IAM quotas)


def made(spec: RoleSpec = SPEC) -> dict[str, Any]:
    document = json.loads(as_text(template(spec, EVERYTHING)))
    assert isinstance(document, dict)
    return document


def the_role(spec: RoleSpec = SPEC) -> dict[str, Any]:
    (resource,) = made(spec)["Resources"].values()
    assert resource["Type"] == "AWS::IAM::Role"
    found: dict[str, Any] = resource["Properties"]
    return found


def policy(spec: RoleSpec = SPEC) -> dict[str, Any]:
    """The policy as CloudFormation makes it when no instance roles are given."""
    (inline,) = the_role(spec)["Policies"]
    document: dict[str, Any] = inline["PolicyDocument"]
    statements = [each for each in document["Statement"] if "Fn::If" not in each]
    assert len(statements) == len(document["Statement"]) - 1
    return {**document, "Statement": statements}


def sample(permission: Permission) -> str:
    """A resource as the operation is called with."""
    arn = permission.resource.format(partition="aws", account=NORTH, role=role(NORTH))
    return arn.replace(":*:*:", f":{EAST}:{NORTH}:").replace(":*:", f":{EAST}:").replace("/*", "/x")


def context(permission: Permission) -> dict[str, str]:
    """The conditions under which it is called."""
    found = {"aws:ViaAWSService": "true" if permission.via_aws else "false"}
    if permission.tagged is not Tagged.NOWHERE:
        found[f"{permission.tagged}/{MANAGED}"] = "drs.amazonaws.com"
    return found | {key: values[0] for key, values in permission.equals}


def asked(document: dict[str, Any], permission: Permission, **other: Any) -> bool:
    given: dict[str, Any] = {"resource": sample(permission), "context": context(permission)}
    return allows(document, permission.action, **given | other)


@pytest.mark.parametrize("permission", EVERYTHING, ids=str)
def test_every_permission_is_given_and_not_wider_than_it_is_needed(permission):
    document = policy()
    assert asked(document, permission)
    if permission.resource != "*":
        assert not asked(document, permission, resource="arn:aws:s3:::a-bucket")
    if permission.via_aws:
        directly = context(permission) | {"aws:ViaAWSService": "false"}
        assert not asked(document, permission, context=directly)


@pytest.mark.parametrize(
    ("service", "operation"),
    [(service, name) for service in OPERATIONS for name in OPERATIONS[service]],
)
def test_every_operation_of_the_gateway_is_covered(service, operation):
    document = policy()
    for permission in OPERATIONS[service][operation]:
        assert asked(document, permission), permission


def test_a_launch_through_drs_is_allowed_and_the_same_by_hand_is_not():
    document = policy()
    instance = f"arn:aws:ec2:{EAST}:{NORTH}:instance/i-1"
    tagged = {f"aws:RequestTag/{MANAGED}": "drs.amazonaws.com"}
    through = {"aws:ViaAWSService": "true", **tagged}
    assert allows(document, "ec2:RunInstances", resource=instance, context=through)
    by_hand = {"aws:ViaAWSService": "false", **tagged}
    assert not allows(document, "ec2:RunInstances", resource=instance, context=by_hand)
    assert not may_call(document, "ec2:TerminateInstances")


def test_no_action_is_a_pattern_and_nothing_beside_the_table_is_given():
    actions = {action for each in policy()["Statement"] for action in each["Action"]}
    assert actions == {permission.action for permission in EVERYTHING}
    assert not [action for action in actions if "*" in action]
    assert not allows(policy(), "iam:CreateUser", resource="*", context={})


def test_only_what_the_service_knows_no_narrower_is_given_on_everything():
    everywhere = {
        action
        for each in policy()["Statement"]
        if each["Resource"] == "*"
        for action in each["Action"]
    }
    changing = {
        action
        for action in everywhere
        if not action.split(":")[1].startswith(("Describe", "List", "Get"))
    }
    assert changing == set()


def test_other_accounts_resources_are_out_of_reach():
    document = policy()
    other = "arn:aws:drs:us-east-1:999999999999:source-server/s-1"
    for action in ("drs:StartRecovery", "drs:UpdateLaunchConfiguration", "drs:TagResource"):
        assert not allows(document, action, resource=other, context={})


def test_it_trusts_the_hub_alone_and_asks_for_the_external_id():
    (statement,) = the_role()["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{HUB}:root"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "the-external-id"}}


@pytest.mark.parametrize(
    ("arn", "name", "path", "partition"),
    [
        (role(NORTH), "DRSOrchestrationRole", "/", "aws"),
        (f"arn:aws-us-gov:iam::{NORTH}:role/dr/a/Portal", "Portal", "/dr/a/", "aws-us-gov"),
    ],
)
def test_it_makes_the_role_that_is_registered(arn, name, path, partition):
    spec = RoleSpec(arn, HUB, "the-external-id")
    properties = the_role(spec)
    assert (properties["RoleName"], properties["Path"]) == (name, path)
    assert f"arn:{partition}:drs:*:{NORTH}:source-server/*" in json.dumps(policy(spec))
    (statement,) = properties["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"]["AWS"].startswith(f"arn:{partition}:iam::{HUB}")


def test_it_is_a_template_that_cloudformation_takes():
    document = made()
    assert document["AWSTemplateFormatVersion"] == "2010-09-09"
    known = {"Description", "Parameters", "Conditions", "Resources", "Outputs"}
    assert set(document) == {"AWSTemplateFormatVersion", *known}
    assert len(document["Description"]) <= 1024
    text = json.dumps(document)
    assert len(text) <= 51_200
    named = {*document["Parameters"], *document["Resources"], "AWS::NoValue"}
    assert _refs(document) <= named
    assert document["Outputs"]["RoleArn"]["Value"] == {"Fn::GetAtt": ["Role", "Arn"]}
    (inline,) = the_role()["Policies"]
    size = len("".join(json.dumps(inline["PolicyDocument"]).split()))
    assert size <= MOST_CHARACTERS, size


OWN_ROLES = f"arn:aws:iam::{NORTH}:role/App,arn:aws:iam::{NORTH}:role/Db"


@pytest.mark.parametrize("own", ["", OWN_ROLES])
def test_a_stack_of_it_makes_the_role(monkeypatch, own):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "simulated")
    with mock_aws():
        given = [{"ParameterKey": "InstanceRoles", "ParameterValue": own}]
        boto3.client("cloudformation", EAST).create_stack(
            StackName="portal",
            TemplateBody=as_text(template(SPEC, EVERYTHING)),
            Parameters=given,
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        iam: Any = boto3.client("iam", EAST)
        role_made = iam.get_role(RoleName="DRSOrchestrationRole")["Role"]
        inline = iam.get_role_policy(RoleName="DRSOrchestrationRole", PolicyName="DRPortal")
    trust = role_made["AssumeRolePolicyDocument"]["Statement"]
    assert trust == the_role()["AssumeRolePolicyDocument"]["Statement"]
    # moto keeps the policy as Python spells it, and None for AWS::NoValue.
    document = ast.literal_eval(inline["PolicyDocument"])
    made_of = [statement for statement in document["Statement"] if statement is not None]
    assert len(made_of) == len(policy()["Statement"]) + (1 if own else 0)


def test_own_instance_roles_are_passed_only_when_they_are_named():
    (inline,) = the_role()["Policies"]
    *_, last = inline["PolicyDocument"]["Statement"]
    condition, given, otherwise = last["Fn::If"]
    assert condition in made()["Conditions"]
    assert given["Action"] == ["iam:PassRole"]
    assert given["Resource"] == {"Ref": "InstanceRoles"}
    assert given["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_a_staging_accounts_role_may_only_look():
    actions = {permission.action for permission in needed(IN_STAGING)}
    assert "drs:DescribeSourceServers" in actions
    assert all(
        action.split(":")[1].startswith(("Describe", "Get", "List", "Simulate"))
        for action in actions
    )


def _refs(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["Ref"]} if "Ref" in value else set()
        return own.union(*(_refs(held) for held in value.values()))
    return set().union(*(_refs(held) for held in value)) if isinstance(value, list) else set()
