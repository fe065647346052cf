"""What the portal keeps of a recovery instance, out of what DRS and EC2 answered."""

from datetime import UTC
from typing import Any

from drportal.aws.drs import RecoveryInstance
from drportal.aws.ec2 import Instance

# What only EC2 knows. It stays as it was while EC2 does not answer.
OF_EC2 = (
    "instance_type",
    "private_ip",
    "public_ip",
    "vpc_id",
    "subnet_id",
    "availability_zone",
    "launched_at",
)


def drs_facts(instance: RecoveryInstance) -> dict[str, Any]:
    """The columns of `RecoveryInstance` that DRS tells. What it left out is empty or None."""
    raw = instance.raw
    hints = (raw.get("recoveryInstanceProperties") or {}).get("identificationHints") or {}
    tags = raw.get("tags") or {}
    return {
        "server_id": instance.server_id,
        "arn": raw.get("arn", ""),
        "job_id": instance.job_id,
        "name": (tags.get("Name") or hints.get("hostname") or hints.get("fqdn") or "")[:256],
        "ec2_state": instance.ec2_state,
        "is_drill": instance.is_drill,
        "point_in_time": instance.point_in_time,
        "failback_state": (raw.get("failback") or {}).get("state", ""),
        "replication_state": (raw.get("dataReplicationInfo") or {}).get("dataReplicationState", ""),
        "tags": tags,
    }


def ec2_facts(instance: Instance | None, known: dict[str, Any]) -> dict[str, Any]:
    """The columns that EC2 tells. Of an instance that it no longer knows, `known` stays but for
    its state.
    """
    if instance is None:
        return {**known, "ec2_state": "NOT_FOUND"}
    told = {name: getattr(instance, name) for name in OF_EC2}
    if instance.launched_at is not None:  # as it is read back, or it would never be unchanged
        told["launched_at"] = instance.launched_at.astimezone(UTC)
    return told | {"ec2_state": instance.state.upper()}
