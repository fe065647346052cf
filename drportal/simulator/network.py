"""The networks that servers replicate into and are recovered into."""

from __future__ import annotations

from dataclasses import dataclass, field

from moto.ec2.models import EC2Backend

from drportal.simulator.ec2_backend import ec2_of
from drportal.simulator.models import DRSBackend

TIERS = ("database", "application", "web")


@dataclass
class Network:
    """A recovery VPC: subnets by tier, a security group by tier, and the staging subnet."""

    vpc_id: str
    cidr: str
    subnets: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    staging_subnet: str = ""


def build(backend: DRSBackend, second_octet: int) -> Network:
    """A VPC 10.x.0.0/16 with a subnet and a security group for each tier, and one for staging."""
    ec2 = ec2_of(backend)
    cidr = f"10.{second_octet}.0.0/16"
    vpc = ec2.create_vpc(cidr, tags=[{"Key": "Name", "Value": "recovery"}])
    network = Network(vpc.id, cidr)
    zones = (f"{backend.region_name}a", f"{backend.region_name}b")
    for number, tier in enumerate(TIERS):
        network.subnets[tier] = _subnet(
            ec2, vpc.id, f"10.{second_octet}.{16 * number}.0/20", zones[number % 2], tier
        )
        group = ec2.create_security_group(
            f"recovery-{tier}", f"Recovered servers of the tier {tier}", vpc_id=vpc.id
        )
        network.groups[tier] = group.id
    network.staging_subnet = _subnet(
        ec2, vpc.id, f"10.{second_octet}.240.0/20", zones[0], "staging"
    )
    return network


def _subnet(ec2: EC2Backend, vpc_id: str, cidr: str, zone: str, name: str) -> str:
    subnet = ec2.create_subnet(
        vpc_id, cidr, availability_zone=zone, tags={"subnet": {"Name": f"recovery-{name}"}}
    )
    return str(subnet.id)
