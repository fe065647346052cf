"""Executions: starting them, and what people ask of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import DomainError
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.observability import checkpoint, correlation_id
from protection.models import ProtectionGroup, SourceServer, TargetAccount
from protection.selectors import readiness_of, regions_by_key
from protection.services import holds
from recovery.errors import (
    ChosenServersGone,
    ConfirmationNeeded,
    ExecutionEnded,
    GateNotReached,
    PlanAlreadyRunning,
    PlanHasNoServers,
    ServersHeld,
    ServersNotReady,
    ServerTwice,
)
from recovery.models import (
    AccountClaim,
    Execution,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
    ServerClaim,
    Wave,
    WaveServer,
)
from recovery.selectors import place_of_server, servers_by_group, with_waves
from recovery.services import admission as admissions
from recovery.services import approval_terms
from recovery.services.events import note
from recovery.services.notices import telling_refusals
from recovery.services.plan_rules import launched_of
from recovery.states import EXECUTION, ExecutionState, Kind, WaveState


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A wave of the plan with the servers that it launches, as its groups hold them now."""

    wave: PlanWave
    servers: tuple[tuple[ProtectionGroup, SourceServer], ...]
    optional: frozenset[tuple[ProtectionGroup, str]]


@telling_refusals
def start(
    plan: RecoveryPlan,
    *,
    kind: Kind,
    reason: str = "",
    confirmation: str = "",
    overriding: bool = False,
    approval_needed: bool | None = None,
    actor: Actor,
) -> Execution:
    """Begin to carry out `plan`, as it is now, and hold its servers for it.

    The database decides between two who start at once. Raises PlanAlreadyRunning, ServersHeld,
    ServersNotReady, ServerTwice, PlanHasNoServers, ChosenServersGone, what `admission.admit`
    raises and, for a recovery whose `confirmation` is not the plan's name, ConfirmationNeeded;
    then nothing is written. With `overriding`, what a preflight says and servers that are not
    ready do not keep it from starting, if a reason is given. With `approval_needed` it waits for a
    second person; None asks the plan, which says so of recoveries only. Workers do the rest.
    """
    if kind == Kind.RECOVERY and confirmation.strip() != plan.name:
        raise ConfirmationNeeded(plan)
    with transaction.atomic():
        plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
        waits = approval_terms.terms(plan, kind=kind, needed=approval_needed)
        execution = _create(plan, kind=kind, reason=reason, actor=actor, **waits)
        _hold_groups(execution, plan)
        resolved = _resolve(plan)
        _must_be_once(resolved)
        unready = _unready(resolved)
        if unready is not None and not overriding:
            raise unready
        _snapshot(execution, resolved)
        claim(execution, execution.servers.all())
        admission = admissions.admit(
            plan,
            _places(resolved),
            overriding=overriding,
            reason=reason,
            besides=[unready.detail] if unready else [],
        )
        what = f"{execution.get_kind_display()} requested by {actor.name}."
        note(execution, "execution.requested", what, actor=actor)
        approval_terms.tell(execution)
        admissions.note_override(execution, admission, reason=reason, actor=actor)
        record(
            "recovery.execution.started",
            actor=actor,
            subject=execution,
            plan=plan.name,
            version=plan.version,
            kind=str(kind),
            reason=reason,
            servers=sum(len(entry.servers) for entry in resolved),
            preflight=str(admission.preflight.pk) if admission.preflight else None,
        )
        mark("WaveStatus", *execution.waves.values_list("id", flat=True))
        wake(execution)
    checkpoint("execution.requested", execution_id=str(execution.pk))
    return execution


def refusal(plan: RecoveryPlan) -> DomainError | None:
    """What `start` would raise for `plan` now, as far as that can be told without holding
    anything; None if nothing is seen to be in the way.
    """
    running = Execution.objects.active().filter(plan=plan).first()
    if running is not None:
        return PlanAlreadyRunning(plan, running.pk)
    try:
        resolved = _resolve(plan)
        _must_be_once(resolved)
    except DomainError as error:
        return error
    return _unready(resolved) or admissions.refusal(plan, _places(resolved))


