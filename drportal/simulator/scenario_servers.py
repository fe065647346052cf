"""The source servers of a scenario."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from drportal.simulator.identifiers import stable
from drportal.simulator.models import DRSBackend
from drportal.simulator.network import Network
from drportal.simulator.reader import Reader
from drportal.simulator.resources import Disk, Origin, Replication, SourceServer
from drportal.simulator.servers import add_server
from drportal.simulator.world import world

GIB = 1024**3
STATES = (
    "STOPPED",
    "INITIATING",
    "INITIAL_SYNC",
    "BACKLOG",
    "CREATING_SNAPSHOT",
    "CONTINUOUS",
    "PAUSED",
    "RESCAN",
    "STALLED",
    "DISCONNECTED",
)
_UNSYNCED = {"STOPPED": 0.0, "INITIATING": 0.0, "INITIAL_SYNC": 0.5, "DISCONNECTED": 0.0}
# What has failed when a scenario does not say.
_ERRORS = {"STALLED": "NOT_CONVERGING"}


def load_server(backend: DRSBackend, each: Reader, network: Network) -> SourceServer:
    """Register the server that one entry of `servers` describes. Raises ScenarioError."""
    hostname = each.required("hostname", str)
    identifier = each.optional(
        "id", str, stable("s-", backend.account_id, backend.region_name, hostname)
    )
    if identifier in backend.servers:
        raise each.refuse("id", f"{identifier} is there twice.")
    now = world.clock.now()
    added_at = now - timedelta(days=each.number("addedDaysAgo", 30, least=0))
    server = SourceServer(
        id=identifier,
        arn=backend.arn_of("source-server", identifier),
        hostname=hostname,
        fqdn=each.optional("fqdn", str, f"{hostname}.corp.example"),
        os=each.required("os", str),
        added_at=added_at,
        first_byte_at=added_at + timedelta(minutes=10),
        replication=_replication(each.member("replication"), now),
        disks=_disks(each),
        cpus=each.optional("cpus", int, 2),
        ram=int(each.number("ramGiB", 8, least=0.5) * GIB),
        ip=each.optional("ip", str, "192.168.0.10"),
        mac=_mac(identifier),
        instance_type=each.optional("instanceType", str, "m5.large"),
        zone=f"{backend.region_name}a",
        architecture=each.optional("architecture", str, "x86_64"),
        volume_status=each.optional("volumeStatus", str, "REGULAR"),
        origin=_origin(each),
    )
    tags = _tags(each)
    template_data = _template_data(each, network, tags)
    launch_configuration = each.optional("launchConfiguration", dict, {})
    replication_configuration = {"stagingAreaSubnetId": network.staging_subnet}
    replication_configuration |= each.optional("replicationConfiguration", dict, {})
    each.finish()
    return add_server(
        backend,
        server,
        tags=tags,
        template_data=template_data,
        launch_configuration=launch_configuration,
        replication_configuration=replication_configuration,
    )


def find_server(backend: DRSBackend, each: Reader, member: str) -> SourceServer:
    """The server that a member names by id or by host name. Raises ScenarioError."""
    wanted = each.required(member, str)
    for server in backend.servers.values():
        if wanted in (server.id, server.hostname):
            return server
    raise each.refuse(member, f"account {backend.account_id} has no server {wanted}.")


def _replication(given: Reader, now: datetime) -> Replication:
    state = given.optional("state", str, "CONTINUOUS")
    if state not in STATES:
        raise given.refuse("state", f"is none of {', '.join(STATES)}.")
    since = now - timedelta(hours=given.number("sinceHours", 2, least=0))
    replication = Replication(
        state,
        since,
        # A lag counts from `since`, and the scenario says what it is now.
        lag=timedelta(seconds=given.number("lagSeconds", 0, least=0)) - (now - since),
        synced=given.number("synced", _UNSYNCED.get(state, 1.0), least=0),
        error=given.optional("error", str, _ERRORS.get(state, "")) or None,
        raw_error=given.optional("rawError", str, "") or None,
    )
    given.finish()
    return replication


def _disks(each: Reader) -> list[Disk]:
    disks = [
        Disk(disk.required("device", str), int(disk.number("GiB", 30, least=1) * GIB))
        for disk in _finished(each, "disks")
    ]
    return disks or [Disk("/dev/xvda", 30 * GIB)]


def _finished(each: Reader, member: str) -> list[Reader]:
    found = []
    for inner in each.objects(member):
        extra = inner.rest().keys() - {"device", "GiB"}
        if extra:
            raise inner.refuse(min(extra), "is unknown.")
        found.append(inner)
    return found


def _origin(each: Reader) -> Origin | None:
    if "origin" not in each.rest():
        return None
    given = each.member("origin")
    region = given.required("region", str)
    origin = Origin(
        given.required("account", str),
        region,
        given.optional("zone", str, f"{region}a"),
        given.optional("instanceId", str, "") or None,
    )
    given.finish()
    return origin


def _tags(each: Reader) -> dict[str, str]:
    tags = each.optional("tags", dict, {})
    for key, value in tags.items():
        if not isinstance(value, str):
            raise each.refuse("tags", f"the value of {key} must be a string.")
    return tags


def _template_data(each: Reader, network: Network, tags: dict[str, str]) -> dict[str, Any]:
    tier = tags.get("Tier", "application")
    data: dict[str, Any] = {}
    if tier in network.subnets:
        subnet, group = network.subnets[tier], network.groups[tier]
        data["NetworkInterfaces"] = [{"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}]
    return data | each.optional("launchTemplate", dict, {})


def _mac(identifier: str) -> str:
    digits = stable("", "mac", identifier)
    return "02:" + ":".join(digits[at : at + 2] for at in range(0, 10, 2))
