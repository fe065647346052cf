"""How the standing of launch settings is shown: the reference system's `launchConfigStatus`."""

from typing import Any

from protection.choices import AppliedState, DriftState, LaunchStatus
from protection.services.launch_status import GroupStanding, ServerStanding


def status_out(found: GroupStanding) -> dict[str, Any]:
    """A group's standing, as it is shown."""
    apply, last = found.apply, found.last_applied
    servers = [_server(each) for each in found.servers]
    return {
        "groupId": str(found.group.pk),
        "status": str(found.status),
        "lastApplied": last[0] if last else None,
        "appliedBy": last[1] if last else None,
        "requestedBy": apply.requested_by if apply else None,
        "startTime": apply.started_at if apply else None,
        "completionTime": apply.finished_at if apply else None,
        "syncJobId": str(apply.pk) if apply else None,
        "progressCount": found.done,
        "totalCount": found.total,
        "percentage": found.percentage,
        "appliedServers": found.counts.get(AppliedState.APPLIED, 0),
        "failedServers": found.counts.get(AppliedState.FAILED, 0)
        + found.counts.get(AppliedState.UNKNOWN, 0),
        "serverConfigs": {each["serverId"]: each for each in servers},
        "errors": [f"{each['name']}: {error}" for each in servers for error in each["errors"]],
    }


def _server(each: ServerStanding) -> dict[str, Any]:
    standing, last = each.standing, each.last
    waiting = last is not None and last.state == AppliedState.PENDING
    tells = each.status == LaunchStatus.FAILED or waiting
    return {
        "serverId": each.server.server_id,
        "name": each.server.name,
        "status": str(each.status),
        "lastApplied": standing.applied_at if standing else None,
        "appliedBy": (standing.applied_by or None) if standing else None,
        "configHash": each.digest,
        "errors": [last.message] if last and tells and last.message else [],
        "attempts": last.attempts if last else 0,
        "templateVersion": last.template_version if last else None,
        "drift": str(standing.drift if standing else DriftState.UNKNOWN),
        "driftMessage": standing.message if standing else "",
        "differences": standing.differences if standing else [],
        "checkedAt": standing.checked_at if standing else None,
    }
