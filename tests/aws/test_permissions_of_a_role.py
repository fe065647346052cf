"""What IAM is asked about a role, and what its answers mean."""

from typing import Any

import pytest

from drportal.aws.errors import AwsError, Failure
from drportal.aws.iam import Iam, Lacking
from drportal.aws.permissions import Permission, Tagged, needed
from drportal.aws.roles import forget_sessions, own_account
from drportal.aws.sts import entered, hub_account
from drportal.simulator.accounts import Role
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.policies import allows, may_call
from tests.world_fixtures import aws as simulated
from tests.worlds import EAST, EXTERNAL_ID, HUB, NORTH, role, world_of

__all__ = ["simulated"]

TAG = "aws:ResourceTag/AWSElasticDisasterRecoveryManaged"


@pytest.fixture
def scope(simulated):
    from drportal.aws.scope import Account, Scope

    world_of([])
    return Scope(Account(NORTH, role(NORTH), EXTERNAL_ID), EAST)


def give(world: Any, *statements: dict[str, Any]) -> None:
    simulate = {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [simulate, *statements]}
    world.accounts.add_role(Role(role(NORTH), [HUB], EXTERNAL_ID, policy))


def asked(world: Any) -> list[dict[str, str]]:
    return [call.params for call in world.calls.matching(operation="SimulatePrincipalPolicy")]


def test_a_role_without_limits_lacks_nothing(scope):
    assert Iam(scope, role(NORTH)).lacking(needed()) == []


def test_an_action_is_simulated_as_it_is_called(scope, simulated):
    terminating = Permission(
        "ec2:TerminateInstances",
        "arn:{partition}:ec2:*:{account}:instance/*",
        via_aws=True,
        tagged=Tagged.RESOURCE,
    )
    give(
        simulated,
        {
            "Effect": "Allow",
            "Action": "ec2:TerminateInstances",
            "Resource": f"arn:aws:ec2:*:{NORTH}:instance/*",
            "Condition": {"Bool": {"aws:ViaAWSService": "true"}, "Null": {TAG: "false"}},
        },
    )
    assert Iam(scope, role(NORTH)).lacking([terminating]) == []
    (params,) = asked(simulated)
    assert params["PolicySourceArn"] == role(NORTH)
    assert params["ResourceArns.member.1"].startswith(f"arn:aws:ec2:{EAST}:{NORTH}:instance/")
    directly = Permission(terminating.action, terminating.resource)
    assert Iam(scope, role(NORTH)).lacking([directly]) == [Lacking(directly.action, False)]


def test_a_permission_for_another_region_is_none_for_this_one(scope, simulated):
    give(
        simulated,
        {
            "Effect": "Allow",
            "Action": "drs:StartRecovery",
            "Resource": f"arn:aws:drs:eu-west-1:{NORTH}:source-server/*",
        },
    )
    starting = Permission("drs:StartRecovery", "arn:{partition}:drs:*:{account}:source-server/*")
    assert Iam(scope, role(NORTH)).lacking([starting]) == [Lacking("drs:StartRecovery", False)]


def test_what_the_organization_denies_is_told_apart(scope, simulated):
    simulated.accounts.accounts[NORTH].forbidden = {"ec2:Run*"}
    found = Iam(scope, role(NORTH)).lacking(needed())
    assert found == [Lacking("ec2:RunInstances", by_organization=True)]


def test_few_calls_tell_of_all_permissions(scope, simulated):
    Iam(scope, role(NORTH)).lacking(needed())
    calls = asked(simulated)
    assert len(calls) < len(needed()) / 2, "one call for all that are called alike"
    named = {call[key] for call in calls for key in call if key.startswith("ActionNames")}
    assert named == {permission.action for permission in needed()}


