import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.db.models import Model

from audit.models import AuditRecord, Outcome
from audit.source import source_address
from drportal.actor import Actor
from drportal.masking import masked, masked_text, storable
from drportal.mirror.services import mark
from drportal.observability import correlation_id
from drportal.transactions import must_be_in_transaction

LONGEST_FACTS = 64 * 1024  # bytes of JSON; a DynamoDB item ends at 400 KB
_LONGEST_NAME = 255


def record(event: str, *, actor: Actor, subject: Model | None = None, **facts: Any) -> None:
    """Write down, in the caller's transaction, that `actor` did `event` to `subject`.

    `event` is in the past tense and dotted, such as `recovery.execution.started`. Secrets among
    the `facts` are masked. No record, no change: an error here rolls the change back. Raises
    RuntimeError outside a transaction.
    """
    must_be_in_transaction("record()")
    _write(event, Outcome.SUCCEEDED, actor=actor, subject=subject, facts=facts)


def record_failure(event: str, *, actor: Actor, subject: Model | None = None, **facts: Any) -> None:
    """Write down, in the caller's transaction, that what `event` names came to a bad end."""
    must_be_in_transaction("record_failure()")
    _write(event, Outcome.FAILED, actor=actor, subject=subject, facts=facts)


def record_refusal(
    event: str, *, actor: Actor, subject: Model | None = None, code: str, detail: str
) -> None:
    """Write down that `actor` was refused `event`, in a transaction of its own.

    `code` is that of the error that refused, such as `recovery.plan_already_running`, and `detail`
    its sentence. Call it after the refused change has been rolled back: inside the change's
    transaction the record would be rolled back with it, so there it raises RuntimeError.
    """
    facts = {"code": code, "detail": detail}
    with transaction.atomic(durable=True):
        _write(event, Outcome.REFUSED, actor=actor, subject=subject, facts=facts)


def record_read(event: str, *, actor: Actor, subject: Model | None = None, **facts: Any) -> None:
    """Write down that `actor` read something, once per request, in a transaction of its own.

    Raises RuntimeError inside a transaction: reads run in one that PostgreSQL lets write nothing.
    """
    with transaction.atomic(durable=True):
        _write(event, Outcome.SUCCEEDED, actor=actor, subject=subject, facts=facts)


def _write(
    event: str, outcome: Outcome, *, actor: Actor, subject: Model | None, facts: dict[str, Any]
) -> None:
    written = AuditRecord.objects.create(
        event=event,
        outcome=outcome,
        actor_kind=actor.kind.value,
        actor_name=_name(actor.name),
        user_id=actor.user_id,
        door=actor.door.value,
        subject_kind=subject._meta.label_lower if subject is not None else "",
        subject_id=str(subject.pk) if subject is not None else "",
        subject_label=_name(str(subject)) if subject is not None else "",
        facts=_fitting(masked(facts)),
        correlation_id=correlation_id(),
        source_address=source_address(),
    )
    mark("AuditLogs", written.mirror_id)


def _name(text: str) -> str:
    return storable(masked_text(text))[:_LONGEST_NAME]


def _fitting(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict):  # masking failed, and masked everything
        return {"facts": facts}
    size = len(json.dumps(facts, cls=DjangoJSONEncoder).encode())
    if size <= LONGEST_FACTS:
        return facts
    return {"left_out": sorted(facts)[:100], "bytes": size}
