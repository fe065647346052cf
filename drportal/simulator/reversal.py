"""ReverseReplication: the way back for servers that came from EC2.

It makes a new source server where the recovery instance came from, and the launch happens from
that server (DRS user guide).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drportal.simulator import quotas
from drportal.simulator.exceptions import (
    AccessDeniedException,
    ConflictException,
    ServiceQuotaExceededException,
    UninitializedAccountException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.identifiers import fresh
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.replication import Progress, progress
from drportal.simulator.resources import (
    Disk,
    Failback,
    LastLaunch,
    Origin,
    RecoveryInstance,
    Replication,
    SourceServer,
)
from drportal.simulator.servers import add_server
from drportal.simulator.world import world

FIRST_SYNC = frozenset({"INITIATING", "INITIAL_SYNC", "CREATING_SNAPSHOT"})
AFTER_LAUNCH = {"LAUNCHED": "FAILBACK_COMPLETED", "FAILED": "FAILBACK_ERROR"}


def reverse_replication(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Makes a source server where the instance came from, whose replication starts at once."""
    instance = backend.instance(params["recoveryInstanceID"])
    origin = instance.origin
    if origin is None:
        raise ValidationException(
            f"RecoveryInstance {instance.id} did not originate in EC2.",
            reason="other",
            fields=[("recoveryInstanceID", "did not originate in EC2")],
        )
    check_free(backend, instance)
    _check_reversible(instance)
    there = _origin_backend(origin)
    made = _reversed_server(backend, there, instance, origin)
    instance.failback = Failback(
        state="FAILBACK_IN_PROGRESS",
        initiated_at=world.clock.now(),
        first_byte_at=made.first_byte_at,
        reversed_arn=made.arn,
    )
    instance.replication_state = "INITIATING"
    server = backend.servers.get(instance.server_id)
    if server is not None:
        server.reversed_arn = made.arn
    return {"reversedDirectionSourceServerArn": made.arn}


def _check_reversible(instance: RecoveryInstance) -> None:
    if instance.replication_state == "DISCONNECTED":
        raise conflict(instance, "is disconnected")
    if _reversed_of(instance) is not None:
        raise conflict(instance, f"is replicating to {instance.failback.reversed_arn} already")
    if instance.ec2.state != "running":
        raise conflict(instance, f"is not running but {instance.ec2.state}")


def _origin_backend(origin: Origin) -> DRSBackend:
    known = world.accounts.accounts
    if known and origin.account not in known:
        raise AccessDeniedException(f"Account {origin.account} does not let DRS in.")
    if not world.accounts.opted_in(origin.account, origin.region):
        raise AccessDeniedException(f"{origin.account} has not enabled {origin.region}.")
    there = drs_backends[origin.account][origin.region]
    if not there.initialized:
        raise UninitializedAccountException
    return there


def _reversed_server(
    backend: DRSBackend, there: DRSBackend, instance: RecoveryInstance, origin: Origin
) -> SourceServer:
    now = world.clock.now()
    before = backend.servers.get(instance.server_id)
    was_failback = before is not None and before.direction == "FAILBACK"
    identifier = fresh("s-")
    nic = instance.ec2.nics[0]
    server = SourceServer(
        id=identifier,
        arn=there.arn_of("source-server", identifier),
        hostname=instance.hostname,
        fqdn=instance.fqdn,
        os=instance.os,
        added_at=now,
        first_byte_at=now,
        replication=Replication("INITIATING", now, synced=0.0, progresses=True),
        disks=[Disk(device, size) for device, size, _ in instance.volumes],
        cpus=instance.cpus,
        ram=instance.ram,
        ip=str(nic.private_ip_address),
        mac=nic.mac_address,
        instance_type=instance.ec2.instance_type,
        zone=origin.zone,
        direction="FAILOVER" if was_failback else "FAILBACK",
        origin=Origin(
            backend.account_id,
            backend.region_name,
            instance.ec2.placement.zone or f"{backend.region_name}a",
            instance.id,
        ),
        reversed_arn=before.arn if before else None,
    )
    tags = dict(backend.tags[before.arn]) if before else {}
    try:
        quotas.check_replicating_servers(there)
        return add_server(
            there, server, tags=tags, launch_configuration=_launch_into(there, origin)
        )
    except ServiceQuotaExceededException as error:
        # ReverseReplication models no ServiceQuotaExceededException.
        raise conflict(instance, f"cannot be replicated: {error}") from error


def _launch_into(there: DRSBackend, origin: Origin) -> dict[str, Any]:
    """The account's template may ask for launches into the instance that replication came from."""
    wanted = any(
        each["launchIntoSourceInstance"] for each in there.launch_configuration_templates.values()
    )
    if not wanted or origin.instance_id is None:
        return {}
    return {"launchIntoInstanceProperties": {"launchIntoEC2InstanceID": origin.instance_id}}


def current(instance: RecoveryInstance) -> RecoveryInstance:
    """The instance as it is to be shown now.

    The replication of a reversed instance is that of its server in the origin Region. When that
    server cannot be seen any more, the states say so rather than what they were last.
    """
    if instance.failback.reversed_arn is None or instance.replication_state == "DISCONNECTED":
        return instance
    found = _reversed_of(instance)
    if found is None:
        lost = replace(instance.failback, state="FAILBACK_LAUNCH_STATE_NOT_AVAILABLE")
        return replace(instance, replication_state="REPLICATION_STATE_NOT_AVAILABLE", failback=lost)
    there, server = found
    now, launch = progress(there, server), server.last_launch
    failback = replace(instance.failback, state=_state(now, launch))
    if launch is not None:
        failback = replace(failback, job_id=launch.job_id, launch_type=launch.kind)
    return replace(instance, replication_state=now.state, failback=failback)


def _state(now: Progress, launch: LastLaunch | None) -> str:
    if now.state in FIRST_SYNC:
        return "FAILBACK_IN_PROGRESS"
    if not now.recoverable:
        return "FAILBACK_NOT_READY_FOR_LAUNCH"
    last = launch.status if launch is not None and launch.kind == "RECOVERY" else ""
    return AFTER_LAUNCH.get(last, "FAILBACK_READY_FOR_LAUNCH")


def _reversed_of(instance: RecoveryInstance) -> tuple[DRSBackend, SourceServer] | None:
    arn, origin = instance.failback.reversed_arn, instance.origin
    if arn is None or origin is None:
        return None
    there = drs_backends[origin.account][origin.region]
    there.agenda.settle(world.clock.now())
    server = there.servers.get(arn.rpartition("/")[2])
    return None if server is None else (there, server)


def check_free(backend: DRSBackend, instance: RecoveryInstance) -> None:
    """Raises ConflictException when a job has the instance's server."""
    if instance.server_id in quotas.busy_servers(backend):
        raise conflict(instance, "is being processed by a job")


def conflict(instance: RecoveryInstance, message: str) -> ConflictException:
    """The error, for the caller to raise."""
    return ConflictException(
        f"RecoveryInstance {instance.id} {message}.",
        resourceId=instance.id,
        resourceType="RecoveryInstance",
    )


HANDLERS: dict[str, Handler] = {"ReverseReplication": reverse_replication}
