"""Instance types, and where each can be had."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable
from drportal.transactions import reaches_outside

_T = TypeVar("_T")


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
        found = self._items("describe_instance_types", _instance_type)
        return sorted(found, key=lambda each: each.name)

    @reaches_outside
    def offered(self, zone: str = "") -> frozenset[str]:
        """The names of the types that the Region, or one of its zones, offers."""
        where: dict[str, Any] = {"LocationType": "availability-zone" if zone else "region"}
        if zone:
            where["Filters"] = [{"Name": "location", "Values": [zone]}]
        return frozenset(self._items("describe_instance_type_offerings", _name, **where))

    @reaches_outside
    def is_offered(self, name: str, zone: str = "") -> bool:
        """Whether the Region, or one of its zones, offers a type. One small answer."""
        filters = [{"Name": "instance-type", "Values": [name]}]
        if zone:
            filters.append({"Name": "location", "Values": [zone]})
        return name in self._items(
            "describe_instance_type_offerings",
            _name,
            LocationType="availability-zone" if zone else "region",
            Filters=filters,
        )

    def _items(
        self, method: str, read: Callable[[dict[str, Any]], _T], **arguments: Any
    ) -> list[_T]:
        operation, member = _ANSWERS[method]
        reader = client("ec2", Use.READ, self.scope)
        found = listed(reader, method, member, operation=operation, scope=self.scope, **arguments)
        with readable(operation, self.scope):
            return [read(item) for item in found]


_ANSWERS = {
    "describe_instance_types": ("DescribeInstanceTypes", "InstanceTypes"),
    "describe_instance_type_offerings": ("DescribeInstanceTypeOfferings", "InstanceTypeOfferings"),
}


def _name(item: dict[str, Any]) -> str:
    return str(item["InstanceType"])


def _instance_type(item: dict[str, Any]) -> InstanceType:
    return InstanceType(
        name=item["InstanceType"],
        vcpus=item.get("VCpuInfo", {}).get("DefaultVCpus"),
        memory_mib=item.get("MemoryInfo", {}).get("SizeInMiB"),
        architectures=tuple(item.get("ProcessorInfo", {}).get("SupportedArchitectures", [])),
        bare_metal=bool(item.get("BareMetal", False)),
    )
