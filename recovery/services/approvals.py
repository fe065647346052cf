"""A second person's word on an execution. Written down here; the engine then begins it, or not."""

from django.db import transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from recovery.errors import NotAwaitingApproval, OwnExecution, ReasonNeeded
from recovery.models import Execution
from recovery.services import admission as admissions
from recovery.services import executions
from recovery.services.approval_terms import awaits, is_starter
from recovery.services.events import note
from recovery.services.steering import live, sentence
from recovery.states import ExecutionState


def approve(
    execution: Execution, *, comment: str = "", overriding: bool = False, actor: Actor
) -> Execution:
    """Let an execution begin that somebody else started.

    Its preflight must be young still, for it may have waited for long: raises what
    `admission.admit` raises, and with `overriding` OverrideNeedsReason without a comment. Raises
    OwnExecution to its starter, NotAwaitingApproval, BeingCancelled and ExecutionEnded; then
    nothing is written.
    """
    with transaction.atomic():
        execution = _awaiting(execution, actor)
        admission = admissions.admit_again(execution, overriding=overriding, reason=comment)
        execution.approved_at, execution.approved_by = timezone.now(), actor.name
        execution.approved_by_id, execution.approval_comment = actor.user_id, comment
        execution.save(
            update_fields=["approved_at", "approved_by", "approved_by_id", "approval_comment"]
        )
        said = sentence(f"Approved by {actor.name}", comment)
        note(execution, "execution.approved", said, actor=actor)
        admissions.note_override(execution, admission, reason=comment, actor=actor, what="Approved")
        record(
            "recovery.execution.approved",
            actor=actor,
            subject=execution,
            comment=comment,
            requested_by=execution.requested_by,
            preflight=str(admission.preflight.pk) if admission.preflight else None,
        )
        executions.wake(execution)
    return execution


def reject(execution: Execution, *, reason: str, actor: Actor) -> Execution:
    """Say no: an execution that somebody else started is cancelled, and nothing is launched.

    Raises ReasonNeeded, and what `approve` raises of who and when; then nothing is written.
    """
    if not reason.strip():
        raise ReasonNeeded
    with transaction.atomic():
        execution = _awaiting(execution, actor)
        execution.cancel_requested_at = timezone.now()
        execution.cancel_requested_by = actor.name
        execution.cancel_reason = f"Rejected: {reason}"[:1000]
        execution.save(
            update_fields=["cancel_requested_at", "cancel_requested_by", "cancel_reason"]
        )
        note(execution, "execution.rejected", f"Rejected by {actor.name}: {reason}", actor=actor)
        record(
            "recovery.execution.rejected",
            actor=actor,
            subject=execution,
            reason=reason,
            requested_by=execution.requested_by,
        )
        executions.wake(execution)
    return execution


def _awaiting(execution: Execution, actor: Actor) -> Execution:
    """The execution's row, locked, if `actor` may decide about it now."""
    execution = live(execution)
    if not awaits(execution):
        raise NotAwaitingApproval(execution, ExecutionState(execution.state).label)
    if is_starter(execution, actor):
        raise OwnExecution(execution)
    return execution
