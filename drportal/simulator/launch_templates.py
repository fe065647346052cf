"""Each source server's own launch template in EC2. DRS uses its default version."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.utils import convert_tag_spec

from drportal.simulator.ec2_backend import MANAGED_TAG, SERVER_TAG, ec2_of
from drportal.simulator.models import DRSBackend
from drportal.simulator.resources import SourceServer

GIB = 1024**3


def create(
    backend: DRSBackend, server: SourceServer, data: dict[str, Any], tags: dict[str, str]
) -> str:
    """A server's own launch template; returns its id. `data` is LaunchTemplateData."""
    instance_tags = {"Name": server.hostname, SERVER_TAG: server.id} | MANAGED_TAG | tags
    listed = [{"Key": key, "Value": value} for key, value in instance_tags.items()]
    specifications = [
        {"ResourceType": kind, "Tags": deepcopy(listed)} for kind in ("instance", "volume")
    ]
    template = ec2_of(backend).create_launch_template(
        f"created-and-used-by-drs-{server.id}",
        "Created by AWS Elastic Disaster Recovery",
        {"InstanceType": server.instance_type, "TagSpecifications": specifications} | data,
        {"launch-template": MANAGED_TAG | {SERVER_TAG: server.id}},
    )
    return template.id


def delete(backend: DRSBackend, template_id: str) -> None:
    """Nothing happens when it is gone already."""
    if template_id in ec2_of(backend).launch_templates:
        ec2_of(backend).delete_launch_template("", template_id)


def host_tenancy(backend: DRSBackend, server: SourceServer) -> bool:
    """Whether the launch template places the instance on a dedicated host."""
    template_id = backend.launch_configurations[server.id]["ec2LaunchTemplateID"]
    template = ec2_of(backend).launch_templates.get(template_id)
    if template is None:
        return False
    return bool(template.default_version().data.get("Placement", {}).get("Tenancy") == "host")


def of(backend: DRSBackend, server: SourceServer, configuration: dict[str, Any]) -> LaunchTemplate:
    """The server's template, made again if somebody deleted it."""
    templates = ec2_of(backend).launch_templates
    if configuration["ec2LaunchTemplateID"] not in templates:
        # DRS makes a deleted template again, with its defaults (DRS user guide).
        configuration["ec2LaunchTemplateID"] = create(backend, server, {}, {})
    return templates[configuration["ec2LaunchTemplateID"]]


def right_size(template: LaunchTemplate, instance_type: str) -> None:
    """A new default version with this instance type, unless the default has it already."""
    data = template.default_version().data
    if data.get("InstanceType") != instance_type:
        version = template.create_version(
            deepcopy(data) | {"InstanceType": instance_type},
            "Right-sized by AWS Elastic Disaster Recovery",
        )
        template.default_version_number = version.number


def block_devices(data: dict[str, Any], server: SourceServer) -> list[dict[str, Any]]:
    """The server's disks as BlockDeviceMappings, with what the template says of each."""
    wanted = {each["DeviceName"]: each.get("Ebs", {}) for each in _mappings(data)}
    return [
        {
            "DeviceName": disk.device,
            "Ebs": {"VolumeType": "gp3", "DeleteOnTermination": True}
            | wanted.get(disk.device, {})
            | {"VolumeSize": max(1, -(-disk.size // GIB))},
        }
        for disk in server.disks
    ]


def _mappings(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in data.get("BlockDeviceMappings") or [] if "DeviceName" in each]


def tags(
    backend: DRSBackend, server: SourceServer, job_id: str, data: dict[str, Any], *, copy: bool
) -> dict[str, dict[str, str]]:
    """Tags of the instance and its volumes. The template's win over the server's copied ones."""
    specified = convert_tag_spec(data.get("TagSpecifications") or [])
    own = {"drs.amazonaws.com-job": job_id, "drs.amazonaws.com-source-server": server.id}
    copied = backend.tags[server.arn] if copy else {}
    base = {"Name": server.hostname} | copied
    always = own | MANAGED_TAG | {SERVER_TAG: server.id}
    return {kind: base | specified.get(kind, {}) | always for kind in ("instance", "volume")}