def cancel(execution: Execution, *, reason: str = "", actor: Actor) -> Execution:
    """Ask that an execution be cancelled: nothing more is launched, and jobs that DRS runs
    already are watched to their end. Asking twice changes nothing. Raises ExecutionEnded.
    """
    with transaction.atomic():
        execution = locked_and_live(execution)
        if execution.cancel_requested_at is None:
            execution.cancel_requested_at = timezone.now()
            execution.cancel_requested_by, execution.cancel_reason = actor.name, reason
            execution.save(
                update_fields=["cancel_requested_at", "cancel_requested_by", "cancel_reason"]
            )
            said = f"Cancel requested by {actor.name}" + (f": {reason}" if reason else ".")
            note(execution, "execution.cancel_requested", said, actor=actor)
            record(
                "recovery.execution.cancel_requested",
                actor=actor,
                subject=execution,
                reason=reason,
            )
            wake(execution)
    return execution


def resume(
    execution: Execution, *, position: int | None = None, comment: str = "", actor: Actor
) -> Execution:
    """Open the gate of the wave at `position`, or without one of every wave that waits.

    Raises ExecutionEnded, and GateNotReached if no such wave waits.
    """
    with transaction.atomic():
        execution = locked_and_live(execution)
        waiting = execution.waves.filter(state=WaveState.WAITING, gate_opened_at=None)
        if position is not None:
            waiting = waiting.filter(position=position)
        waves = list(waiting.select_for_update())
        if not waves:
            raise GateNotReached(f"Wave {position}" if position else f"The {execution}")
        for wave in waves:
            wave.gate_opened_at, wave.gate_opened_by = timezone.now(), actor.name
            wave.gate_comment = comment
            wave.save(update_fields=["gate_opened_at", "gate_opened_by", "gate_comment"])
            said = f"Gate before {wave} opened by {actor.name}" + (
                f": {comment}" if comment else "."
            )
            note(execution, "wave.gate_opened", said, wave=wave, actor=actor)
        record(
            "recovery.gate.opened",
            actor=actor,
            subject=execution,
            waves=[str(wave) for wave in waves],
            comment=comment,
        )
        wake(execution)
    return execution


def _create(
    plan: RecoveryPlan, *, kind: Kind, reason: str, actor: Actor, **waits: Any
) -> Execution:
    try:
        with transaction.atomic():
            return Execution.objects.create(
                plan=plan,
                plan_name=plan.name,
                plan_version=plan.version,
                kind=kind,
                reason=reason,
                requested_by_id=actor.user_id,
                requested_by=actor.name,
                correlation_id=correlation_id(),
                **waits,
            )
    except IntegrityError as error:
        if "recovery_one_active_execution_per_plan" not in str(error):
            raise
        running = Execution.objects.active().filter(plan=plan).first()
        raise PlanAlreadyRunning(plan, running.pk if running else "unknown") from error


def _hold_groups(execution: Execution, plan: RecoveryPlan) -> None:
    """Keep every group of the plan as it is until its waves have started, each wave's all."""
    needed = PlanWaveGroup.objects.filter(wave__plan=plan).values("group_id")
    groups = ProtectionGroup.objects.filter(pk__in=needed)
    holds.hold(groups, holder_id=execution.pk, holder=str(execution))


def _resolve(plan: RecoveryPlan) -> list[_Resolved]:
    waves = list(with_waves(RecoveryPlan.objects.filter(pk=plan.pk)).get().waves.all())
    entries = {wave: list(wave.entries.all()) for wave in waves}
    held = servers_by_group(entry.group_id for found in entries.values() for entry in found)
    _must_hold_the_chosen(entries, held)
    resolved = []
    for wave, found in entries.items():
        servers = tuple(
            (entry.group, server)
            for entry in found
            for server in launched_of(held[entry.group_id], entry.server_ids)
        )
        if not servers:
            raise PlanHasNoServers(f"Wave {wave.position} ({wave.name}) has no servers.")
        optional = {(entry.group, pk) for entry in found for pk in entry.optional_server_ids}
        resolved.append(_Resolved(wave, servers, frozenset(optional)))
    return resolved


def _must_hold_the_chosen(
    entries: Mapping[PlanWave, Sequence[PlanWaveGroup]],
    held: Mapping[UUID, Sequence[SourceServer]],
) -> None:
    """A server that the plan names must not be left out silently."""
    gone = [
        (f"wave {wave.position}", entry.group.name, chosen)
        for wave, found in entries.items()
        for entry in found
        for chosen in set(entry.server_ids) - {row.server_id for row in held[entry.group_id]}
    ]
    if gone:
        raise ChosenServersGone(gone)


