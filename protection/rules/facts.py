"""What the inventory keeps of a source server, out of DRS's answer."""

import hashlib
from typing import Any

from drportal.aws.drs import parse_duration

_SYNCED = {"CONTINUOUS", "BACKLOG", "RESCAN"}
_PERHAPS_SYNCED = {"CREATING_SNAPSHOT", "STALLED", "PAUSED"}


def facts(raw: dict[str, Any]) -> dict[str, Any]:
    """The columns of `SourceServer` for one entry of DescribeSourceServers.

    Almost every member may be missing (botocore model); what is missing is empty or None here.
    """
    properties = raw.get("sourceProperties") or {}
    hints = properties.get("identificationHints") or {}
    replication = raw.get("dataReplicationInfo") or {}
    staging = raw.get("stagingArea") or {}
    origin = raw.get("sourceCloudProperties") or {}
    tags = raw.get("tags") or {}
    hostname = hints.get("hostname") or hints.get("fqdn") or ""
    return {
        "arn": raw.get("arn", ""),
        "name": named(tags, hostname, raw["sourceServerID"]),
        "hostname": hostname[:256],
        "os": (properties.get("os") or {}).get("fullString", "")[:256],
        "architecture": properties.get("architecture", ""),
        "tags": tags,
        "replication_state": replication.get("dataReplicationState", ""),
        "replication_error": _error(replication.get("dataReplicationError") or {}),
        "lag": parse_duration(replication.get("lagDuration")),
        "first_synced": _first_synced(replication),
        "last_launch_result": raw.get("lastLaunchResult", ""),
        "recovery_instance_id": raw.get("recoveryInstanceId", ""),
        "recommended_instance_type": properties.get("recommendedInstanceType", ""),
        "cpu_cores": _total(properties.get("cpus"), "cores"),
        "ram_bytes": properties.get("ramBytes"),
        "disk_bytes": _total(properties.get("disks"), "bytes"),
        "source_addresses": _addresses(properties.get("networkInterfaces") or []),
        "origin_account_id": origin.get("originAccountID", ""),
        "origin_region": origin.get("originRegion", ""),
        "origin_instance_id": hints.get("awsInstanceID", ""),
        "staging_account_id": staging.get("stagingAccountID", ""),
        "staging_status": staging.get("status", ""),
        "staging_error": staging.get("errorMessage", ""),
    }


def named(tags: dict[str, str], hostname: str, server_id: str) -> str:
    """What a server is called: by its Name tag, else its host name, else its id."""
    return (tags.get("Name") or hostname or server_id)[:256]


def fingerprint(columns: dict[str, Any]) -> str:
    """Equal for equal facts in the same order: what tells what changed from what did not."""
    # Of plain values `repr` says all that counts, in half the time that JSON takes, and this is
    # done for every server of every listing. AWS gives tags in any order.
    plain = [
        sorted(value.items()) if isinstance(value, dict) else value for value in columns.values()
    ]
    return hashlib.sha256(repr(plain).encode()).hexdigest()


def _error(found: dict[str, str]) -> str:
    return ": ".join(part for part in (found.get("error"), found.get("rawError")) if part)


def _first_synced(replication: dict[str, Any]) -> bool:
    state = replication.get("dataReplicationState", "")
    if state in _SYNCED:
        return True
    disks = replication.get("replicatedDisks") or []
    return (
        state in _PERHAPS_SYNCED
        and bool(disks)
        and all(
            disk.get("replicatedStorageBytes", 0) >= disk.get("totalStorageBytes", 1)
            for disk in disks
        )
    )


def _total(entries: list[dict[str, Any]] | None, member: str) -> int | None:
    if not entries:
        return None
    return sum(int(entry.get(member, 0)) for entry in entries)


def _addresses(interfaces: list[dict[str, Any]]) -> list[str]:
    ordered = sorted(interfaces, key=lambda entry: not entry.get("isPrimary", False))
    return [address for entry in ordered for address in entry.get("ips", [])]
