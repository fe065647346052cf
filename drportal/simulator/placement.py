"""Where a launched instance goes: the network half of a launch template."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend
from moto.ec2.models.subnets import Subnet

from drportal.simulator.ec2_backend import LaunchProblem


@dataclass(frozen=True)
class Placement:
    """A subnet, security groups by id, a fixed private address, if any, and a public one or not."""

    subnet: Subnet
    groups: list[str]
    private_ip: str | None
    public_ip: bool = False


def placement(ec2: EC2Backend, data: dict[str, Any], copied_ip: str | None) -> Placement:
    """What LaunchTemplateData says, checked. Raises LaunchProblem in EC2's words."""
    # moto takes neither the subnet, the groups nor the address of a template's interface.
    nic: dict[str, Any] = next(iter(data.get("NetworkInterfaces") or []), {})
    subnet = subnet_named(ec2, nic.get("SubnetId"))
    if nic and data.get("SecurityGroupIds"):
        raise LaunchProblem(
            "InvalidParameterCombination: Network interfaces and an instance-level security "
            "groups may not be specified on the same request"
        )
    groups = nic.get("Groups") or data.get("SecurityGroupIds") or []
    for group in groups:
        if ec2.get_security_group_from_id(group) is None:
            raise LaunchProblem(
                f"InvalidGroup.NotFound: The security group '{group}' does not exist"
            )
    address = copied_ip or nic.get("PrivateIpAddress") or _primary_address(nic)
    if address:
        _check_address(subnet, address)
    return Placement(subnet, list(groups), address, bool(nic.get("AssociatePublicIpAddress")))


def subnet_named(ec2: EC2Backend, wanted: str | None) -> Subnet:
    """Without a name, the default VPC's first default subnet. Raises LaunchProblem."""
    if wanted is None:
        defaults = ec2.get_default_subnets()
        if not defaults:
            raise LaunchProblem(
                "MissingInput: No subnets found for the default VPC. Please specify a subnet."
            )
        return defaults[min(defaults)]
    try:
        return ec2.get_subnet(wanted)
    except ServiceException as error:
        raise LaunchProblem(
            f"InvalidSubnetID.NotFound: The subnet ID '{wanted}' does not exist"
        ) from error


def _primary_address(nic: dict[str, Any]) -> str | None:
    for address in nic.get("PrivateIpAddresses") or []:
        if address.get("Primary"):
            return str(address["PrivateIpAddress"])
    return None


def _check_address(subnet: Subnet, address: str) -> None:
    if ipaddress.ip_address(address) not in ipaddress.ip_network(subnet.cidr_block):
        raise LaunchProblem(
            f"InvalidParameterValue: Address {address} does not fall within the subnet's "
            f"address range"
        )
    if address in _addresses_in_use(subnet):
        raise LaunchProblem(f"InvalidIPAddress.InUse: Address {address} is in use.")


def _addresses_in_use(subnet: Subnet) -> dict[str, Any]:
    return subnet._subnet_ips  # noqa: SLF001 - moto has no public way to ask
