"""What DRS does in EC2. moto's own objects are used, never a client: in a server that would be a
call to itself."""

from __future__ import annotations

import ipaddress
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.subnets import Subnet
from moto.ec2.utils import convert_tag_spec

from drportal.simulator.identifiers import stable
from drportal.simulator.models import DRSBackend
from drportal.simulator.resources import SourceServer

MANAGED_TAG = {"AWSElasticDisasterRecoveryManaged": "drs.amazonaws.com"}
SERVER_TAG = "AWSElasticDisasterRecoverySourceServerID"
LAUNCH_INTO_TAG = ("AWSDRS", "AllowLaunchingIntoThisInstance")
CONVERSION_SERVER = "AWS Elastic Disaster Recovery Conversion Server"
GIB = 1024**3

_STATES = {"pending": 0, "shutting-down": 32}


class LaunchProblem(Exception):
    """EC2 refused. The text goes into the job log as `rawError`."""


@dataclass(frozen=True)
class Placement:
    """Where an instance goes: the network half of a launch template."""

    subnet: Subnet
    groups: list[str]
    private_ip: str | None


def ec2_of(backend: DRSBackend) -> EC2Backend:
    """EC2 in the backend's account and Region."""
    return ec2_backends[backend.account_id][backend.region_name]


def create_launch_template(
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


def delete_launch_template(backend: DRSBackend, template_id: str) -> None:
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


def launch(
    backend: DRSBackend, server: SourceServer, job_id: str, at: datetime
) -> tuple[Instance, list[tuple[str, int, str]]]:
    """Start the recovery instance; it is pending until `started`. Also its volumes.

    Raises LaunchProblem in EC2's words.
    """
    configuration = backend.launch_configurations[server.id]
    into = configuration.get("launchIntoInstanceProperties", {}).get("launchIntoEC2InstanceID")
    if into:
        instance = _launch_into(backend, into)
    else:
        instance = _launch_new(backend, server, job_id, configuration)
    instance.launch_time = at.astimezone(UTC).replace(tzinfo=None)
    _set_state(instance, "pending")
    return instance, _volumes(instance, server)


def _launch_new(
    backend: DRSBackend, server: SourceServer, job_id: str, configuration: dict[str, Any]
) -> Instance:
    ec2 = ec2_of(backend)
    template = _template(backend, server, configuration)
    if configuration["targetInstanceTypeRightSizingMethod"] != "NONE":
        _right_size(template, server.instance_type)
    data = template.default_version().data
    place = _placement(ec2, data, server.ip if configuration["copyPrivateIp"] else None)
    nic = {
        "DeviceIndex": 0,
        "SubnetId": place.subnet.id,
        "PrivateIpAddress": place.private_ip,
        "DeleteOnTermination": True,
    }
    try:
        reservation = ec2.run_instances(
            data.get("ImageId") or stable("ami-", server.id),
            1,
            None,
            [],
            launch_template={"LaunchTemplateId": template.id, "Version": "$Default"},
            is_instance_type_default=True,
            region_name=backend.region_name,
            subnet_id=place.subnet.id,
            security_group_ids=place.groups,
            associate_public_ip=False,
            nics=[{name: value for name, value in nic.items() if value is not None}],
            block_device_mappings=_block_devices(data, server),
            tags=_tags(backend, server, job_id, data, copy=configuration["copyTags"]),
        )
    except (EC2ClientError, ServiceException) as error:
        raise LaunchProblem(str(error)) from error
    return reservation.instances[0]


def _template(
    backend: DRSBackend, server: SourceServer, configuration: dict[str, Any]
) -> LaunchTemplate:
    templates = ec2_of(backend).launch_templates
    if configuration["ec2LaunchTemplateID"] not in templates:
        # DRS makes a deleted template again, with its defaults (DRS user guide).
        configuration["ec2LaunchTemplateID"] = create_launch_template(backend, server, {}, {})
    return templates[configuration["ec2LaunchTemplateID"]]


def _right_size(template: LaunchTemplate, instance_type: str) -> None:
    data = template.default_version().data
    if data.get("InstanceType") != instance_type:
        version = template.create_version(
            deepcopy(data) | {"InstanceType": instance_type},
            "Right-sized by AWS Elastic Disaster Recovery",
        )
        template.default_version_number = version.number


def _placement(ec2: EC2Backend, data: dict[str, Any], copied_ip: str | None) -> Placement:
    # moto takes neither the subnet, the groups nor the address of a template's interface.
    nic: dict[str, Any] = next(iter(data.get("NetworkInterfaces") or []), {})
    subnet = _subnet(ec2, nic.get("SubnetId"))
    groups = nic.get("Groups") or data.get("SecurityGroupIds") or []
    for group in groups:
        if ec2.get_security_group_from_id(group) is None:
            raise LaunchProblem(
                f"InvalidGroup.NotFound: The security group '{group}' does not exist"
            )
    address = copied_ip or nic.get("PrivateIpAddress") or _primary_address(nic)
    if address:
        _check_address(subnet, address)
    return Placement(subnet, list(groups), address)


def _subnet(ec2: EC2Backend, wanted: str | None) -> Subnet:
    if wanted is None:
        defaults = ec2.get_default_subnets()
        if not defaults:
            raise LaunchProblem(
                "MissingInput: No subnets found for the default VPC. Please specify a subnet."
            )
        return defaults[min(defaults)]
    try:
        return ec2.get_subnet(wanted)
    except (EC2ClientError, ServiceException) as error:
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


def _block_devices(data: dict[str, Any], server: SourceServer) -> list[dict[str, Any]]:
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


def _tags(
    backend: DRSBackend, server: SourceServer, job_id: str, data: dict[str, Any], *, copy: bool
) -> dict[str, dict[str, str]]:
    specified = convert_tag_spec(data.get("TagSpecifications") or [])
    own = {"drs.amazonaws.com-job": job_id, "drs.amazonaws.com-source-server": server.id}
    copied = backend.tags[server.arn] if copy else {}
    base = {"Name": server.hostname} | copied
    always = own | MANAGED_TAG | {SERVER_TAG: server.id}
    return {kind: base | specified.get(kind, {}) | always for kind in ("instance", "volume")}


def _launch_into(backend: DRSBackend, instance_id: str) -> Instance:
    instance = ec2_of(backend).get_instance_by_id(instance_id)
    if instance is None:
        raise LaunchProblem(
            f"InvalidInstanceID.NotFound: The instance ID '{instance_id}' does not exist"
        )
    key, value = LAUNCH_INTO_TAG
    tags = {tag["key"]: tag["value"] for tag in instance.get_tags()}
    if tags.get(key) != value:
        raise LaunchProblem(f"Instance {instance_id} does not have the tag {key}={value}")
    if instance.state != "stopped":
        raise LaunchProblem(
            f"IncorrectInstanceState: The instance '{instance_id}' is not in the 'stopped' state."
        )
    return instance


def _volumes(instance: Instance, server: SourceServer) -> list[tuple[str, int, str]]:
    attached = {device: block.volume_id for device, block in instance.get_block_device_mapping}
    return [
        (disk.device, disk.size, attached[disk.device])
        for disk in server.disks
        if disk.device in attached
    ]


def started(backend: DRSBackend, instance: Instance, disposition: str) -> None:
    """The end of a launch: running, or stopped where the configuration says STOPPED."""
    if instance.state == "terminated":
        return
    if disposition == "STOPPED":
        ec2_of(backend).stop_instances([instance.id])
    else:
        instance.start()


def begin_termination(instance: Instance) -> None:
    """The instance shuts down, unless it is protected or gone."""
    if not instance.disable_api_termination and instance.state != "terminated":
        _set_state(instance, "shutting-down")


def terminate(backend: DRSBackend, instance: Instance) -> None:
    """Raises LaunchProblem for an instance with termination protection."""
    if instance.state == "terminated":
        return
    addresses = [nic.private_ip_address for nic in instance.nics.values()]
    subnet = instance.nics[0].subnet if instance.nics else None
    try:
        ec2_of(backend).terminate_instances([instance.id])
    except (EC2ClientError, ServiceException) as error:
        raise LaunchProblem(str(error)) from error
    for address in addresses:
        # moto frees an address only when the instance is forgotten, which here it never is.
        if subnet is not None and address:
            subnet.del_subnet_ip(address)


def _set_state(instance: Instance, name: str) -> None:
    # moto's instances skip these states.
    instance.instance_state.name = name
    instance.instance_state.code = _STATES[name]


def run_conversion_server(backend: DRSBackend, server: SourceServer, job_id: str) -> Instance:
    """A short-lived server in the staging subnet. Raises LaunchProblem."""
    configuration = backend.replication_configurations[server.id]
    ec2 = ec2_of(backend)
    wanted = configuration["stagingAreaSubnetId"]
    subnet = _subnet(ec2, wanted if wanted in _subnet_ids(ec2) else None)
    tags = {
        "Name": CONVERSION_SERVER,
        "drs.amazonaws.com-job": job_id,
        "drs.amazonaws.com-source-server": server.id,
    } | MANAGED_TAG
    reservation = ec2.run_instances(
        stable("ami-", "conversion", backend.region_name),
        1,
        None,
        [],
        instance_type="m5.large",
        is_instance_type_default=False,
        region_name=backend.region_name,
        subnet_id=subnet.id,
        nics=[{"DeviceIndex": 0, "SubnetId": subnet.id, "DeleteOnTermination": True}],
        tags={"instance": tags, "volume": tags},
    )
    return reservation.instances[0]


def _subnet_ids(ec2: EC2Backend) -> set[str]:
    return {subnet_id for zone in ec2.subnets.values() for subnet_id in zone}


def existing_ids(backend: DRSBackend) -> set[str]:
    """The ids of all instances EC2 knows here, terminated ones too."""
    return {instance.id for instance in ec2_of(backend).all_instances()}


def described_state(instance: Instance, existing: set[str]) -> str:
    """EC2InstanceState, from what EC2 says now. `existing` is from `existing_ids`."""
    return str(instance.state).upper() if instance.id in existing else "NOT_FOUND"
