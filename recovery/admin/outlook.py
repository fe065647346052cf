"""What a plan would launch if it were started now."""

from collections.abc import Sequence
from dataclasses import dataclass

from protection.selectors import readiness_of, regions_by_key, servers_chosen
from recovery.models import PlanWave, RecoveryPlan


@dataclass(frozen=True, slots=True)
class WaveOutlook:
    """A wave: its groups, how many servers they hold now, and which could not be launched."""

    wave: PlanWave
    groups: str
    servers: int
    problems: Sequence[str]


def outlook(plan: RecoveryPlan) -> list[WaveOutlook]:
    """The waves of a plan as they would start now. A query per group, and three more."""
    regions = regions_by_key()
    found = []
    for wave in plan.waves.order_by("position").prefetch_related("groups"):
        servers = [server for group in wave.groups.all() for server in servers_chosen(group)]
        verdicts = [
            (server, readiness_of(server, regions.get((server.account_id, server.region))))
            for server in servers
        ]
        problems = [
            f"{server.name}: {verdict.reason}"
            for server, verdict in verdicts
            if not verdict.launchable
        ]
        if not servers:
            problems.append("It holds no servers.")
        names = ", ".join(group.name for group in wave.groups.all())
        found.append(WaveOutlook(wave, names, len(servers), problems))
    return found