def test_an_action_that_iam_passes_over_is_not_allowed(scope, monkeypatch):
    monkeypatch.setattr("drportal.aws.iam.pages", lambda *_, **__: iter([{}]))
    with pytest.raises(AwsError) as failed:
        Iam(scope, role(NORTH)).lacking(needed())
    assert failed.value.failure is Failure.OTHER


def test_an_account_is_entered_anew_whatever_session_is_good(scope, simulated):
    forget_sessions()
    assert entered(scope).principal == role(NORTH)
    assert entered(scope).account_id == NORTH
    assert len(simulated.calls.matching(operation="AssumeRole")) == 2
    simulated.accounts.remove_role(role(NORTH))
    with pytest.raises(AwsError) as failed:
        entered(scope)
    assert failed.value.failure is Failure.ACCESS_DENIED


def test_the_portals_own_account_is_asked_for_once(scope, simulated):
    forget_sessions()
    assert (hub_account(), own_account(EAST)) == (HUB, HUB)
    assert len(simulated.calls.matching(operation="GetCallerIdentity")) == 1
    forget_sessions()
    simulated.faults.add(Fault(Kind.THROTTLE, operation="GetCallerIdentity"))
    with pytest.raises(AwsError):
        hub_account()
    assert len(simulated.calls.matching(operation="GetCallerIdentity")) == 2


@pytest.mark.parametrize(
    ("statement", "action", "resource", "context", "allowed"),
    [
        ({}, "drs:StartRecovery", "arn:x", {}, True),
        ({}, "drs:StopReplication", "arn:x", {}, False),
        ({"Action": ["drs:s*"]}, "drs:StopReplication", "arn:x", {}, True),
        ({"Resource": "arn:y"}, "drs:StartRecovery", "arn:x", {}, False),
        ({"Effect": "Deny"}, "drs:StartRecovery", "arn:x", {}, False),
        ({"Condition": {"Null": {"k": "false"}}}, "drs:StartRecovery", "arn:x", {}, False),
        ({"Condition": {"Null": {"k": "false"}}}, "drs:StartRecovery", "arn:x", {"k": "v"}, True),
        ({"Condition": {"Null": {"k": "true"}}}, "drs:StartRecovery", "arn:x", {"k": "v"}, False),
        (
            {"Condition": {"StringEquals": {"k": ["v", "w"]}}},
            "drs:StartRecovery",
            "arn:x",
            {"k": "w"},
            True,
        ),
        ({"Condition": {"StringEquals": {"k": "v"}}}, "drs:StartRecovery", "arn:x", {}, False),
    ],
)
def test_how_the_simulated_iam_judges(statement, action, resource, context, allowed):
    usual = {"Effect": "Allow", "Action": "drs:StartRecovery", "Resource": "*"}
    policy = {"Statement": [usual | statement]}
    assert allows(policy, action, resource=resource, context=context) is allowed


def test_a_deny_goes_before_an_allow_and_an_unknown_condition_is_an_error():
    every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = {"Statement": [every, {**every, "Effect": "Deny", "Action": "drs:*"}]}
    assert not allows(policy, "drs:StartRecovery", resource="*", context={})
    assert may_call({"Statement": [every]}, "ec2:RunInstances")
    odd = {"Statement": [{**every, "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}]}
    with pytest.raises(ValueError, match="IpAddress"):
        allows(odd, "drs:StartRecovery", resource="*", context={})


def test_a_role_may_call_what_its_policy_names_and_nothing_else(scope, simulated):
    from drportal.aws.drs import Drs

    give(simulated, {"Effect": "Allow", "Action": "drs:DescribeJobs", "Resource": "*"})
    with pytest.raises(AwsError) as refused:
        list(Drs(scope).source_servers())
    assert refused.value.failure is Failure.ACCESS_DENIED
    simulated.accounts.accounts[NORTH].forbidden = {"drs:*"}
    with pytest.raises(AwsError) as refused:
        list(Drs(scope).source_servers())
    assert refused.value.failure is Failure.SCP_DENIED
