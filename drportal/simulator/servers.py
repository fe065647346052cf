# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from drportal.simulator import launch_actions, launch_templates, quotas, staging_area
from drportal.simulator.configurations import (
    default_launch_configuration,
    default_replication_configuration,
)
from drportal.simulator.exceptions import ConflictException
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.replication import described as described_replication
from drportal.simulator.replication import progress
from drportal.simulator.resources import Replication, SourceServer
from drportal.simulator.wire import duration, timestamp
from drportal.simulator.world import world

_SEEN_EVERY = timedelta(seconds=15)
_UNSEEN = frozenset({"DISCONNECTED", "STALLED"})
_STOPPED = frozenset({"STOPPED", "DISCONNECTED"})


def add_server(
    backend: DRSBackend,
    server: SourceServer,
    *,
    tags: dict[str, str],
    template_data: dict[str, Any] | None = None,
    template_tags: dict[str, str] | None = None,
    launch_configuration: dict[str, Any] | None = None,
    replication_configuration: dict[str, Any] | None = None,
) -> SourceServer:
    """Register a source server, as its agent would: DRS has no operation for it.

    It gets the settings of the account's templates, changed by what is given by wire name, and an
    EC2 launch template with `template_data`. Raises ServiceQuotaExceededException.
    """
    quotas.check_total_servers(backend)
    backend.servers[server.id] = server
    backend.tags[server.arn] = dict(tags)
    template_id = launch_templates.create(backend, server, template_data or {}, template_tags or {})
    backend.launch_configurations[server.id] = default_launch_configuration(
        backend, server, template_id
    ) | (launch_configuration or {})
    backend.replication_configurations[server.id] = default_replication_configuration(
        backend, server
    ) | (replication_configuration or {})
    launch_actions.copy_to_server(backend, server.id)
    return server


def set_replication(
    server: SourceServer,
    state: str,
    *,
    lag: timedelta = timedelta(),
    synced: float = 1.0,
    error: str | None = None,
    raw_error: str | None = None,
) -> None:
    """Put a server's replication into a state, from now on."""
    server.replication = Replication(
        state, world.clock.now(), lag, synced, error=error, raw_error=raw_error
    )


