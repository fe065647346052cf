"""Applying launch settings to the servers that an execution has yet to launch.

Protection applies them, with its own journal: every server is read back. Here it is only said which
servers, and for which execution, which holds their groups.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from audit.services import record
from drportal.actor import PORTAL, Actor
from protection.choices import AppliedState, LaunchStatus
from protection.errors import ApplyInProgress, HolderGone, NothingToApply
from protection.models import LaunchApply, ProtectionGroup, SourceServer
from protection.services import launch_apply_held, launch_wanted
from recovery.engine.preflight_facts import Facts, ServerFacts
from recovery.models import Execution, WaveServer
from recovery.services import steering
from recovery.services.events import note
from recovery.services.wave_facts import key_of, source_servers
from recovery.states import ServerState

_OVER = frozenset({AppliedState.FAILED, AppliedState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Standing:
    """How applying to a server stands, as a check takes it."""

    settings: str
    message: str = ""


def ask(execution: Execution, *, actor: Actor) -> list[LaunchApply]:
    """Have launch settings applied to all servers that the execution has yet to launch, and return
    what was asked for, one for each group. A group that is being applied already is left to that.

    Raises NothingToApply if nothing is set for any, or all of it is under way, ExecutionEnded and
    BeingCancelled; then nothing is written.
    """
    with transaction.atomic():
        execution = steering.live(execution)
        servers = list(
            execution.servers.filter(
                state=ServerState.PENDING, wave__state__in=steering.BEFORE_LAUNCH
            )
        )
        applies, reasons = _ask(execution, servers, actor=actor)
        if not applies:
            raise NothingToApply(" ".join(reasons) or f"Nothing of the {execution} is to launch.")
        count = sum(apply.servers.count() for apply in applies)
        said = f"{actor.name} had launch settings applied to {count} servers that are to launch."
        note(execution, "execution.launch_settings_applied", said, actor=actor)
        record(
            "recovery.execution.launch_settings_requested",
            actor=actor,
            subject=execution,
            applies=[str(apply.pk) for apply in applies],
            servers=count,
        )
    return applies


def applies_of(execution: Execution) -> QuerySet[LaunchApply]:
    """What was applied for an execution, newest first, with its servers. Three queries."""
    found = LaunchApply.objects.filter(holder_id=execution.pk).select_related("group")
    return found.prefetch_related("servers__server").order_by("-created_at", "id")


def apply_what_differs(
    execution: Execution, servers: Collection[WaveServer], facts: Facts
) -> Mapping[tuple[str, str, str], Standing]:
    """Have settings applied to those of a wave's servers of which DRS holds others, unless that
    was done for this execution and failed. Returns how it stands with each of those.
    """
    wrong = {_key(server) for server in facts.servers if _differs(server, facts)}
    rows = [row for row in servers if key_of(row) in wrong]
    sources = source_servers(rows)
    last = launch_wanted.last_for(execution.pk, {source.pk for source in sources.values()})
    found: dict[tuple[str, str, str], Standing] = {}
    anew = []
    for row in rows:
        source = sources.get(key_of(row))
        before = last.get(source.pk) if source else None
        if before is not None and before.state in _OVER:
            found[key_of(row)] = Standing(str(LaunchStatus.FAILED), before.message)
        else:
            anew.append(row)
            found[key_of(row)] = Standing(str(LaunchStatus.SYNCING))
    if anew:
        with transaction.atomic():
            _, reasons = _ask(execution, anew, actor=PORTAL)
        if reasons:
            failed = Standing(str(LaunchStatus.FAILED), " ".join(reasons))
            found |= {key_of(row): failed for row in anew}
    return found


def _key(server: ServerFacts) -> tuple[str, str, str]:
    return server.account_id, server.region, server.server_id


def _differs(server: ServerFacts, facts: Facts) -> bool:
    launch = facts.places[server.place].launches.get(server.server_id)
    compared = launch is not None and not launch.problem and bool(launch.differs)
    return compared and server.settings == LaunchStatus.UNKNOWN


def _ask(
    execution: Execution, servers: Collection[WaveServer], *, actor: Actor
) -> tuple[list[LaunchApply], list[str]]:
    """What was asked for, and why something could not be."""
    sources = source_servers(servers)
    by_group: dict[str, list[SourceServer]] = {}
    for row in servers:
        if key_of(row) in sources:
            by_group.setdefault(row.group_name, []).append(sources[key_of(row)])
    groups = ProtectionGroup.objects.filter(name__in=by_group).order_by("pk")
    applies: list[LaunchApply] = []
    reasons: list[str] = []
    for group in groups:
        wanted = {source.pk for source in by_group[group.name]}
        try:
            applies.append(
                launch_apply_held.ask(group, wanted, holder_id=execution.pk, actor=actor)
            )
        except ApplyInProgress:  # it is waited for: what it reaches is looked at again
            continue
        except (NothingToApply, HolderGone) as error:
            reasons.append(error.detail)
    return applies, reasons
