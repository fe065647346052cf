"""The networks of one account and Region: subnets, security groups, and who holds an address."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable
from drportal.transactions import reaches_outside

MANAGED_TAG = "AWSElasticDisasterRecoveryManaged"
SERVER_TAG = "AWSElasticDisasterRecoverySourceServerID"


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet. `free_addresses` is EC2's own count; None where it did not say."""

    subnet_id: str
    vpc_id: str
    availability_zone: str
    cidr: str
    name: str
    free_addresses: int | None


@dataclass(frozen=True, slots=True)
class SecurityGroup:
    """A security group. `name` is its GroupName."""

    group_id: str
    vpc_id: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class AddressHolder:
    """A network interface that has a private address, and the instance that it belongs to.

    `tags` are those of the instance, else of the interface.
    """

    interface_id: str
    instance_id: str
    description: str
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.tags.get("Name", "") or self.description

    @property
    def is_of_drs(self) -> bool:
        return MANAGED_TAG in self.tags or SERVER_TAG in self.tags


class Network:
    """EC2's networks in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def subnets(self, subnet_ids: Sequence[str] = ()) -> list[Subnet]:
        """All subnets, or those of `subnet_ids` that exist, by their ids.

        Asked through a filter, because DescribeSubnets by id fails as a whole when a single id
        is unknown (EC2 API reference).
        """
        filters = [{"Name": "subnet-id", "Values": list(subnet_ids)}] if subnet_ids else []
        found = self._all("describe_subnets", "DescribeSubnets", "Subnets", filters)
        with readable("DescribeSubnets", self.scope):
            return sorted(map(_subnet, found), key=lambda subnet: subnet.subnet_id)

    @reaches_outside
    def security_groups(
        self, vpc_id: str = "", *, group_ids: Sequence[str] = ()
    ) -> list[SecurityGroup]:
        """The security groups of a VPC, or of all; only those of `group_ids`, if any are given."""
        wanted = {"vpc-id": [vpc_id] if vpc_id else [], "group-id": list(group_ids)}
        filters = [{"Name": name, "Values": values} for name, values in wanted.items() if values]
        found = self._all(
            "describe_security_groups", "DescribeSecurityGroups", "SecurityGroups", filters
        )
        with readable("DescribeSecurityGroups", self.scope):
            return sorted(map(_security_group, found), key=lambda group: group.group_id)

    @reaches_outside
    def addresses_in_use(self, subnet_id: str, ip: str) -> list[AddressHolder]:
        """Who has the private address `ip` in a subnet: nobody, or one interface."""
        filters = [
            {"Name": "subnet-id", "Values": [subnet_id]},
            {"Name": "addresses.private-ip-address", "Values": [ip]},
        ]
        found = self._all(
            "describe_network_interfaces",
            "DescribeNetworkInterfaces",
            "NetworkInterfaces",
            filters,
        )
        with readable("DescribeNetworkInterfaces", self.scope):
            return [self._holder(item) for item in found]

    def _holder(self, item: dict[str, Any]) -> AddressHolder:
        instance_id = item.get("Attachment", {}).get("InstanceId", "")
        tags = tag_pairs(item.get("TagSet", []))
        if instance_id:
            filters = [{"Name": "instance-id", "Values": [instance_id]}]
            for reservation in self._all(
                "describe_instances", "DescribeInstances", "Reservations", filters
            ):
                for instance in reservation.get("Instances", []):
                    tags = tag_pairs(instance.get("Tags", []))
        return AddressHolder(
            interface_id=item["NetworkInterfaceId"],
            instance_id=instance_id,
            description=item.get("Description", ""),
            tags=tags,
        )

    def _all(
        self, method: str, operation: str, member: str, filters: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        reader = client("ec2", Use.READ, self.scope)
        return list(
            listed(reader, method, member, operation=operation, scope=self.scope, Filters=filters)
        )


def _subnet(item: dict[str, Any]) -> Subnet:
    return Subnet(
        subnet_id=item["SubnetId"],
        vpc_id=item.get("VpcId", ""),
        availability_zone=item.get("AvailabilityZone", ""),
        cidr=item.get("CidrBlock", ""),
        name=tag_pairs(item.get("Tags", [])).get("Name", ""),
        free_addresses=item.get("AvailableIpAddressCount"),
    )


def _security_group(item: dict[str, Any]) -> SecurityGroup:
    return SecurityGroup(
        group_id=item["GroupId"],
        vpc_id=item.get("VpcId", ""),
        name=item.get("GroupName", ""),
        description=item.get("Description", ""),
    )


def tag_pairs(listed: list[dict[str, str]]) -> dict[str, str]:
    """EC2's list of keys and values as pairs."""
    return {tag["Key"]: tag.get("Value", "") for tag in listed}
