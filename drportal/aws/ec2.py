"""EC2 in one account and Region."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable
from drportal.transactions import reaches_outside

_BATCH = 100


@dataclass(frozen=True, slots=True)
class Instance:
    """An EC2 instance, as far as an operator wants to know it."""

    instance_id: str
    state: str
    instance_type: str
    private_ip: str
    public_ip: str
    subnet_id: str
    vpc_id: str
    availability_zone: str
    launched_at: datetime | None
    security_group_ids: tuple[str, ...] = ()
    instance_profile: str = ""  # its ARN
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """What EC2's own checks say of an instance: ok, initializing, impaired, insufficient-data or
    not-applicable, of the system that it runs on and of itself.
    """

    state: str
    system: str
    instance: str

    @property
    def ok(self) -> bool:
        return (self.state, self.system, self.instance) == ("running", "ok", "ok")


class Ec2:
    """EC2 in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def instances(self, instance_ids: Sequence[str]) -> dict[str, Instance]:
        """Those of `instance_ids` that exist, by id; one that is gone is left out.

        Asked through a filter, because DescribeInstances by id fails as a whole when a single
        id is unknown (EC2 API reference).
        """
        reader = client("ec2", Use.READ, self.scope)
        found: dict[str, Instance] = {}
        for start in range(0, len(instance_ids), _BATCH):
            wanted = list(instance_ids[start : start + _BATCH])
            reservations = listed(
                reader,
                "describe_instances",
                "Reservations",
                operation="DescribeInstances",
                scope=self.scope,
                Filters=[{"Name": "instance-id", "Values": wanted}],
            )
            with readable("DescribeInstances", self.scope):
                for reservation in reservations:
                    found |= {
                        item["InstanceId"]: _instance(item) for item in reservation["Instances"]
                    }
        return found

    @reaches_outside
    def statuses(self, instance_ids: Sequence[str]) -> dict[str, InstanceStatus]:
        """The status checks of those of `instance_ids` that exist, by id.

        With those that do not run, which EC2 leaves out otherwise; and by a filter, because
        DescribeInstanceStatus fails as a whole for one unknown id (EC2 API reference).
        """
        reader = client("ec2", Use.READ, self.scope)
        found: dict[str, InstanceStatus] = {}
        for start in range(0, len(instance_ids), _BATCH):
            wanted = set(instance_ids[start : start + _BATCH])
            told = listed(
                reader,
                "describe_instance_status",
                "InstanceStatuses",
                operation="DescribeInstanceStatus",
                scope=self.scope,
                IncludeAllInstances=True,
                Filters=[{"Name": "instance-id", "Values": sorted(wanted)}],
            )
            with readable("DescribeInstanceStatus", self.scope):
                found |= {
                    item["InstanceId"]: InstanceStatus(
                        state=item["InstanceState"]["Name"],
                        system=item["SystemStatus"]["Status"],
                        instance=item["InstanceStatus"]["Status"],
                    )
                    for item in told
                    if item["InstanceId"] in wanted
                }
        return found


def _instance(item: dict[str, Any]) -> Instance:
    return Instance(
        instance_id=item["InstanceId"],
        state=item.get("State", {}).get("Name", ""),
        instance_type=item.get("InstanceType", ""),
        private_ip=item.get("PrivateIpAddress", ""),
        public_ip=item.get("PublicIpAddress", ""),
        subnet_id=item.get("SubnetId", ""),
        vpc_id=item.get("VpcId", ""),
        availability_zone=item.get("Placement", {}).get("AvailabilityZone", ""),
        launched_at=item.get("LaunchTime"),
        security_group_ids=tuple(
            sorted(group["GroupId"] for group in item.get("SecurityGroups", []))
        ),
        instance_profile=item.get("IamInstanceProfile", {}).get("Arn", ""),
        tags={tag["Key"]: tag.get("Value", "") for tag in item.get("Tags", [])},
    )
