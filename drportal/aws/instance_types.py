"""Instance types, and where each can be had."""

from dataclasses import dataclass
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, pages
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class InstanceType:
    """An instance type by AWS's own name, such as `m7i-flex.large` or `c7a.metal-48xl`."""

    name: str
    vcpus: int | None
    memory_mib: int | None
    architectures: tuple[str, ...]
    bare_metal: bool


class InstanceTypes:
    """Instance types in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def all(self) -> list[InstanceType]:
        """Every type of the Region, bare metal too, by name. About ten pages."""
        return sorted(
            (_instance_type(item) for item in self._items("describe_instance_types")),
            key=lambda found: found.name,
        )

    @reaches_outside
    def offered(self, zone: str = "") -> frozenset[str]:
        """The names of the types that the Region, or one of its zones, offers."""
        where: dict[str, Any] = {"LocationType": "availability-zone" if zone else "region"}
        if zone:
            where["Filters"] = [{"Name": "location", "Values": [zone]}]
        found = self._items("describe_instance_type_offerings", **where)
        return frozenset(item["InstanceType"] for item in found)

    @reaches_outside
    def is_offered(self, name: str, zone: str = "") -> bool:
        """Whether the Region, or one of its zones, offers a type. One small answer."""
        filters = [{"Name": "instance-type", "Values": [name]}]
        if zone:
            filters.append({"Name": "location", "Values": [zone]})
        found = self._items(
            "describe_instance_type_offerings",
            LocationType="availability-zone" if zone else "region",
            Filters=filters,
        )
        return any(item["InstanceType"] == name for item in found)

    def _items(self, method: str, **arguments: Any) -> list[dict[str, Any]]:
        operation, member = _ANSWERS[method]
        reader = client("ec2", Use.READ, self.scope)
        found = pages(reader, method, operation=operation, scope=self.scope, **arguments)
        return [item for page in found for item in page.get(member, [])]


_ANSWERS = {
    "describe_instance_types": ("DescribeInstanceTypes", "InstanceTypes"),
    "describe_instance_type_offerings": ("DescribeInstanceTypeOfferings", "InstanceTypeOfferings"),
}


def _instance_type(item: dict[str, Any]) -> InstanceType:
    return InstanceType(
        name=item["InstanceType"],
        vcpus=item.get("VCpuInfo", {}).get("DefaultVCpus"),
        memory_mib=item.get("MemoryInfo", {}).get("SizeInMiB"),
        architectures=tuple(item.get("ProcessorInfo", {}).get("SupportedArchitectures", [])),
        bare_metal=bool(item.get("BareMetal", False)),
    )