def describe_source_servers(
    backend: DRSBackend,
    *,
    filters: dict[str, Any] | None = None,
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """Filters with unknown ids show fewer servers and are no error."""
    shown, token = page(
        _matching(backend, filters or {}),
        key=lambda server: server.id,
        next_token=nextToken,
        max_results=maxResults,
        default=world.settings.default_page_size,
        scope="DescribeSourceServers",
    )
    items = [described(backend, server) for server in shown]
    return {"items": items} | ({"nextToken": token} if token else {})


def _matching(backend: DRSBackend, filters: dict[str, Any]) -> list[SourceServer]:
    found = list(backend.servers.values())
    if filters.get("sourceServerIDs"):
        wanted = dict.fromkeys(filters["sourceServerIDs"])
        found = [backend.servers[each] for each in wanted if each in backend.servers]
    if filters.get("stagingAccountIDs"):
        accounts = set(filters["stagingAccountIDs"])
        found = [each for each in found if each.extension and each.extension.account in accounts]
    if filters.get("hardwareId"):
        found = [each for each in found if filters["hardwareId"] in _hints(each).values()]
    return found


def described(backend: DRSBackend, server: SourceServer) -> dict[str, Any]:
    """The wire shape SourceServer."""
    shape: dict[str, Any] = {
        "sourceServerID": server.id,
        "arn": server.arn,
        "tags": dict(backend.tags[server.arn]),
        "lastLaunchResult": _last_launch_result(server),
        "dataReplicationInfo": described_replication(backend, server),
        "lifeCycle": _life_cycle(backend, server),
        "sourceProperties": _properties(server),
        "stagingArea": staging_area.described(backend, server),
        "replicationDirection": server.direction,
        "agentVersion": server.agent_version,
    }
    if server.recovery_instance_id:
        shape["recoveryInstanceId"] = server.recovery_instance_id
    if server.reversed_arn:
        shape["reversedDirectionSourceServerArn"] = server.reversed_arn
    if server.origin:
        shape["sourceCloudProperties"] = {
            "originAccountID": server.origin.account,
            "originRegion": server.origin.region,
            "originAvailabilityZone": server.origin.zone,
        }
    return shape


def _last_launch_result(server: SourceServer) -> str:
    launch = server.last_launch
    if launch is None:
        return "NOT_STARTED"
    return {"LAUNCHED": "SUCCEEDED", "FAILED": "FAILED"}.get(launch.status, "PENDING")


def _life_cycle(backend: DRSBackend, server: SourceServer) -> dict[str, Any]:
    now = world.clock.now()
    shape: dict[str, Any] = {"addedToServiceDateTime": timestamp(server.added_at)}
    if server.first_byte_at:
        shape["firstByteDateTime"] = timestamp(server.first_byte_at)
        shape["elapsedReplicationDuration"] = duration(now - server.first_byte_at)
    unseen = progress(backend, server).state in _UNSEEN
    seen = server.replication.since if unseen else now - _SEEN_EVERY
    shape["lastSeenByServiceDateTime"] = timestamp(seen)
    launch = server.last_launch
    # Before any launch DRS shows an empty `initiated` (seen in real answers).
    shape["lastLaunch"] = {"initiated": {}}
    if launch:
        shape["lastLaunch"] = {
            "initiated": {
                "apiCallDateTime": timestamp(launch.called_at),
                "jobID": launch.job_id,
                "type": launch.kind,
            },
            "status": launch.status,
        }
    return shape


def _hints(server: SourceServer) -> dict[str, str]:
    hints = {"fqdn": server.fqdn, "hostname": server.hostname}
    if server.origin and server.origin.instance_id:
        return hints | {"awsInstanceID": server.origin.instance_id}
    return hints | {"vmWareUuid": f"VMware-{server.id[2:]}"}


def _properties(server: SourceServer) -> dict[str, Any]:
    return {
        "lastUpdatedDateTime": timestamp(server.added_at),
        "recommendedInstanceType": server.instance_type,
        "identificationHints": _hints(server),
        "networkInterfaces": [{"macAddress": server.mac, "ips": [server.ip], "isPrimary": True}],
        "disks": [{"deviceName": disk.device, "bytes": disk.size} for disk in server.disks],
        "cpus": [{"cores": server.cpus, "modelName": "Intel(R) Xeon(R) Platinum 8259CL"}],
        "ramBytes": server.ram,
        "os": {"fullString": server.os},
        "supportsNitroInstances": True,
        "architecture": server.architecture,
    }


def delete_source_server(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """Only after it was disconnected."""
    server = backend.server(sourceServerID)
    quotas.check_not_in_job(backend, [server.id])
    if server.replication.state != "DISCONNECTED" and server.extension is None:
        raise ConflictException(
            f"Source server {server.id} is not disconnected.",
            resourceId=server.id,
            resourceType="SourceServer",
        )
    _check_no_instance(server)
    template_id = backend.launch_configurations.pop(server.id)["ec2LaunchTemplateID"]
    launch_templates.delete(backend, template_id)
    backend.replication_configurations.pop(server.id)
    backend.launch_actions.pop(server.id, None)
    backend.tags.pop(server.arn)
    del backend.servers[server.id]
    return {}


def disconnect_source_server(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """Refused while the server has a recovery instance (botocore model)."""
    server = backend.server(sourceServerID)
    quotas.check_not_in_job(backend, [server.id])
    _check_no_instance(server)
    set_replication(server, "DISCONNECTED", synced=0.0)
    return described(backend, server)


def _check_no_instance(server: SourceServer) -> None:
    if server.recovery_instance_id:
        raise ConflictException(
            f"Source server {server.id} has the recovery instance {server.recovery_instance_id}.",
            resourceId=server.id,
            resourceType="SourceServer",
        )


def start_replication(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """From the first step again; its recovery points were deleted when it stopped."""
    server = backend.server(sourceServerID)
    if server.replication.state != "STOPPED":
        raise ConflictException(
            f"The replication of source server {server.id} is not stopped.",
            resourceId=server.id,
            resourceType="SourceServer",
        )
    quotas.check_replicating_servers(backend)
    now = world.clock.now()
    server.replication = Replication("INITIATING", now, synced=0.0, progresses=True)
    server.first_byte_at = now
    return {"sourceServer": described(backend, server)}


def stop_replication(backend: DRSBackend, *, sourceServerID: str) -> dict[str, Any]:
    """Its recovery points are deleted."""
    server = backend.server(sourceServerID)
    quotas.check_not_in_job(backend, [server.id])
    if server.replication.state in _STOPPED:
        raise ConflictException(
            f"Source server {server.id} does not replicate.",
            resourceId=server.id,
            resourceType="SourceServer",
        )
    server.replication = replace(Replication("STOPPED", world.clock.now()), synced=0.0)
    return {"sourceServer": described(backend, server)}


HANDLERS: dict[str, Handler] = {
    "DescribeSourceServers": describe_source_servers,
    "DeleteSourceServer": delete_source_server,
    "DisconnectSourceServer": disconnect_source_server,
    "StartReplication": start_replication,
    "StopReplication": stop_replication,
}
