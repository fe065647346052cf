"""Checks that explain themselves: what is wrong with a plan, and what would happen at a start now.

An ERROR keeps the plan from being saved. A WARNING does not: groups and servers change, and a
start looks again. Nothing here asks AWS, so what is said of servers is as old as the inventory.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from drportal.access import Anybody
from protection.choices import Readiness, SettingsLevel
from protection.models import LaunchSettings, ProtectionGroup, SourceServer
from protection.rules.readiness import Verdict
from protection.selectors import readiness_of, regions_by_key
from recovery.choices import CheckLevel
from recovery.engine import graph, peaks
from recovery.models import Execution, RecoveryPlan
from recovery.selectors import executions_for, holders, place_of_server, servers_by_group
from recovery.services import gate_people, plan_rules
from recovery.services.plan_documents import spec_of
from recovery.services.plan_rules import Complaint, PlanSpec, WaveSpec, named

_WAVE = re.compile(r"waves\[(\d+)\]")
_ALL = 100  # percent


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a check found. `wave` is a position, None if it is about the whole plan."""

    wave: int | None
    level: CheckLevel
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WaveLook:
    """How many servers a wave would launch now, in how many launch jobs."""

    position: int
    name: str
    servers: int
    jobs: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """All findings, and how each wave looks now. `servers` are those that would be launched."""

    findings: tuple[Finding, ...]
    waves: tuple[WaveLook, ...]
    servers: tuple[SourceServer, ...]

    @property
    def savable(self) -> bool:
        """Whether the plan could be saved as it is."""
        return not any(found.level == CheckLevel.ERROR for found in self.findings)

    @property
    def of_whole(self) -> list[Finding]:
        """The findings about no wave in particular."""
        return [found for found in self.findings if found.wave is None]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the checks look at, fetched in a fixed number of queries."""

    plan: RecoveryPlan | None
    said: PlanSpec
    groups: Mapping[UUID, ProtectionGroup]
    held: Mapping[UUID, Sequence[SourceServer]]
    launched: Mapping[int, Sequence[SourceServer]]
    times: Mapping[SourceServer, int]
    verdicts: Mapping[UUID, Verdict]
    holders: Mapping[tuple[str, str, str], Execution]
    seen: Collection[UUID]
    settings: "_Settings"


@dataclass(frozen=True, slots=True)
class _Settings:
    """At which levels launch settings say something."""

    everywhere: bool
    groups: Collection[UUID]
    servers: Collection[tuple[UUID, UUID]]


def of_plan(plan: RecoveryPlan, *, user: Anybody) -> Checked:
    """The checks of a plan as it is saved. A fixed number of queries."""
    return check(spec_of(plan), plan=plan, user=user)


def check(
    said: PlanSpec,
    *,
    plan: RecoveryPlan | None = None,
    unseen: Collection[UUID] = (),
    user: Anybody,
) -> Checked:
    """The checks of a draft, of `plan` if that is there already. A fixed number of queries.

    `unseen` are groups that `user` may not see: to them, these are not there. Of executions that
    they may not see they learn only that a server is held.
    """
    hidden = plan_rules.unseen_complaints(said.waves, unseen)
    errors = hidden or plan_rules.complaints(said)
    findings = [_of_complaint(complaint) for complaint in errors]
    findings += _name_taken(said, plan)
    if len(said.waves) > plan_rules.MOST_WAVES:
        return Checked(tuple(findings), (), ())  # nobody could start it, nor read on
    facts = _facts(said, plan, unseen, user)
    for position, wave in enumerate(said.waves, start=1):
        findings += _of_wave(position, wave, facts)
    findings += _queued(facts)
    waves = tuple(
        _look(position, wave, facts, findings) for position, wave in enumerate(said.waves, start=1)
    )
    launched = {server.pk: server for found in facts.launched.values() for server in found}
    return Checked(tuple(findings), waves, tuple(launched.values()))


def _of_complaint(complaint: Complaint) -> Finding:
    place = _WAVE.match(complaint["field"])
    wave = int(place[1]) + 1 if place else None
    return Finding(wave, CheckLevel.ERROR, complaint["code"], complaint["message"])


def _name_taken(said: PlanSpec, plan: RecoveryPlan | None) -> Iterable[Finding]:
    taken = RecoveryPlan.objects.filter(name__iexact=said.name.strip())
    if plan is not None:
        taken = taken.exclude(pk=plan.pk)
    if taken.exists():
        message = f"There is a recovery plan named {said.name.strip()} already."
        yield Finding(None, CheckLevel.ERROR, "name_taken", message)


def _facts(
    said: PlanSpec, plan: RecoveryPlan | None, unseen: Collection[UUID], user: Anybody
) -> _Facts:
    wanted = {group_id for wave in said.waves for group_id in wave.group_ids} - set(unseen)
    held = servers_by_group(wanted)
    groups = ProtectionGroup.objects.select_related("account").in_bulk(held)
    launched = {
        position: [
            server
            for group_id in dict.fromkeys(wave.group_ids)
            for server in plan_rules.launched_of(
                held.get(group_id, ()), wave.servers_of(group_id).server_ids
            )
        ]
        for position, wave in enumerate(said.waves, start=1)
    }
    regions = regions_by_key()
    verdicts = {
        server.pk: readiness_of(server, regions.get((server.account_id, server.region)))
        for servers in held.values()
        for server in servers
    }
    held_now = holders()
    running = {execution.pk for execution in held_now.values()}
    seen = executions_for(user).filter(pk__in=running).values_list("pk", flat=True)
    return _Facts(
        plan=plan,
        said=said,
        groups=groups,
        held=held,
        launched=launched,
        times=Counter(server for found in launched.values() for server in found),
        verdicts=verdicts,
        holders=held_now,
        seen=set(seen),
        settings=_settings(held),
    )


def _settings(groups: Collection[UUID]) -> _Settings:
    rows = LaunchSettings.objects.exclude(values={}).values_list("level", "group_id", "server_id")
    here: list[tuple[str, Any, Any]] = [
        row for row in rows if row[0] == SettingsLevel.INSTALLATION or row[1] in groups
    ]
    return _Settings(
        everywhere=any(level == SettingsLevel.INSTALLATION for level, _, _ in here),
        groups={group for level, group, _ in here if level == SettingsLevel.GROUP},
        servers={(group, server) for _, group, server in here if server is not None},
    )


def _of_wave(position: int, wave: WaveSpec, facts: _Facts) -> Iterable[Finding]:
    warnings = [
        *_empty(wave, facts),
        *_gone(wave, facts),
        *_twice(position, facts),
        *_readiness(position, facts),
        *_lag(position, facts),
        *_without_settings(wave, facts),
        *_held_elsewhere(position, facts),
        *_threshold(position, wave, facts),
        *_approvers(wave),
    ]
    for code, message in warnings:
        yield Finding(position, CheckLevel.WARNING, code, message)


_Warning = tuple[str, str]


def _empty(wave: WaveSpec, facts: _Facts) -> Iterable[_Warning]:
    for group_id in wave.group_ids:
        if group_id in facts.groups and not facts.held[group_id]:
            yield "empty_group", f"{facts.groups[group_id]} holds no servers now."


def _gone(wave: WaveSpec, facts: _Facts) -> Iterable[_Warning]:
    for entry in wave.group_servers:
        there = {server.server_id for server in facts.held.get(entry.group_id, ())}
        gone = sorted(set(entry.server_ids) - there)
        if gone and entry.group_id in facts.groups:
            group = facts.groups[entry.group_id]
            message = f"{group} no longer holds {named(gone)}, so the plan cannot be started."
            yield "chosen_servers_gone", message


def _twice(position: int, facts: _Facts) -> Iterable[_Warning]:
    here = facts.launched[position]
    twice = sorted({str(server) for server in here if facts.times[server] > 1})
    if twice:
        message = f"Launched more than once by this plan, which cannot be started: {named(twice)}."
        yield "server_twice", message


def _readiness(position: int, facts: _Facts) -> Iterable[_Warning]:
    for readiness, code, told in (
        (Readiness.NOT_READY, "not_ready", "Cannot be launched now"),
        (Readiness.UNKNOWN, "readiness_unknown", "Not known whether they can be launched now"),
    ):
        rows = [
            f"{server.name}: {facts.verdicts[server.pk].reason}"
            for server in facts.launched[position]
            if facts.verdicts[server.pk].readiness == readiness
        ]
        if rows:
            yield code, f"{told}: {named(rows)}."


def _lag(position: int, facts: _Facts) -> Iterable[_Warning]:
    rpo = facts.said.rpo
    if rpo is None:
        return
    servers = facts.launched[position]
    late = [f"{row.name} ({row.lag})" for row in servers if row.lag is not None and row.lag > rpo]
    if late:
        yield "lagging_beyond_rpo", f"Behind by more than the RPO of {rpo}: {named(late)}."
    unknown = [server.name for server in servers if server.lag is None]
    if unknown:
        message = "How far they are behind is not known, so neither whether within the RPO: "
        yield "lag_unknown", f"{message}{named(unknown)}."


def _without_settings(wave: WaveSpec, facts: _Facts) -> Iterable[_Warning]:
    if facts.settings.everywhere:
        return
    for group_id in wave.group_ids:
        if group_id not in facts.groups or group_id in facts.settings.groups:
            continue
        chosen = plan_rules.launched_of(facts.held[group_id], wave.servers_of(group_id).server_ids)
        bare = [row.name for row in chosen if (group_id, row.pk) not in facts.settings.servers]
        if bare:
            message = "No launch settings at any level, so DRS launches them as it holds them"
            yield "no_launch_settings", f"{facts.groups[group_id]}: {message}: {named(bare)}."


def _held_elsewhere(position: int, facts: _Facts) -> Iterable[_Warning]:
    by_holder: dict[str, list[str]] = {}
    for server in facts.launched[position]:
        execution = facts.holders.get(place_of_server(server))
        if execution is None or (facts.plan and execution.plan_id == facts.plan.pk):
            continue
        seen = execution.pk in facts.seen
        holder = f"execution {execution.pk} of {execution.plan_name}" if seen else "an execution"
        by_holder.setdefault(holder, []).append(server.name)
    for holder, servers in sorted(by_holder.items()):
        yield (
            "held_by_execution",
            f"Held by {holder}, and not to be started before it ends: {named(servers)}.",
        )


def _threshold(position: int, wave: WaveSpec, facts: _Facts) -> Iterable[_Warning]:
    optional = {
        (entry.group_id, pk) for entry in wave.group_servers for pk in entry.optional_server_ids
    }
    servers = len(facts.launched[position])
    if wave.success_threshold < _ALL and not optional:
        yield (
            "threshold_without_effect",
            "Every server is critical, so the success threshold has no effect.",
        )
    elif optional and servers and (servers - 1) * _ALL < wave.success_threshold * servers:
        message = (
            f"One server of {servers} that fails leaves less than {wave.success_threshold} % "
            "launched, so the wave does not end well although the server is optional."
        )
        yield "optional_without_effect", message


def _approvers(wave: WaveSpec) -> Iterable[_Warning]:
    rule = wave.gate_rule
    if rule is None:
        return
    gone = gate_people.strangers(rule)
    if gone:
        yield "approvers_gone", f"Named for its gate, but not there: {' '.join(gone)}"
    there = len(gate_people.eligible(rule))
    if there < rule.needed:
        message = f"Its gate needs {rule.needed} approvals, but only {there} people can give one"
        yield "gate_cannot_open", f"{message}, so the plan cannot be started."


def _queued(facts: _Facts) -> Iterable[Finding]:
    """More than DRS's quotas take at once: only waves that can run at the same time count
    together, and only in one account and Region.
    """
    needs = plan_rules.needs_of(facts.said.waves)
    if graph.cycle(needs) or graph.unknown(needs):
        return
    places = {place_of_server(row)[:2] for found in facts.launched.values() for row in found}
    for place in sorted(places):
        sizes = {
            position: sum(place_of_server(row)[:2] == place for row in found)
            for position, found in facts.launched.items()
        }
        for by_jobs in (False, True):
            weights = {p: len(peaks.job_sizes(n)) if by_jobs else n for p, n in sizes.items()}
            together = sorted(peaks.heaviest(needs, weights))
            finding = _of_peak(place, together, sizes)
            if finding is not None:
                yield finding
                break


def _of_peak(
    place: tuple[str, ...], together: Sequence[int], sizes: Mapping[int, int]
) -> Finding | None:
    jobs = [size for position in together for size in peaks.job_sizes(sizes[position])]
    waits = peaks.waiting(jobs)
    if not waits:
        return None
    waves = "Waves " + ", ".join(map(str, together)) if len(together) > 1 else "This wave"
    message = (
        f"{waves} can launch {sum(jobs)} servers at once in {'/'.join(place)}: {len(jobs)} jobs; "
        f"{waits} wait until DRS has room (20 jobs and 500 servers in jobs at a time)."
    )
    return Finding(together[0], CheckLevel.WARNING, "queued", message)


def _look(position: int, wave: WaveSpec, facts: _Facts, findings: Sequence[Finding]) -> WaveLook:
    servers = facts.launched[position]
    by_place = Counter(place_of_server(server)[:2] for server in servers)
    return WaveLook(
        position=position,
        name=wave.name.strip(),
        servers=len(servers),
        jobs=sum(len(peaks.job_sizes(count)) for count in by_place.values()),
        findings=tuple(found for found in findings if found.wave == position),
    )
