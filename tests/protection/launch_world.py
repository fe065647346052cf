"""A world in which launch settings can be set, applied and compared."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drportal.actor import PORTAL
from drportal.aws.session import Use, client
from protection.choices import Combination
from protection.models import LaunchApply, LaunchStanding, ProtectionGroup, SourceServer
from protection.services import launch_apply, launch_drift, launch_settings
from tests.worlds import EAST, PERSON, group_of, known, registered, server, world_of


@dataclass
class Place:
    """A group of servers, and a network in its own account and Region."""

    group: ProtectionGroup
    vpc: str
    subnet: str
    other_subnet: str
    security_group: str
    profile: str = "recovery"

    @property
    def scope(self) -> Any:
        return self.group.account.scope(self.group.region)

    def aws(self, service: str) -> Any:
        return client(service, Use.WRITE, self.scope)

    def template(self, name: str) -> dict[str, Any]:
        """The data of the default version of a server's launch template, as EC2 tells it."""
        answer = self.aws("ec2").describe_launch_template_versions(
            LaunchTemplateId=self.template_id(name), Versions=["$Default"]
        )
        found: dict[str, Any] = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        return found

    def versions(self, name: str) -> int:
        """How many versions a server's launch template has."""
        answer = self.aws("ec2").describe_launch_templates(
            LaunchTemplateIds=[self.template_id(name)]
        )
        return int(answer["LaunchTemplates"][0]["LatestVersionNumber"])

    def template_id(self, name: str) -> str:
        return str(self.configuration(name)["ec2LaunchTemplateID"])

    def configuration(self, name: str) -> dict[str, Any]:
        """A server's launch configuration, as DRS tells it."""
        found: dict[str, Any] = self.aws("drs").get_launch_configuration(
            sourceServerID=known(name).server_id
        )
        return found

    def change_template(self, name: str, data: Mapping[str, Any], *, inherit: bool = True) -> None:
        """What somebody does in the console, behind the portal's back."""
        ec2, template = self.aws("ec2"), self.template_id(name)
        source = {"SourceVersion": "$Default"} if inherit else {}
        made = ec2.create_launch_template_version(
            LaunchTemplateId=template, LaunchTemplateData=data, **source
        )["LaunchTemplateVersion"]["VersionNumber"]
        ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion=str(made))

    def set_group(self, *, version: int = 0, **values: Any) -> Any:
        return launch_settings.set_for_group(self.group, values, version=version, actor=PERSON)

    def set_server(
        self,
        server_name: str,
        /,
        *,
        version: int = 0,
        combination: Combination = Combination.ADD,
        **values: Any,
    ) -> Any:
        return launch_settings.set_for_server(
            self.group,
            known(server_name),
            values,
            combination=combination,
            version=version,
            actor=PERSON,
        )

    def apply(self, **how: Any) -> LaunchApply:
        """Ask, and let a worker carry it out."""
        asked = launch_apply.ask(self.group, actor=PERSON, **how)
        return carried_out(asked.pk)

    def check(self) -> None:
        launch_drift.check(self.group, actor=PORTAL)

    def standing(self, name: str) -> LaunchStanding:
        return LaunchStanding.objects.get(group=self.group, server=known(name))


def carried_out(apply_id: UUID) -> LaunchApply:
    launch_apply.carry_out(apply_id, actor=PORTAL)
    return LaunchApply.objects.get(pk=apply_id)


def place_of(names: tuple[str, ...] = ("web-1", "web-2"), **more: Any) -> Place:
    """A world of servers with the tier web in one group."""
    world_of([server(name, **more) for name in names])
    registered()
    group = group_of("web")
    place = Place(group, "", "", "", "")
    ec2 = place.aws("ec2")
    place.vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    place.subnet, place.other_subnet = (
        ec2.create_subnet(VpcId=place.vpc, CidrBlock=cidr, AvailabilityZone=f"{EAST}a")["Subnet"][
            "SubnetId"
        ]
        for cidr in ("10.9.1.0/24", "10.9.2.0/24")
    )
    place.security_group = ec2.create_security_group(
        GroupName="recovered", Description="Recovered servers", VpcId=place.vpc
    )["GroupId"]
    place.aws("iam").create_instance_profile(InstanceProfileName=place.profile)
    return place


def state_of(apply: LaunchApply) -> dict[str, str]:
    """What became of each server, by name."""
    return dict(apply.servers.values_list("server__name", "state"))


def said_of(apply: LaunchApply, name: str) -> str:
    return str(apply.servers.get(server=SourceServer.objects.get(name=name)).message)
