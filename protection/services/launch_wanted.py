"""What the launch settings want of servers now, as it is applied to them and compared with AWS."""

from collections.abc import Collection, Mapping
from uuid import UUID

from protection.choices import AppliedState, ApplyState
from protection.models import LaunchApply, LaunchApplyServer, LaunchStanding, ProtectionGroup
from protection.rules import launch as rules
from protection.selectors import launch_levels

LIVE = frozenset({ApplyState.PENDING, ApplyState.RUNNING})


def wanted(group: ProtectionGroup, servers: Collection[UUID]) -> Mapping[UUID, rules.Values]:
    """What each of `servers`, by its row, is to have in `group`, with null for what was applied
    once and is to be taken away. Empty where nothing is set. Two queries.
    """
    levels = launch_levels(group)
    standings = LaunchStanding.objects.filter(group=group, server__in=servers)
    before = dict(standings.values_list("server_id", "applied_values"))
    return {
        key: rules.with_withdrawals(rules.intended(levels.layers(key)), before.get(key))
        for key in servers
    }


def being_applied(groups: Collection[ProtectionGroup]) -> dict[UUID, LaunchApply]:
    """By server's row, the apply that is under way and has yet to reach it. One query."""
    rows = LaunchApplyServer.objects.filter(
        apply__group__in=groups, apply__state__in=LIVE, state=AppliedState.PENDING
    )
    return {row.server_id: row.apply for row in rows.select_related("apply")}


def last_for(holder_id: UUID, servers: Collection[UUID]) -> dict[UUID, LaunchApplyServer]:
    """By server's row, what became of it when it was last applied for a holder. One query."""
    rows = LaunchApplyServer.objects.filter(apply__holder_id=holder_id, server__in=servers)
    newest = rows.order_by("server_id", "-apply__created_at", "-apply_id").distinct("server_id")
    return {row.server_id: row for row in newest}
