"""What the gateway says of subnets, security groups, addresses, types and profiles."""

from typing import Any

import pytest

from drportal.aws.errors import AwsError, Failure
from drportal.aws.instance_profiles import InstanceProfile, InstanceProfiles
from drportal.aws.instance_types import InstanceTypes
from drportal.aws.network import Network
from drportal.aws.scope import Account, Scope
from drportal.aws.session import Use, client
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from tests.worlds import EAST, EXTERNAL_ID, NORTH, role, world_of

SCOPE = Scope(Account(NORTH, role(NORTH), EXTERNAL_ID), EAST)


def _ec2() -> Any:
    return client("ec2", Use.WRITE, SCOPE)


@pytest.fixture
def vpc(aws) -> str:
    world_of([])
    return str(_ec2().create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"])


def _subnet(vpc: str, cidr: str, name: str = "") -> str:
    made = _ec2().create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{EAST}b")
    subnet_id = str(made["Subnet"]["SubnetId"])
    if name:
        _ec2().create_tags(Resources=[subnet_id], Tags=[{"Key": "Name", "Value": name}])
    return subnet_id


def test_a_subnet_says_where_it_is_and_how_many_addresses_are_free(vpc) -> None:
    subnet_id = _subnet(vpc, "10.7.1.0/28", "recovery")
    [found] = Network(SCOPE).subnets([subnet_id, "subnet-0123456789abcdef0"])
    assert (found.subnet_id, found.vpc_id, found.cidr) == (subnet_id, vpc, "10.7.1.0/28")
    assert (found.name, found.availability_zone, found.free_addresses) == (
        "recovery",
        f"{EAST}b",
        11,
    )


def test_every_page_of_subnets_is_read(vpc) -> None:
    made = {_subnet(vpc, f"10.7.{number}.0/24") for number in range(12)}
    listed = {subnet.subnet_id for subnet in Network(SCOPE).subnets()}
    assert made <= listed


def test_security_groups_are_those_of_one_vpc_or_of_all(vpc) -> None:
    made = _ec2().create_security_group(GroupName="web", Description="For the web", VpcId=vpc)
    here = Network(SCOPE).security_groups(vpc)
    assert made["GroupId"] in {group.group_id for group in here}
    assert {group.vpc_id for group in here} == {vpc}
    assert {group.vpc_id for group in Network(SCOPE).security_groups()} > {vpc}
    [found] = Network(SCOPE).security_groups(group_ids=[made["GroupId"], "sg-0123456789abcdef0"])
    assert (found.name, found.description, found.vpc_id) == ("web", "For the web", vpc)


def test_an_address_is_held_by_an_interface(vpc) -> None:
    subnet_id = _subnet(vpc, "10.7.1.0/24")
    _ec2().create_network_interface(
        SubnetId=subnet_id, PrivateIpAddress="10.7.1.20", Description="a balancer"
    )
    [holder] = Network(SCOPE).addresses_in_use(subnet_id, "10.7.1.20")
    assert (holder.name, holder.instance_id, holder.is_of_drs) == ("a balancer", "", False)
    assert Network(SCOPE).addresses_in_use(subnet_id, "10.7.1.21") == []


def test_an_address_is_held_by_an_instance(vpc) -> None:
    subnet_id = _subnet(vpc, "10.7.1.0/24")
    made = _ec2().run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet_id,
        PrivateIpAddress="10.7.1.30",
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "Name", "Value": "db-1"},
                    {"Key": "AWSElasticDisasterRecoverySourceServerID", "Value": "s-1"},
                ],
            }
        ],
    )
    [holder] = Network(SCOPE).addresses_in_use(subnet_id, "10.7.1.30")
    assert holder.instance_id == made["Instances"][0]["InstanceId"]
    assert (holder.name, holder.is_of_drs) == ("db-1", True)


def test_types_have_the_names_that_aws_gives_them(vpc) -> None:
    found = {each.name: each for each in InstanceTypes(SCOPE).all()}
    metal, flex = found["c7a.metal-48xl"], found["m7i-flex.large"]
    assert metal.bare_metal
    assert (flex.vcpus, flex.memory_mib, flex.architectures) == (2, 8192, ("x86_64",))
    assert len(found) > 500


def test_a_zone_may_offer_less_than_its_region(vpc) -> None:
    types = InstanceTypes(SCOPE)
    everywhere, here = types.offered(), types.offered(f"{EAST}e")
    assert here < everywhere
    one = min(everywhere - here)
    assert types.is_offered(one)
    assert not types.is_offered(one, f"{EAST}e")
    assert not types.is_offered("m5.enormous")


def test_instance_profiles_are_listed_and_found(vpc) -> None:
    iam = client("iam", Use.WRITE, SCOPE)
    for number in range(3):
        iam.create_instance_profile(InstanceProfileName=f"role-{number}")
    profiles = InstanceProfiles(SCOPE)
    assert [each.name for each in profiles.all()] == ["role-0", "role-1", "role-2"]
    found = profiles.named("role-1")
    assert isinstance(found, InstanceProfile)
    assert found.arn.endswith("instance-profile/role-1")
    assert profiles.named("role-9") is None


@pytest.mark.parametrize(
    ("operation", "ask"),
    [
        ("DescribeSubnets", lambda: Network(SCOPE).subnets()),
        ("DescribeSecurityGroups", lambda: Network(SCOPE).security_groups()),
        ("DescribeNetworkInterfaces", lambda: Network(SCOPE).addresses_in_use("subnet-1", "1")),
        ("DescribeInstanceTypes", lambda: InstanceTypes(SCOPE).all()),
        ("DescribeInstanceTypeOfferings", lambda: InstanceTypes(SCOPE).offered()),
        ("ListInstanceProfiles", lambda: InstanceProfiles(SCOPE).all()),
        ("GetInstanceProfile", lambda: InstanceProfiles(SCOPE).named("role")),
    ],
)
def test_what_is_denied_is_no_empty_list(vpc, operation, ask) -> None:
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation=operation))
    with pytest.raises(AwsError) as raised:
        ask()
    assert raised.value.failure == Failure.ACCESS_DENIED
