"""Servers that come from EC2: instances in their origin accounts, as tests want them."""

from typing import Any

from drportal.aws.session import Use, client
from drportal.simulator.models import drs_backends
from drportal.simulator.resources import Origin
from protection.models import TargetAccount
from tests.worlds import EAST, NORTH, known


def ec2_of(account: str, region: str = EAST) -> Any:
    """A client of EC2 in an account, by the way that the portal has into it."""
    return client("ec2", Use.WRITE, TargetAccount.objects.get(account_id=account).scope(region))


def from_ec2(
    name: str, *, account: str, region: str = EAST, managed_in: str = NORTH, **tags: str
) -> str:
    """Let a server come from a new instance of `account`; returns the instance's id."""
    made = ec2_of(account, region).run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        InstanceType="m5.large",
        SecurityGroups=["default"],
        TagSpecifications=[{"ResourceType": "instance", "Tags": listed(tags)}] if tags else [],
    )
    instance_id: str = made["Instances"][0]["InstanceId"]
    comes_from(name, account, instance_id, region=region, managed_in=managed_in)
    return instance_id


def comes_from(
    name: str, account: str, instance_id: str, *, region: str = EAST, managed_in: str = NORTH
) -> None:
    """Let DRS say that a server comes from an instance, whether there is one or not."""
    found = known(name)
    server = drs_backends[managed_in][found.region].servers[found.server_id]
    server.origin = Origin(account, region, f"{region}a", instance_id)


def tag(account: str, instance_id: str, **tags: str) -> None:
    ec2_of(account).create_tags(Resources=[instance_id], Tags=listed(tags))


def untag(account: str, instance_id: str, *keys: str) -> None:
    ec2_of(account).delete_tags(Resources=[instance_id], Tags=[{"Key": key} for key in keys])


def listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def in_drs(name: str, account: str = NORTH) -> dict[str, str]:
    """The tags that DRS has."""
    found = known(name)
    backend = drs_backends[account][found.region]
    return dict(backend.tags[found.arn])
