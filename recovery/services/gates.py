"""What named people decide at a gate. Written down here; the last approval that it needs opens it,
and what keeps it shut the engine carries out.
"""

from django.db import transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from recovery.engine import gates
from recovery.engine.gates import GateRule, Standing
from recovery.errors import (
    GateIsShut,
    GateNeedsNoApprovals,
    GateNotReached,
    NotAnApprover,
    ReasonNeeded,
    WaveNotFound,
)
from recovery.models import Execution, GateDecision, Wave
from recovery.services import executions
from recovery.services.events import note
from recovery.services.gate_people import eligible
from recovery.services.steering import live, sentence
from recovery.states import WaveState


def approve(execution: Execution, *, position: int, comment: str = "", actor: Actor) -> Execution:
    """Approve that the wave at `position` start. Enough approvals open its gate; a second one of
    the same person changes nothing.

    Raises NotAnApprover unless the plan named `actor`, GateNotReached, GateNeedsNoApprovals,
    GateIsShut, WaveNotFound, BeingCancelled and ExecutionEnded; then nothing is written.
    """
    with transaction.atomic():
        execution = live(execution)
        wave, rule = _at_gate(execution, position)
        person, counting = _approver(wave, rule, actor)
        decision, new = wave.decisions.get_or_create(
            person=person,
            approved=True,
            defaults={"person_id": actor.user_id, "comment": comment},
        )
        if not new:
            return execution
        given = {row.person for row in wave.decisions.all() if row.approved} & counting
        how_many = f"{len(given)} of {rule.needed}"
        said = sentence(f"Gate before {wave} approved by {person}, {how_many}", comment)
        note(execution, "wave.gate_approved", said, wave=wave, actor=actor)
        _record("recovery.gate.approved", wave, decision, actor)
        if _standing(wave, rule, counting) == Standing.OPEN:
            _open(wave, sorted(given), comment)
        executions.wake(execution)
    return execution


def deny(execution: Execution, *, position: int, reason: str, actor: Actor) -> Execution:
    """Deny that the wave at `position` start. One denial is enough: its gate stays shut, and the
    plan says whether that blocks the wave or cancels the execution.

    Raises ReasonNeeded, and what `approve` raises; then nothing is written.
    """
    if not reason.strip():
        raise ReasonNeeded
    with transaction.atomic():
        execution = live(execution)
        wave, rule = _at_gate(execution, position)
        person, _ = _approver(wave, rule, actor)
        decision = wave.decisions.create(
            person=person, person_id=actor.user_id, approved=False, comment=reason
        )
        said = f"Gate before {wave} denied by {person}: {reason}"
        note(execution, "wave.gate_denied", said, wave=wave, actor=actor)
        _record("recovery.gate.denied", wave, decision, actor)
        executions.wake(execution)
    return execution


def _at_gate(execution: Execution, position: int) -> tuple[Wave, GateRule]:
    """The wave, locked, if it waits at a gate that named people open and that is not shut."""
    wave = execution.waves.select_for_update().filter(position=position).first()
    if wave is None:
        raise WaveNotFound(execution, position)
    if wave.state != WaveState.WAITING or wave.gate_opened_at is not None:
        raise GateNotReached(f"Wave {position}")
    rule = gates.of_dict(wave.gate_rule)
    if rule is None:
        raise GateNeedsNoApprovals(wave)
    found = _standing(wave, rule, set())
    if found in gates.SHUT:
        raise GateIsShut(wave, found)
    return wave, rule


def _approver(wave: Wave, rule: GateRule, actor: Actor) -> tuple[str, set[str]]:
    """The name by which `actor` counts, and all that count now."""
    there = eligible(rule)
    if actor.user_id is None or actor.user_id not in there:
        raise NotAnApprover(f"gate before {wave}")
    return there[actor.user_id], set(there.values())


def _standing(wave: Wave, rule: GateRule, counting: set[str]) -> Standing:
    now = timezone.now()
    rows = list(wave.decisions.all())
    return gates.standing(
        rule,
        approved=[row.person for row in rows if row.approved],
        denied=any(not row.approved for row in rows),
        counting=counting,
        reached_at=wave.gate_reached_at or now,
        now=now,
    )


def _open(wave: Wave, people: list[str], comment: str) -> None:
    names = ", ".join(people)
    wave.gate_opened_at, wave.gate_opened_by = timezone.now(), names[:254]
    wave.gate_comment = comment
    wave.save(update_fields=["gate_opened_at", "gate_opened_by", "gate_comment"])
    said = f"Gate before {wave} is open: approved by {names}."
    note(wave.execution, "wave.gate_opened", said, wave=wave)


def _record(event: str, wave: Wave, decision: GateDecision, actor: Actor) -> None:
    record(
        event,
        actor=actor,
        subject=wave.execution,
        wave=str(wave),
        comment=decision.comment,
        needed=wave.gate_rule["needed"],
    )
