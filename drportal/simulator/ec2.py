"""The instances that DRS runs in EC2: recovery instances and conversion servers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.iam.models import iam_backends

from drportal.simulator import launch_templates, moto_templates
from drportal.simulator.ec2_backend import MANAGED_TAG, LaunchProblem, ec2_of
from drportal.simulator.identifiers import stable
from drportal.simulator.models import DRSBackend
from drportal.simulator.placement import Placement, placement, subnet_named
from drportal.simulator.resources import SourceServer
from drportal.simulator.world import world

LAUNCH_INTO_TAG = ("AWSDRS", "AllowLaunchingIntoThisInstance")
CONVERSION_SERVER = "AWS Elastic Disaster Recovery Conversion Server"

_STATES = {"pending": 0, "shutting-down": 32}


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
    template = launch_templates.of(backend, server, configuration)
    if configuration["targetInstanceTypeRightSizingMethod"] != "NONE":
        launch_templates.right_size(template, server.instance_type)
    version = template.default_version()
    data = version.data
    place = placement(ec2, data, server.ip if configuration["copyPrivateIp"] else None)
    tags = launch_templates.tags(backend, server, job_id, data, copy=configuration["copyTags"])
    tags["instance"] |= {
        "aws:ec2launchtemplate:id": template.id,
        "aws:ec2launchtemplate:version": str(version.number),
    }
    instance = _run(
        backend,
        place,
        data.get("ImageId") or stable("ami-", server.id),
        instance_type=data.get("InstanceType") or server.instance_type,
        key_name=data.get("KeyName"),
        disable_api_termination=bool(data.get("DisableApiTermination")),
        monitoring_state="enabled" if _monitored(data) else "disabled",
        block_device_mappings=launch_templates.block_devices(data, server),
        tags=tags,
    )
    address = world.guests.of(server.hostname).address
    if address:
        instance.nics[0].private_ip_address = address
    moto_templates.spend_credits(instance, data)
    _attach_profile(ec2, instance, data.get("IamInstanceProfile") or {})
    return instance


def _monitored(data: dict[str, Any]) -> bool:
    return bool((data.get("Monitoring") or {}).get("Enabled"))


def _run(backend: DRSBackend, place: Placement, image_id: str, **given: Any) -> Instance:
    # Without `launch_template`: moto takes neither the network nor the volume tags from one, and
    # looks a type that it found there up in a list of 500.
    nic = {
        "DeviceIndex": 0,
        "SubnetId": place.subnet.id,
        "PrivateIpAddress": place.private_ip,
        "DeleteOnTermination": True,
    }
    try:
        reservation = ec2_of(backend).run_instances(
            image_id,
            1,
            None,
            [],
            is_instance_type_default=True,
            region_name=backend.region_name,
            subnet_id=place.subnet.id,
            security_group_ids=list(place.groups),
            associate_public_ip=place.public_ip,
            nics=[{name: value for name, value in nic.items() if value is not None}],
            **given,
        )
    except ServiceException as error:
        raise LaunchProblem(str(error)) from error
    return reservation.instances[0]


def _attach_profile(ec2: EC2Backend, instance: Instance, profile: dict[str, str]) -> None:
    name = profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1]
    if not name:
        return
    known = iam_backends[ec2.account_id][ec2.partition].instance_profiles.values()
    if all(each.name != name for each in known):
        ec2.terminate_instances([instance.id])
        raise LaunchProblem(
            f"InvalidParameterValue: Value ({name}) for parameter iamInstanceProfile.name is "
            f"invalid. Invalid IAM Instance Profile name"
        )
    ec2.associate_iam_instance_profile(instance.id, name)


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


def started(instance: Instance, disposition: str) -> None:
    """The end of a launch: running, or stopped where the configuration says STOPPED."""
    if instance.state == "terminated":
        return
    if disposition == "STOPPED":
        instance.stop()
    else:
        instance.start()


def begin_termination(instance: Instance) -> None:
    """The instance shuts down, unless it is protected or gone."""
    if not instance.disable_api_termination and instance.state != "terminated":
        _set_state(instance, "shutting-down")


def terminate(backend: DRSBackend, instance: Instance) -> None:
    """Raises LaunchProblem for an instance with termination protection."""
    if instance.state == "terminated" or instance.id not in existing_ids(backend):
        return
    if instance.disable_api_termination:
        raise LaunchProblem(
            f"OperationNotPermitted: The instance '{instance.id}' may not be terminated. Modify "
            f"its 'disableApiTermination' instance attribute and try again."
        )
    taken = [(nic.subnet, nic.private_ip_address) for nic in instance.nics.values()]
    try:
        instance.terminate()
    except ServiceException as error:
        raise LaunchProblem(str(error)) from error
    for subnet, address in taken:
        # moto frees an address only when the instance is forgotten, which here it never is.
        subnet.del_subnet_ip(address)


def _set_state(instance: Instance, name: str) -> None:
    # moto's instances skip these states.
    instance.instance_state.name = name
    instance.instance_state.code = _STATES[name]


def run_conversion_server(backend: DRSBackend, server: SourceServer, job_id: str) -> Instance:
    """A short-lived server in the staging subnet. Raises LaunchProblem."""
    ec2 = ec2_of(backend)
    wanted = backend.replication_configurations[server.id]["stagingAreaSubnetId"]
    known = {subnet_id for zone in ec2.subnets.values() for subnet_id in zone}
    subnet = subnet_named(ec2, wanted if wanted in known else None)
    tags = {
        "Name": CONVERSION_SERVER,
        "drs.amazonaws.com-job": job_id,
        "drs.amazonaws.com-source-server": server.id,
    } | MANAGED_TAG
    return _run(
        backend,
        Placement(subnet, [], None),
        stable("ami-", "conversion", backend.region_name),
        instance_type="m5.large",
        tags={"instance": tags, "volume": tags},
    )


def existing_ids(backend: DRSBackend) -> set[str]:
    """The ids of all instances EC2 knows here, terminated ones too."""
    reservations = ec2_of(backend).reservations.values()
    return {instance.id for reservation in reservations for instance in reservation.instances}


def described_state(instance: Instance, existing: set[str]) -> str:
    """EC2InstanceState, from what EC2 says now. `existing` is from `existing_ids`."""
    return str(instance.state).upper() if instance.id in existing else "NOT_FOUND"
