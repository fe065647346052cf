"""How far a source server's replication is. Nothing runs: it is computed when somebody looks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from drportal.simulator.faults import Kind
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.resources import RECOVERABLE_STATES, Replication, SourceServer
from drportal.simulator.wire import duration, timestamp
from drportal.simulator.world import world

INITIATION_STEPS = (
    "WAIT",
    "CREATE_SECURITY_GROUP",
    "LAUNCH_REPLICATION_SERVER",
    "BOOT_REPLICATION_SERVER",
    "AUTHENTICATE_WITH_SERVICE",
    "DOWNLOAD_REPLICATION_SOFTWARE",
    "CREATE_STAGING_DISKS",
    "ATTACH_STAGING_DISKS",
    "PAIR_REPLICATION_SERVER_WITH_AGENT",
    "CONNECT_AGENT_TO_REPLICATION_SERVER",
    "START_DATA_TRANSFER",
)
FALLING_BEHIND = frozenset({"BACKLOG", "STALLED", "PAUSED"})
WITHOUT_LAG = frozenset({"STOPPED", "INITIATING", "INITIAL_SYNC", "DISCONNECTED"})

_STALLED_LAG = timedelta(minutes=10)
_WRITE_RATE = 256 * 1024  # bytes a second that a server which falls behind has yet to send


@dataclass(frozen=True)
class Progress:
    """Replication at one moment. `ready_at` is when the first sync ended or will end, if known."""

    state: str
    lag: timedelta
    synced: float
    initiated: float  # the share of the initiation steps that is done
    error: str | None = None
    raw_error: str | None = None
    ready_at: datetime | None = None

    @property
    def recoverable(self) -> bool:
        """Lag or a stall do not stop a recovery; a first sync that has not ended does."""
        return self.state in RECOVERABLE_STATES and self.synced >= 1


def names(server: SourceServer) -> tuple[str, ...]:
    """What a fault may call the server."""
    return (server.id, server.hostname)


def staging_server(backend: DRSBackend, server: SourceServer) -> SourceServer | None:
    """The server that replicates: the staging account's for an extended server, else itself."""
    extension = server.extension
    if extension is None:
        return server
    staging = drs_backends[extension.account][backend.region_name]
    return staging.servers.get(extension.server_id)


def progress(backend: DRSBackend, server: SourceServer, at: datetime | None = None) -> Progress:
    """Where the replication stands `at` a moment, now if none is given. Faults included."""
    replicating = staging_server(backend, server) or server
    elapsed = (at or world.clock.now()) - replicating.replication.since
    size = sum(disk.size for disk in replicating.disks)
    found = _progress(replicating.replication, size, elapsed)
    fault = world.faults.standing(
        Kind.REPLICATION_STALLED,
        account=backend.account_id,
        region=backend.region_name,
        server=names(server),
    )
    if fault is None or found.state == "DISCONNECTED":
        return found
    return replace(
        found,
        state="STALLED",
        lag=max(found.lag, _STALLED_LAG),
        error=found.error or "NOT_CONVERGING",
        raw_error=fault.raw_error,
    )


def _progress(set_: Replication, size: int, elapsed: timedelta) -> Progress:
    if set_.progresses:
        return _advancing(set_, size, elapsed)
    lag = set_.lag + elapsed if set_.state in FALLING_BEHIND else timedelta()
    initiated = 0.5 if set_.state == "INITIATING" else 1.0
    return Progress(set_.state, lag, set_.synced, initiated, set_.error, set_.raw_error, set_.since)


def _advancing(set_: Replication, size: int, elapsed: timedelta) -> Progress:
    settings = world.settings
    done = elapsed * world.clock.speed
    initiation = settings.initiation_step * len(INITIATION_STEPS)
    sync = timedelta(seconds=size / settings.sync_bytes_per_second)
    ready_at = set_.since + world.clock.scaled(initiation + sync + settings.first_snapshot)
    if done < initiation:
        return Progress("INITIATING", timedelta(), 0.0, done / initiation, ready_at=ready_at)
    done -= initiation
    if done < sync:
        return Progress("INITIAL_SYNC", timedelta(), done / sync, 1.0, ready_at=ready_at)
    state = "CREATING_SNAPSHOT" if done - sync < settings.first_snapshot else "CONTINUOUS"
    return Progress(state, timedelta(), 1.0, 1.0, ready_at=ready_at)


def described(backend: DRSBackend, server: SourceServer) -> dict[str, Any]:
    """The wire shape DataReplicationInfo."""
    now = progress(backend, server)
    info: dict[str, Any] = {
        "dataReplicationState": now.state,
        "replicatedDisks": [
            _disk(disk.device, disk.size, server.volume_status, now) for disk in server.disks
        ],
        "stagingAvailabilityZone": server.zone,
    }
    if now.state not in WITHOUT_LAG:
        info["lagDuration"] = duration(now.lag)
    if now.state in ("INITIATING", "INITIAL_SYNC"):
        info["dataReplicationInitiation"] = _initiation(server.replication, now)
        if now.ready_at and server.replication.progresses:
            info["etaDateTime"] = timestamp(now.ready_at)
    if now.state == "BACKLOG":
        info["etaDateTime"] = timestamp(world.clock.now() + world.clock.scaled(now.lag))
    if now.error:
        info["dataReplicationError"] = {"error": now.error, "rawError": now.raw_error or now.error}
    return info


def _disk(device: str, size: int, volume_status: str, now: Progress) -> dict[str, Any]:
    gone = now.state == "DISCONNECTED"
    backlog = min(size, int(now.lag.total_seconds() * _WRITE_RATE)) if not gone else 0
    return {
        "deviceName": device,
        "totalStorageBytes": 0 if gone else size,
        "replicatedStorageBytes": 0 if gone else int(size * now.synced),
        "rescannedStorageBytes": size // 2 if now.state == "RESCAN" else 0,
        "backloggedStorageBytes": backlog,
        "volumeStatus": volume_status,
    }


def _initiation(set_: Replication, now: Progress) -> dict[str, Any]:
    done = int(now.initiated * len(INITIATION_STEPS))
    return {
        "startDateTime": timestamp(set_.since),
        "steps": [
            {"name": name, "status": _step_status(number, done)}
            for number, name in enumerate(INITIATION_STEPS)
        ],
    }


def _step_status(number: int, done: int) -> str:
    if number < done:
        return "SUCCEEDED"
    return "IN_PROGRESS" if number == done else "NOT_STARTED"