def _places(resolved: Sequence[_Resolved]) -> list[tuple[int, str, str, str]]:
    """The servers that are launched, as a preflight names them."""
    return [
        (entry.wave.position, *place_of_server(server))
        for entry in resolved
        for _, server in entry.servers
    ]


def _must_be_once(resolved: Sequence[_Resolved]) -> None:
    servers = [server for entry in resolved for _, server in entry.servers]
    twice = [server for server, times in Counter(servers).items() if times > 1]
    if twice:
        named = ", ".join(sorted(map(str, twice)))
        raise ServerTwice(f"Servers are in more than one group of the plan: {named}.")


def _unready(resolved: Sequence[_Resolved]) -> ServersNotReady | None:
    """Servers that could not be launched now, or of which that is not known."""
    regions = regions_by_key()
    verdicts = {
        str(server): readiness_of(server, regions.get((server.account_id, server.region)))
        for entry in resolved
        for _, server in entry.servers
    }
    refused = [(name, found.reason) for name, found in verdicts.items() if not found.launchable]
    return ServersNotReady(refused) if refused else None


def _snapshot(execution: Execution, resolved: Sequence[_Resolved]) -> None:
    waves = Wave.objects.bulk_create(
        Wave(
            execution=execution,
            position=entry.wave.position,
            name=entry.wave.name,
            depends_on=entry.wave.depends_on,
            gate=entry.wave.gate,
            gate_instructions=entry.wave.gate_instructions,
            wait=entry.wave.wait,
            time_limit=entry.wave.time_limit,
            success_threshold=entry.wave.success_threshold,
            group_names=sorted({held.group.name for held in entry.wave.entries.all()}),
        )
        for entry in resolved
    )
    WaveServer.objects.bulk_create(
        WaveServer(
            execution=execution,
            wave=wave,
            account_id=server.account.account_id,
            region=server.region,
            server_id=server.server_id,
            name=server.name,
            os=server.os,
            group_name=group.name,
            critical=(group, server.server_id) not in entry.optional,
        )
        for wave, entry in zip(waves, resolved, strict=True)
        for group, server in entry.servers
    )


def claim(execution: Execution, servers: QuerySet[WaveServer]) -> None:
    """Hold `servers` and the accounts that they are in; what it holds already, it goes on to hold.

    In one order for everybody, so that two starts cannot deadlock. Raises ServersHeld.
    """
    columns = ("account_id", "region", "server_id")
    held = set(execution.claims.filter(released_at=None).values_list(*columns))
    wanted = [key for key in servers.order_by(*columns).values_list(*columns) if key not in held]
    try:
        with transaction.atomic():
            ServerClaim.objects.bulk_create(
                ServerClaim(
                    execution=execution, account_id=account, region=region, server_id=server
                )
                for account, region, server in wanted
            )
            accounts = TargetAccount.objects.filter(account_id__in={place[0] for place in wanted})
            AccountClaim.objects.bulk_create(
                [AccountClaim(execution=execution, account=account) for account in accounts],
                ignore_conflicts=True,
            )
    except IntegrityError as error:
        if "recovery_server_held_once" not in str(error):
            raise
        raise ServersHeld(_holders(wanted)) from error


def _holders(wanted: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, Any]]:
    held = ServerClaim.objects.filter(
        released_at=None, server_id__in=[server for _, _, server in wanted]
    ).values_list("account_id", "region", "server_id", "execution__plan_name", "execution_id")
    return [
        (server, plan, execution)
        for account, region, server, plan, execution in held
        if (account, region, server) in set(wanted)
    ]


def locked_and_live(execution: Execution) -> Execution:
    """The execution's row, locked for a request. Raises ExecutionEnded."""
    execution = Execution.objects.select_for_update().get(pk=execution.pk)
    if execution.state in EXECUTION.terminal:
        raise ExecutionEnded(execution, ExecutionState(execution.state).label)
    return execution


def wake(execution: Execution) -> None:
    """Let the engine look at it as soon as this commits; beat looks all the same. What it has
    decided before is not carried out any more.
    """
    asked = F("requests_made") + 1
    Execution.objects.filter(pk=execution.pk).update(due_at=timezone.now(), requests_made=asked)
    hint("recovery.advance", execution_id=str(execution.pk))
