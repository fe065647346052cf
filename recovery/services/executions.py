"""Executions: starting them, and what people ask of them."""

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import DomainError
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.observability import checkpoint, correlation_id
from protection.models import ProtectionGroup, TargetAccount
from protection.services import holds
from recovery.engine.options import WHOLE, StartOptions
from recovery.errors import (
    ConfirmationNeeded,
    ExecutionEnded,
    GateNeedsApprovals,
    GateNotReached,
    PlanAlreadyRunning,
    ServersHeld,
)
from recovery.models import (
    AccountClaim,
    Execution,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
    ServerClaim,
    WaveServer,
)
from recovery.services import admission as admissions
from recovery.services import approval_terms, gate_people, starting, waves
from recovery.services.events import note
from recovery.services.notices import telling_refusals
from recovery.states import EXECUTION, ExecutionState, Kind, WaveState


@telling_refusals
def start(
    plan: RecoveryPlan,
    *,
    kind: Kind,
    options: StartOptions = WHOLE,
    reason: str = "",
    confirmation: str = "",
    overriding: bool = False,
    approval_needed: bool | None = None,
    actor: Actor,
) -> Execution:
    """Begin to carry out `plan`, as it is now, or what `options` choose of it, and hold the
    servers that are launched.

    The database decides between two who start at once. Raises PlanAlreadyRunning, ServersHeld,
    ServersNotReady, ApproversGone, RecoveryPointUnknown, what `starting.resolve` and
    `admission.admit` raise and, for a recovery whose `confirmation` is not the plan's name,
    ConfirmationNeeded; then nothing is written. With `overriding`, what a preflight says and
    servers that are not ready do not keep it from starting, if a reason is given. With
    `approval_needed` it waits for a second person; None asks the plan, which says so of recoveries
    only. Workers do the rest.
    """
    if kind == Kind.RECOVERY and confirmation.strip() != plan.name:
        raise ConfirmationNeeded(plan)
    with transaction.atomic():
        plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
        waits = approval_terms.terms(plan, kind=kind, needed=approval_needed)
        execution = _create(plan, kind=kind, options=options, reason=reason, actor=actor, **waits)
        _hold_groups(execution, plan, options)
        resolved = starting.resolve(plan, options)
        gate_people.must_be_openable(entry.wave for entry in resolved if entry.servers)
        unready = starting.unready(resolved)
        if unready is not None and not overriding:
            raise unready
        starting.snapshot(execution, resolved)
        waves.release_groups(execution)
        claim(execution, execution.servers.filter(in_scope=True))
        admission = admissions.admit(
            plan,
            starting.places(resolved, options),
            options=options,
            overriding=overriding,
            reason=reason,
            besides=[unready.detail] if unready else [],
        )
        starting.choose_points(execution, options, admission.preflight)
        what = f"{execution.get_kind_display()} requested by {actor.name}."
        note(execution, "execution.requested", what, actor=actor)
        approval_terms.tell(execution)
        starting.note_options(execution, options, actor=actor)
        admissions.note_override(execution, admission, reason=reason, actor=actor)
        record(
            "recovery.execution.started",
            actor=actor,
            subject=execution,
            plan=plan.name,
            version=plan.version,
            kind=str(kind),
            options=options.as_dict(),
            ticket=options.ticket,
            reason=reason,
            servers=sum(len(entry.servers) for entry in resolved),
            preflight=str(admission.preflight.pk) if admission.preflight else None,
        )
        mark("WaveStatus", *execution.waves.values_list("id", flat=True))
        wake(execution)
    checkpoint("execution.requested", execution_id=str(execution.pk))
    return execution


def refusal(plan: RecoveryPlan, options: StartOptions = WHOLE) -> DomainError | None:
    """What `start` would raise for `plan` now, as far as that can be told without holding
    anything; None if nothing is seen to be in the way.
    """
    running = Execution.objects.active().filter(plan=plan).first()
    if running is not None:
        return PlanAlreadyRunning(plan, running.pk)
    try:
        resolved = starting.resolve(plan, options)
        gate_people.must_be_openable(entry.wave for entry in resolved if entry.servers)
    except DomainError as error:
        return error
    wanted = starting.places(resolved, options)
    return starting.unready(resolved) or admissions.refusal(plan, wanted, options=options)


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

    Gates that named people open are left alone. Raises ExecutionEnded, GateNotReached if no such
    wave waits, and GateNeedsApprovals if such as do wait for named people.
    """
    with transaction.atomic():
        execution = locked_and_live(execution)
        waiting = execution.waves.filter(state=WaveState.WAITING, gate_opened_at=None)
        if position is not None:
            waiting = waiting.filter(position=position)
        found = list(waiting.select_for_update())
        if not found:
            raise GateNotReached(f"Wave {position}" if position else f"The {execution}")
        found = [wave for wave in found if not wave.gate_rule] or found
        if found[0].gate_rule:
            raise GateNeedsApprovals(found[0])
        for wave in found:
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
            waves=[str(wave) for wave in found],
            comment=comment,
        )
        wake(execution)
    return execution


def _create(
    plan: RecoveryPlan,
    *,
    kind: Kind,
    options: StartOptions,
    reason: str,
    actor: Actor,
    **waits: Any,
) -> Execution:
    try:
        with transaction.atomic():
            return Execution.objects.create(
                plan=plan,
                plan_name=plan.name,
                plan_version=plan.version,
                kind=kind,
                options=options.as_dict(),
                ticket=options.ticket,
                preflight_before_waves=plan.preflight_before_waves,
                launch_settings_policy=plan.launch_settings_policy,
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


def _hold_groups(execution: Execution, plan: RecoveryPlan, options: StartOptions) -> None:
    """Keep every group of the waves that are launched as it is until each wave has started."""
    positions = PlanWave.objects.filter(plan=plan).values_list("position", flat=True)
    launched = [position for position in positions if options.takes_wave(position)]
    entries = PlanWaveGroup.objects.filter(wave__plan=plan, wave__position__in=launched)
    groups = ProtectionGroup.objects.filter(pk__in=entries.values("group_id"))
    holds.hold(groups, holder_id=execution.pk, holder=str(execution))


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
