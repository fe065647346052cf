# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from typing import Any

from drportal.simulator import jobs, launch_templates, launching, quotas, staging_area
from drportal.simulator.exceptions import ConflictException
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.replication import progress
from drportal.simulator.resources import LastLaunch, Participant, SourceServer
from drportal.simulator.snapshots import points
from drportal.simulator.world import world


def start_recovery(
    backend: DRSBackend,
    *,
    sourceServers: list[dict[str, str]],
    isDrill: bool = False,
    tags: dict[str, str] | None = None,
) -> dict[str, Any]:
    """All or nothing: when one server cannot be launched, none is and no job is made.

    The model has neither ResourceNotFound nor Validation here, so every reason is a Conflict.
    """
    ids = [each["sourceServerID"] for each in sourceServers]
    _check_unique(ids)
    quotas.check_not_in_job(backend, ids)
    for each in sourceServers:
        _check_server(backend, each["sourceServerID"], each.get("recoverySnapshotID"))
    quotas.check_job(backend, len(ids))
    job = jobs.create(
        backend,
        kind="LAUNCH",
        initiated_by="START_DRILL" if isDrill else "START_RECOVERY",
        participants=[
            Participant(each["sourceServerID"], snapshot_id=each.get("recoverySnapshotID"))
            for each in sourceServers
        ],
        tags=tags,
    )
    kind = "DRILL" if isDrill else "RECOVERY"
    for server_id in ids:
        backend.servers[server_id].last_launch = LastLaunch(job.id, kind, job.created_at)
    launching.begin(backend, job)
    shape = jobs.described(backend, job)
    if world.settings.stray_job_tag:
        shape["tags"]["resourceArn"] = job.arn
    return {"job": shape}


def _conflict(server_id: str, message: str) -> ConflictException:
    return ConflictException(message, resourceId=server_id, resourceType="SourceServer")


def _check_unique(ids: list[str]) -> None:
    for number, server_id in enumerate(ids):
        if server_id in ids[:number]:
            raise _conflict(server_id, f"Source server {server_id} is listed more than once.")


def _check_server(backend: DRSBackend, server_id: str, snapshot_id: str | None) -> None:
    server = backend.servers.get(server_id)
    if server is None:
        raise _conflict(server_id, f"Source server {server_id} does not exist.")
    error = staging_area.extension_error(backend, server)
    if error:
        raise _conflict(server_id, error)
    state = progress(backend, server)
    if not state.recoverable:
        raise _conflict(
            server_id,
            f"Source server {server_id} has no recovery point: its replication is {state.state}.",
        )
    _check_launchable(backend, server)
    if snapshot_id and all(point.id != snapshot_id for point in points(backend, server)):
        raise _conflict(
            server_id, f"Recovery snapshot {snapshot_id} of {server_id} does not exist any more."
        )


def _check_launchable(backend: DRSBackend, server: SourceServer) -> None:
    if server.volume_status.startswith(("MISSING", "PENDING")):
        raise _conflict(
            server.id,
            f"Source server {server.id} has volumes with the status {server.volume_status}.",
        )
    licensing = backend.launch_configurations[server.id].get("licensing", {})
    if (
        server.windows
        and licensing.get("osByol")
        and not launch_templates.host_tenancy(backend, server)
    ):
        raise _conflict(
            server.id,
            f"The launch template of {server.id} needs host tenancy for a Windows licence of "
            f"your own.",
        )


HANDLERS: dict[str, Handler] = {"StartRecovery": start_recovery}
