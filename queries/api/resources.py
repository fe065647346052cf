"""What a recovered instance can be launched with, in the account that it is launched into."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from drportal.api.access import Needs
from drportal.api.schema import refusal
from drportal.aws.instance_profiles import InstanceProfile
from drportal.aws.instance_types import InstanceType
from drportal.aws.network import SecurityGroup, Subnet
from protection.permissions import AccountPermission
from queries import resources
from queries.api.questions import ACCOUNT, FRESH, REGION, QuestionViewSet, parameter

_Label = serializers.SerializerMethodField
_LONGEST_DESCRIPTION = 100
_SILENT = refusal(503, "AWS did not answer.")


class SubnetOut(serializers.Serializer[Subnet]):
    """A subnet."""

    value = serializers.CharField(source="subnet_id")
    label = _Label(help_text="Name, id, addresses, zone.")  # type: ignore[assignment]  # DRF takes fields off the class
    vpc_id = serializers.CharField()
    az = serializers.CharField(source="availability_zone")
    cidr = serializers.CharField()
    free_addresses = serializers.IntegerField(allow_null=True)

    def get_label(self, subnet: Subnet) -> str:
        parts = (subnet.name, subnet.subnet_id, subnet.cidr, subnet.availability_zone)
        return " ".join(part for part in parts if part)


class SecurityGroupOut(serializers.Serializer[SecurityGroup]):
    """A security group."""

    value = serializers.CharField(source="group_id")
    label = _Label(help_text="Name and id.")  # type: ignore[assignment]  # DRF takes fields off the class
    name = serializers.CharField()
    vpc_id = serializers.CharField()
    description = serializers.SerializerMethodField(help_text="At most 100 characters of it.")

    def get_label(self, group: SecurityGroup) -> str:
        return f"{group.name} {group.group_id}".strip()

    def get_description(self, group: SecurityGroup) -> str:
        return group.description[:_LONGEST_DESCRIPTION]


class InstanceProfileOut(serializers.Serializer[InstanceProfile]):
    """An instance profile."""

    value = serializers.CharField(source="name")
    label = serializers.CharField(source="name")  # type: ignore[assignment]  # DRF takes fields off the class
    arn = serializers.CharField()


class InstanceTypeOut(serializers.Serializer[InstanceType]):
    """An instance type, by AWS's own name."""

    value = serializers.CharField(source="name")
    label = _Label()  # type: ignore[assignment]  # DRF takes fields off the class
    vcpus = serializers.IntegerField(allow_null=True)
    memory_gb = serializers.SerializerMethodField(help_text="GiB; null if AWS did not tell.")
    architectures = serializers.ListField(child=serializers.CharField())
    bare_metal = serializers.BooleanField()

    def get_label(self, kind: InstanceType) -> str:
        memory = self.get_memory_gb(kind)
        cores = "?" if kind.vcpus is None else kind.vcpus
        size = "?" if memory is None else f"{memory:g}"
        return f"{kind.name} ({cores} vCPU, {size} GiB)"

    def get_memory_gb(self, kind: InstanceType) -> float | None:
        return None if kind.memory_mib is None else round(kind.memory_mib / 1024, 2)


class _Listed(serializers.Serializer[Any]):
    account_id = serializers.CharField()
    region = serializers.CharField()
    as_of = serializers.DateTimeField(help_text="When AWS said so.")


class SubnetsOut(_Listed):
    """The subnets of an account's Region."""

    subnets = SubnetOut(source="items", many=True)


class SecurityGroupsOut(_Listed):
    """The security groups of an account's Region."""

    security_groups = SecurityGroupOut(source="items", many=True)


class InstanceProfilesOut(_Listed):
    """The instance profiles of an account."""

    instance_profiles = InstanceProfileOut(source="items", many=True)


class InstanceTypesOut(_Listed):
    """The instance types of an account's Region."""

    instance_types = InstanceTypeOut(source="items", many=True)


class ResourcesViewSet(QuestionViewSet):
    """What EC2 has to launch with."""

    needs = dict.fromkeys(
        ("subnets", "security_groups", "instance_profiles", "instance_types"),
        Needs.to_see(AccountPermission.VIEW),
    )
    parameters = {
        "subnets": frozenset({"region", "accountId", "fresh"}),
        "security_groups": frozenset({"region", "accountId", "vpcId", "fresh"}),
        "instance_profiles": frozenset({"region", "accountId", "fresh"}),
        "instance_types": frozenset({"region", "accountId", "fresh"}),
    }
    serializer_class = SubnetsOut
    pagination_class = None
    filter_backends = ()

    @extend_schema(parameters=[REGION, ACCOUNT, FRESH], responses={200: SubnetsOut, **_SILENT})
    def subnets(self, _: Request) -> Response:
        """Every subnet of the account in the Region. Kept for an hour."""
        found = resources.subnets(
            self.meant_account(), self.meant_region(), fresh=self.flag("fresh")
        )
        return Response(SubnetsOut(found).data)

    @extend_schema(
        parameters=[REGION, ACCOUNT, parameter("vpcId", "Only those of this VPC."), FRESH],
        responses={200: SecurityGroupsOut, **_SILENT},
    )
    def security_groups(self, _: Request) -> Response:
        """Every security group of the account in the Region, or of one VPC. Kept for an hour."""
        found = resources.security_groups(
            self.meant_account(),
            self.meant_region(),
            vpc_id=self.text("vpcId"),
            fresh=self.flag("fresh"),
        )
        return Response(SecurityGroupsOut(found).data)

    @extend_schema(
        parameters=[REGION, ACCOUNT, FRESH], responses={200: InstanceProfilesOut, **_SILENT}
    )
    def instance_profiles(self, _: Request) -> Response:
        """Every instance profile of the account. Kept for an hour."""
        found = resources.instance_profiles(
            self.meant_account(), self.meant_region(), fresh=self.flag("fresh")
        )
        return Response(InstanceProfilesOut(found).data)

    @extend_schema(
        parameters=[REGION, ACCOUNT, FRESH], responses={200: InstanceTypesOut, **_SILENT}
    )
    def instance_types(self, _: Request) -> Response:
        """Every instance type that the Region has for the account, bare metal too. Kept for 24
        hours.
        """
        found = resources.instance_types(
            self.meant_account(), self.meant_region(), fresh=self.flag("fresh")
        )
        return Response(InstanceTypesOut(found).data)
