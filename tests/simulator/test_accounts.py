"""Accounts are apart, and roles open the way between them."""

import os
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from drportal.simulator import company
from drportal.simulator.accounts import Account, Registry, Role
from drportal.simulator.world import world
from tests.simulated_aws import InProcess, OverHTTP, healthy

ROLE = f"arn:aws:iam::{company.RETAIL}:role/{company.ROLE}"


def assume(aws: Any, **params: Any) -> str:
    """The error code of an AssumeRole, or "ok"."""
    try:
        aws.client("sts").assume_role(RoleSessionName="portal", **params)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


def test_a_role_opens_with_the_right_external_id_only(aws: InProcess) -> None:
    aws.load(company.scenario())
    right = company.external_id(company.RETAIL)
    assert assume(aws, RoleArn=ROLE, ExternalId=right) == "ok"
    assert assume(aws, RoleArn=ROLE) == "AccessDenied"
    assert assume(aws, RoleArn=ROLE, ExternalId="wrong") == "AccessDenied"
    unknown = ROLE.replace(company.ROLE, "NoSuchRole")
    assert assume(aws, RoleArn=unknown, ExternalId=right) == "AccessDenied"


def test_an_external_id_that_nobody_asked_for(aws: InProcess) -> None:
    aws.load(company.scenario())
    world.accounts.add_role(Role(ROLE, [company.HUB]))
    assert assume(aws, RoleArn=ROLE, ExternalId="unasked") == "AccessDenied"
    assert assume(aws, RoleArn=ROLE) == "ok"


def test_a_role_that_trusts_somebody_else(aws: InProcess) -> None:
    aws.load(company.scenario())
    world.accounts.add_role(Role(ROLE, [f"arn:aws:iam::{company.FINANCE}:root"]))
    assert assume(aws, RoleArn=ROLE) == "AccessDenied"


def test_the_same_over_http(aws_server: OverHTTP) -> None:
    right = company.external_id(company.RETAIL)
    assert assume(aws_server, RoleArn=ROLE, ExternalId=right) == "ok"
    assert assume(aws_server, RoleArn=ROLE, ExternalId="wrong") == "AccessDenied"
    aws_server.control.remove_role(ROLE)
    assert assume(aws_server, RoleArn=ROLE, ExternalId=right) == "AccessDenied"
    aws_server.control.add_role(ROLE, trust=[company.HUB], external_id=right)
    assert assume(aws_server, RoleArn=ROLE, ExternalId=right) == "ok"


def test_get_caller_identity_names_the_role_session(aws: InProcess) -> None:
    aws.load(company.scenario())
    identity = aws.client("sts", keys=aws.assume(company.FINANCE)).get_caller_identity()
    assert identity["Account"] == company.FINANCE
    assert identity["Arn"] == (f"arn:aws:sts::{company.FINANCE}:assumed-role/{company.ROLE}/portal")
    assert aws.client("sts").get_caller_identity()["Account"] == company.HUB


def test_each_account_and_region_has_its_own_servers(aws: InProcess) -> None:
    aws.load(company.scenario())
    seen: set[str] = set()
    for account in company.ACCOUNTS:
        for region in company.REGIONS:
            items = aws.drs(account, region).describe_source_servers()["items"]
            for item in items:
                assert item["arn"].startswith(f"arn:aws:drs:{region}:{account}:source-server/")
            found = {item["sourceServerID"] for item in items}
            assert not found & seen
            seen |= found
    assert len(seen) == 74


def test_a_session_ends(aws: InProcess) -> None:
    aws.load(company.scenario())
    keys = aws.assume(company.RETAIL)
    aws.client("drs", keys=keys).describe_jobs()
    aws.clock.advance(timedelta(hours=1))
    for service, expected in (("drs", "ExpiredTokenException"), ("ec2", "RequestExpired")):
        client = aws.client(service, keys=keys)
        call = client.describe_jobs if service == "drs" else client.describe_instances
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == expected


def test_a_session_lasts_as_long_as_was_asked(aws: InProcess) -> None:
    aws.load(company.scenario())
    keys = aws.client("sts").assume_role(
        RoleArn=ROLE,
        RoleSessionName="short",
        ExternalId=company.external_id(company.RETAIL),
        DurationSeconds=900,
    )["Credentials"]
    drs = aws.client("drs", keys=keys)
    aws.clock.advance(timedelta(seconds=899))
    drs.describe_jobs()
    aws.clock.advance(timedelta(seconds=1))
    with pytest.raises(ClientError, match="expired"):
        drs.describe_jobs()


def test_an_opt_in_region_that_is_not_enabled(aws: InProcess) -> None:
    aws.load(company.scenario())
    keys = aws.assume(company.RETAIL)
    with pytest.raises(ClientError) as caught:
        aws.client("drs", "me-south-1", keys).describe_jobs()
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"
    with pytest.raises(ClientError) as caught:
        aws.client("drs", "af-south-1", keys).describe_jobs()
    assert caught.value.response["Error"]["Code"] == "UninitializedAccountException"


def test_the_hub_may_be_another_account(aws: InProcess) -> None:
    hub = "555555555555"
    aws.load(healthy(2, account=hub))
    assert aws.client("sts").get_caller_identity()["Account"] == hub
    assert len(aws.client("drs").describe_source_servers()["items"]) == 2
    assert aws.client("ec2").describe_vpcs()["Vpcs"][0]["OwnerId"] == hub


def test_the_account_is_not_taken_from_the_environment(aws: InProcess) -> None:
    assert "MOTO_ACCOUNT_ID" not in os.environ


@pytest.mark.parametrize(
    ("trust", "principal", "expected"),
    [
        ("*", "arn:aws:iam::111111111111:user/ann", True),
        ("111111111111", "arn:aws:iam::111111111111:user/ann", True),
        ("arn:aws:iam::111111111111:root", "arn:aws:sts::111111111111:user/moto", True),
        ("arn:aws:iam::222222222222:root", "arn:aws:sts::111111111111:user/moto", False),
        (
            "arn:aws:iam::111111111111:role/Portal",
            "arn:aws:sts::111111111111:assumed-role/Portal/session",
            True,
        ),
        (
            "arn:aws:iam::111111111111:role/Portal",
            "arn:aws:sts::111111111111:assumed-role/Other/session",
            False,
        ),
        (
            "arn:aws:iam::111111111111:role/Portal",
            "arn:aws:sts::222222222222:assumed-role/Portal/session",
            False,
        ),
    ],
)
def test_whom_a_trust_policy_names(trust: str, principal: str, expected: bool) -> None:
    assert Role(ROLE, [trust]).trusts(principal) is expected


def test_names_that_are_none() -> None:
    with pytest.raises(ValueError, match="not the ARN of a role"):
        Role("arn:aws:iam::123:user/ann", ["*"])
    with pytest.raises(ValueError, match="twelve digits"):
        Account("42", "short")
    assert Registry().opted_in("111111111111", "af-south-1")
