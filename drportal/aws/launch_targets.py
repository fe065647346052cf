"""Prepared instances that DRS may launch a server into."""

from dataclasses import dataclass, field

from drportal.aws.network import tag_pairs
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class LaunchTarget:
    """An EC2 instance, as far as it matters to launching into it. EC2's own words."""

    instance_id: str
    state: str
    architecture: str
    root_device_type: str
    tags: dict[str, str] = field(default_factory=dict)


class LaunchTargets:
    """EC2 instances in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def named(self, instance_id: str) -> LaunchTarget | None:
        """The instance of this id, or None if EC2 knows none."""
        operation = "DescribeInstances"
        found = listed(
            client("ec2", Use.READ, self.scope),
            "describe_instances",
            "Reservations",
            operation=operation,
            scope=self.scope,
            Filters=[{"Name": "instance-id", "Values": [instance_id]}],
        )
        with readable(operation, self.scope):
            for reservation in found:
                for item in reservation["Instances"]:
                    return LaunchTarget(
                        instance_id=item["InstanceId"],
                        state=item.get("State", {}).get("Name", ""),
                        architecture=item.get("Architecture", ""),
                        root_device_type=item.get("RootDeviceType", ""),
                        tags=tag_pairs(item.get("Tags", [])),
                    )
        return None
