"""Whether a preflight lets a plan start; see docs/adr/0010."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import DomainError, NotFound
from recovery.engine import preflight as engine
from recovery.engine.options import WHOLE, StartOptions
from recovery.errors import (
    OverrideNeedsReason,
    PreflightBlocks,
    PreflightNeeded,
    ServersNotReady,
)
from recovery.models import Execution, Preflight, RecoveryPlan
from recovery.services import preflights, waivers
from recovery.services.events import note

# What an override lifts. All else keeps a server from being launched twice.
OVERRIDABLE: Final = (PreflightNeeded, PreflightBlocks, ServersNotReady)


Launched = tuple[int, str, str, str, str]  # wave, account id, Region, server id, recovery point


@dataclass(frozen=True, slots=True)
class Admission:
    """That a plan may start: by a preflight, or despite what `against` says."""

    preflight: Preflight | None
    against: tuple[str, ...] = ()


def admit(
    plan: RecoveryPlan,
    servers: Iterable[Launched],
    *,
    options: StartOptions = WHOLE,
    overriding: bool,
    reason: str,
    besides: Sequence[str] = (),
) -> Admission:
    """Let a start of `servers`, as `starting.places` names them, through, or raise.

    Raises PreflightNeeded if no young preflight of just these `options` looked at just these
    servers in this version of the plan, and PreflightBlocks if it found what blocks. With
    `overriding` neither is raised, but OverrideNeedsReason if no reason is given; `besides` is
    what else is overridden.
    """
    found, refusal = _looked_at(plan, servers, options)
    if refusal is not None and not overriding:
        raise refusal
    against = (*besides, *([refusal.detail] if refusal else ()))
    if against and not reason.strip():
        raise OverrideNeedsReason
    return Admission(found, against)


def refusal(
    plan: RecoveryPlan, servers: Iterable[Launched], *, options: StartOptions = WHOLE
) -> DomainError | None:
    """What `admit` would raise now without overriding; None if it would let the start through."""
    return _looked_at(plan, servers, options)[1]


def admit_again(execution: Execution, *, overriding: bool, reason: str) -> Admission:
    """Let an execution through that has waited for an approval since it was admitted, or raise.

    It is a snapshot, so what counts is that a young preflight of its options looked at just its
    servers, whichever version its plan has by now. Raises what `admit` raises.
    """
    plan = execution.plan
    if plan is None:
        raise NotFound("Its plan is gone.")
    options = StartOptions.of_dict(execution.options)
    found = preflights.last_done(plan, options)
    refusal: DomainError | None
    if found is None:
        refusal = _never(plan, options)
    else:
        refusal = _unfit(plan, found, _digest_of(execution, options)) or _blocked(plan, found)
    if refusal is not None and not overriding:
        raise refusal
    if refusal is not None and not reason.strip():
        raise OverrideNeedsReason
    return Admission(found, (refusal.detail,) if refusal else ())


def refusal_again(execution: Execution) -> DomainError | None:
    """What `admit_again` would raise now without overriding; None if it would let it through."""
    try:
        admit_again(execution, overriding=False, reason="")
    except DomainError as error:
        return error
    return None


def _digest_of(execution: Execution, options: StartOptions) -> str:
    columns = ("wave__position", "account_id", "region", "server_id")
    servers = execution.servers.filter(in_scope=True).order_by().values_list(*columns)
    return engine.digest_of((*place, str(options.wish(place[-1]))) for place in servers)


def note_override(
    execution: Execution,
    admission: Admission,
    *,
    reason: str,
    actor: Actor,
    what: str = "Started",
) -> None:
    """Write down what was overridden, by whom and why, in the start's own transaction."""
    if not admission.against:
        return
    kept = admission.preflight.checks if admission.preflight else []
    codes = waivers.carry_over(
        execution, [engine.of_dict(each) for each in kept], reason=reason, actor=actor
    )
    told = " ".join(admission.against)
    said = f"{what} by {actor.name} although it would have been refused: {reason} - {told}"
    note(execution, "preflight.overridden", said, actor=actor)
    record(
        "recovery.preflight.overridden",
        actor=actor,
        subject=execution,
        plan=execution.plan_name,
        reason=reason,
        against=list(admission.against),
        preflight=str(admission.preflight.pk) if admission.preflight else None,
        before_waves={str(position): sorted(held) for position, held in codes.items()},
    )


def _looked_at(
    plan: RecoveryPlan, servers: Iterable[Launched], options: StartOptions
) -> tuple[Preflight | None, DomainError | None]:
    found = preflights.last_done(plan, options)
    if found is None:
        return None, _never(plan, options)
    return found, _needed(plan, found, engine.digest_of(servers)) or _blocked(plan, found)


def _never(plan: RecoveryPlan, options: StartOptions) -> PreflightNeeded:
    why = "Nobody has looked yet whether it can be started"
    why += " with just these options." if options.as_dict() else "."
    return PreflightNeeded(plan, why)


def _needed(plan: RecoveryPlan, found: Preflight, digest: str) -> DomainError | None:
    if _is_young(found) and found.plan_version != plan.version:
        return PreflightNeeded(plan, f"The last one was of version {found.plan_version}.")
    return _unfit(plan, found, digest)


def _is_young(found: Preflight) -> bool:
    age = timezone.now() - (found.started_at or found.created_at)
    return age <= timedelta(minutes=settings.PREFLIGHT_WORTH_MINUTES)


def _unfit(plan: RecoveryPlan, found: Preflight, digest: str) -> DomainError | None:
    """That nobody has looked at just these servers lately, whatever the plan's version was."""
    if not _is_young(found):
        age = timezone.now() - (found.started_at or found.created_at)
        minutes = int(age.total_seconds() // 60)
        return PreflightNeeded(plan, f"The last one looked {minutes} minutes ago.")
    if found.digest != digest:
        return PreflightNeeded(plan, "Its groups hold other servers than the last one looked at.")
    return None


def _blocked(plan: RecoveryPlan, found: Preflight) -> DomainError | None:
    checks = [engine.of_dict(kept) for kept in found.checks]
    if engine.outcome_of(checks) not in engine.BLOCKING:
        return None
    codes = sorted({check.code for check in checks if check.outcome in engine.BLOCKING})
    said = engine.in_the_way(checks)
    return PreflightBlocks(plan, said, codes=codes, preflight=found.pk)
