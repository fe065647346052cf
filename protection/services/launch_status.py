"""How a group's launch settings stand: what is set, what was applied, and whether it holds."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from protection.choices import AppliedState, ApplyState, DriftState, LaunchStatus
from protection.models import (
    LaunchApply,
    LaunchApplyServer,
    LaunchSettings,
    LaunchStanding,
    ProtectionGroup,
    SourceServer,
)
from protection.rules import launch as rules
from protection.selectors import LaunchLevels, launch_levels, servers_chosen

# What a group is called by if any of its servers stands so, the first that fits.
_OF_THE_WORST = (
    LaunchStatus.FAILED,
    LaunchStatus.DRIFTED,
    LaunchStatus.PENDING,
    LaunchStatus.UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class ServerStanding:
    """One server of a group. `last` is what became of it when it was last applied to."""

    server: SourceServer
    settings: LaunchSettings | None
    merged: Mapping[str, rules.Setting]
    last: LaunchApplyServer | None
    standing: LaunchStanding | None
    status: LaunchStatus

    @property
    def intended(self) -> rules.Values:
        return rules.values_of(self.merged)

    @property
    def digest(self) -> str:
        """The same for the same settings: `sha256:` of JSON with its keys in order."""
        text = json.dumps(self.intended, sort_keys=True, separators=(",", ":"))
        return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """A whole group. `apply` is its latest apply, `counts` what became of the servers in that."""

    group: ProtectionGroup
    levels: LaunchLevels
    servers: Sequence[ServerStanding]
    apply: LaunchApply | None
    counts: Mapping[AppliedState, int]
    status: LaunchStatus

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - self.counts.get(AppliedState.PENDING, 0)

    @property
    def percentage(self) -> int:
        return 100 * self.done // self.total if self.total else 0

    @property
    def last_applied(self) -> tuple[datetime, str] | None:
        """When settings were last applied to any server, and who asked for it."""
        found = [
            (each.standing.applied_at, each.standing.applied_by)
            for each in self.servers
            if each.standing and each.standing.applied_at
        ]
        return max(found, default=None)


def of_group(group: ProtectionGroup) -> GroupStanding:
    """How the launch settings of a group stand. The same few queries for any number of servers."""
    levels = launch_levels(group)
    apply = LaunchApply.objects.filter(group=group).order_by("-created_at", "id").first()
    standings = {each.server_id: each for each in LaunchStanding.objects.filter(group=group)}
    last = _last(group)
    servers = [
        _server(server, levels, apply, standings.get(server.pk), last.get(server.pk))
        for server in servers_chosen(group)
    ]
    states = list(apply.servers.values_list("state", flat=True)) if apply else []
    counts = {state: states.count(state) for state in AppliedState}
    status = _overall(apply, [each.status for each in servers])
    return GroupStanding(group, levels, servers, apply, counts, status)


def _last(group: ProtectionGroup) -> dict[UUID, LaunchApplyServer]:
    rows = LaunchApplyServer.objects.filter(apply__group=group).exclude(
        apply__state=ApplyState.ABANDONED
    )
    latest = rows.order_by("server_id", "-apply__created_at", "-apply_id").distinct("server_id")
    return {row.server_id: row for row in latest}


def _server(
    server: SourceServer,
    levels: LaunchLevels,
    apply: LaunchApply | None,
    standing: LaunchStanding | None,
    last: LaunchApplyServer | None,
) -> ServerStanding:
    merged = rules.merged(levels.layers(server.pk))
    status = _status(rules.values_of(merged), apply, standing, last)
    return ServerStanding(server, levels.servers.get(server.pk), merged, last, standing, status)


def _status(
    intended: rules.Values,
    apply: LaunchApply | None,
    standing: LaunchStanding | None,
    last: LaunchApplyServer | None,
) -> LaunchStatus:
    if last is not None and last.state == AppliedState.PENDING:
        pending = apply is None or apply.state == ApplyState.PENDING
        return LaunchStatus.PENDING if pending else LaunchStatus.SYNCING
    if _failed_since(standing, last):
        return LaunchStatus.FAILED
    applied = standing.applied_values if standing else None
    if not intended and not applied:
        return LaunchStatus.NOT_CONFIGURED
    if standing is not None and standing.drift == DriftState.IN_STEP:
        return LaunchStatus.READY
    if applied != intended:
        return LaunchStatus.PENDING
    drifted = standing is not None and standing.drift == DriftState.DRIFTED
    return LaunchStatus.DRIFTED if drifted else LaunchStatus.UNKNOWN


def _failed_since(standing: LaunchStanding | None, last: LaunchApplyServer | None) -> bool:
    if last is None or last.state not in (AppliedState.FAILED, AppliedState.UNKNOWN):
        return False
    looked = standing.checked_at if standing and standing.drift == DriftState.IN_STEP else None
    # What failed may have been put right by hand; a look that found all in step says so.
    return looked is None or last.finished_at is None or looked < last.finished_at


def _overall(apply: LaunchApply | None, servers: Sequence[LaunchStatus]) -> LaunchStatus:
    if apply is not None and apply.state in (ApplyState.PENDING, ApplyState.RUNNING):
        return LaunchStatus.PENDING if apply.state == ApplyState.PENDING else LaunchStatus.SYNCING
    set_for = [each for each in servers if each != LaunchStatus.NOT_CONFIGURED]
    if not set_for:
        return LaunchStatus.NOT_CONFIGURED
    for worst in _OF_THE_WORST:
        if worst in set_for:
            some = worst == LaunchStatus.FAILED and set(set_for) != {LaunchStatus.FAILED}
            return LaunchStatus.PARTIAL if some else worst
    return LaunchStatus.READY
