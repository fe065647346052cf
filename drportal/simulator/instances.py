# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from datetime import datetime
from typing import Any

from moto.ec2.models.instances import Instance

from drportal.simulator import ec2, reversal
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.resources import Failback, Job, RecoveryInstance, SourceServer
from drportal.simulator.wire import timestamp
from drportal.simulator.world import world


def add(
    backend: DRSBackend,
    server: SourceServer,
    job: Job,
    instance: Instance,
    volumes: list[tuple[str, int, str]],
    at: datetime,
    point_in_time: datetime,
) -> RecoveryInstance:
    """The recovery instance of a launch that succeeded; it is the server's current one."""
    on_aws = server.origin is not None
    # DRS user guide: failback of an EC2 origin goes another way, so it starts as not ready.
    state = "FAILBACK_NOT_READY_FOR_LAUNCH" if on_aws else "FAILBACK_NOT_STARTED"
    made = RecoveryInstance(
        id=instance.id,
        arn=backend.arn_of("recovery-instance", instance.id),
        server_id=server.id,
        job_id=job.id,
        is_drill=job.is_drill,
        launched_at=at,
        point_in_time=point_in_time,
        ec2=instance,
        hostname=server.hostname,
        fqdn=server.fqdn,
        os=server.os,
        cpus=server.cpus,
        ram=server.ram,
        origin=server.origin,
        volumes=volumes,
        failback=Failback(state=state),
    )
    backend.instances[made.id] = made
    backend.tags[made.arn] = {
        tag["key"]: tag["value"] for tag in instance.get_tags() if not tag["key"].startswith("aws:")
    }
    server.recovery_instance_id = made.id
    server.launched = instance
    return made


def remove(backend: DRSBackend, instance: RecoveryInstance) -> None:
    """Terminate it in EC2 and forget it. Raises LaunchProblem when EC2 refuses."""
    ec2.terminate(backend, instance.ec2)
    forget(backend, instance)


def forget(backend: DRSBackend, instance: RecoveryInstance) -> None:
    """DRS knows it no more; the EC2 instance stays as it is."""
    del backend.instances[instance.id]
    backend.tags.pop(instance.arn)
    server = backend.servers.get(instance.server_id)
    if server and server.recovery_instance_id == instance.id:
        server.recovery_instance_id = None


def describe_recovery_instances(
    backend: DRSBackend,
    *,
    filters: dict[str, Any] | None = None,
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """Unknown ids in the filters show fewer instances and are no error."""
    shown, token = page(
        _matching(backend, filters or {}),
        key=lambda instance: instance.id,
        next_token=nextToken,
        max_results=maxResults,
        default=world.settings.default_page_size,
        scope="DescribeRecoveryInstances",
    )
    existing = ec2.existing_ids(backend) if shown else set()
    items = [described(backend, instance, existing) for instance in shown]
    return {"items": items} | ({"nextToken": token} if token else {})


def _matching(backend: DRSBackend, filters: dict[str, Any]) -> list[RecoveryInstance]:
    found = list(backend.instances.values())
    for name, attribute in (("recoveryInstanceIDs", "id"), ("sourceServerIDs", "server_id")):
        if filters.get(name):
            wanted = set(filters[name])
            found = [each for each in found if getattr(each, attribute) in wanted]
    return found


def described(
    backend: DRSBackend, instance: RecoveryInstance, existing: set[str]
) -> dict[str, Any]:
    """The wire shape RecoveryInstance. `existing` is from `ec2.existing_ids`."""
    instance = reversal.current(instance)
    shape: dict[str, Any] = {
        "ec2InstanceID": instance.id,
        "ec2InstanceState": ec2.described_state(instance.ec2, existing),
        "jobID": instance.job_id,
        "recoveryInstanceID": instance.id,
        "sourceServerID": instance.server_id,
        "arn": instance.arn,
        "tags": dict(backend.tags[instance.arn]),
        "isDrill": instance.is_drill,
        "pointInTimeSnapshotDateTime": timestamp(instance.point_in_time),
        "originEnvironment": "AWS" if instance.origin else "ON_PREMISES",
        "recoveryInstanceProperties": _properties(instance),
        "dataReplicationInfo": {"dataReplicationState": instance.replication_state},
        "failback": _failback(instance.failback),
        "agentVersion": "5.3.0",
    }
    if instance.origin:
        shape["originAvailabilityZone"] = instance.origin.zone
    return shape


def _properties(instance: RecoveryInstance) -> dict[str, Any]:
    return {
        "lastUpdatedDateTime": timestamp(instance.launched_at),
        "identificationHints": {
            "fqdn": instance.fqdn,
            "hostname": instance.hostname,
            "awsInstanceID": instance.id,
        },
        "networkInterfaces": [
            {
                "macAddress": nic.mac_address,
                "ips": [nic.private_ip_address],
                "isPrimary": number == 0,
            }
            for number, nic in instance.ec2.nics.items()
        ],
        "disks": [
            {"internalDeviceName": device, "bytes": size, "ebsVolumeID": volume_id}
            for device, size, volume_id in instance.volumes
        ],
        "cpus": [{"cores": instance.cpus, "modelName": "Intel(R) Xeon(R) Platinum 8259CL"}],
        "ramBytes": instance.ram,
        "os": {"fullString": instance.os},
    }


def _failback(failback: Failback) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "state": failback.state,
        "failbackJobID": failback.job_id,
        "failbackClientID": failback.client_id,
        "failbackToOriginalServer": failback.to_original,
        "failbackLaunchType": failback.launch_type,
    }
    for name, moment in (
        ("failbackInitiationTime", failback.initiated_at),
        ("firstByteDateTime", failback.first_byte_at),
    ):
        shape[name] = timestamp(moment) if moment else None
    return {name: value for name, value in shape.items() if value is not None}


HANDLERS: dict[str, Handler] = {"DescribeRecoveryInstances": describe_recovery_instances}
