# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from drportal.simulator.handlers import Handler
from drportal.simulator.identifiers import stable
from drportal.simulator.models import DRSBackend
from drportal.simulator.paging import page
from drportal.simulator.replication import progress
from drportal.simulator.resources import SourceServer
from drportal.simulator.wire import parse_timestamp, timestamp
from drportal.simulator.world import world

_UNITS = {
    "MINUTE": timedelta(minutes=1),
    "HOUR": timedelta(hours=1),
    "DAY": timedelta(days=1),
}
_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_TAKING = timedelta(seconds=5)
_WITHOUT_POINTS = frozenset({"STOPPED", "INITIATING", "INITIAL_SYNC", "DISCONNECTED"})


@dataclass(frozen=True)
class Point:
    """A recovery point. The same server and moment always give the same id."""

    id: str
    expected_at: datetime


def points(backend: DRSBackend, server: SourceServer, at: datetime | None = None) -> list[Point]:
    """The recovery points that the server's point-in-time policy keeps, oldest first."""
    looked_at = at or world.clock.now()
    now = progress(backend, server, looked_at)
    if now.state in _WITHOUT_POINTS:
        return []
    policy = backend.replication_configurations[server.id]["pitPolicy"]
    until = looked_at - now.lag
    since = server.first_byte_at or server.added_at
    if server.replication.progresses and now.ready_at:
        since = now.ready_at
    moments = {
        moment for rule in policy for moment in _moments(rule, until, looked_at) if moment >= since
    }
    return [Point(stable("pit-", server.id, str(at)), at) for at in sorted(moments)]


def _moments(rule: dict[str, Any], until: datetime, looked_at: datetime) -> Iterator[datetime]:
    if not rule.get("enabled", True):
        return
    unit = _UNITS[rule["units"]]
    interval = unit * rule["interval"]
    oldest = looked_at - unit * rule["retentionDuration"]
    at = _EPOCH + (until - _EPOCH) // interval * interval
    while at > oldest:
        yield at
        at -= interval


def describe_recovery_snapshots(
    backend: DRSBackend,
    *,
    sourceServerID: str,
    filters: dict[str, str] | None = None,
    order: str = "ASC",
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """ASC without `order` (no source says). An unknown server has none: the model has no error."""
    server = backend.servers.get(sourceServerID)
    found = points(backend, server) if server else []
    wanted = filters or {}
    if "fromDateTime" in wanted:
        since = parse_timestamp(wanted["fromDateTime"])
        found = [point for point in found if point.expected_at >= since]
    if "toDateTime" in wanted:
        until = parse_timestamp(wanted["toDateTime"])
        found = [point for point in found if point.expected_at <= until]
    shown, token = page(
        found,
        key=lambda point: point.expected_at.isoformat(),
        next_token=nextToken,
        max_results=maxResults,
        default=world.settings.default_page_size,
        reverse=order == "DESC",
        scope=f"DescribeRecoverySnapshots/{sourceServerID}/{order}",
    )
    items = [_described(point, server) for point in shown if server]
    return {"items": items} | ({"nextToken": token} if token else {})


def _described(point: Point, server: SourceServer) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "snapshotID": point.id,
        "sourceServerID": server.id,
        "expectedTimestamp": timestamp(point.expected_at),
        "ebsSnapshots": [stable("snap-", point.id, disk.device) for disk in server.disks],
    }
    taken_at = point.expected_at + _TAKING
    if taken_at <= world.clock.now():
        shape["timestamp"] = timestamp(taken_at)
    return shape


HANDLERS: dict[str, Handler] = {"DescribeRecoverySnapshots": describe_recovery_snapshots}
