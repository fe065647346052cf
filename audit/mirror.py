"""What the mirror holds of the audit record."""

import json
from collections.abc import Iterable, Iterator

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet

from audit.models import AuditRecord
from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import moment
from drportal.mirror.projections import Projection, Style
from drportal.mirror.rows import Restoration, columns


def _audit_logs(records: QuerySet[AuditRecord]) -> Iterator[Item]:
    for record in records:
        yield {
            "auditId": str(record.mirror_id),
            "sequence": record.pk,
            "timestamp": moment(record.at),
            "operation": record.event,
            "status": record.outcome,
            "principalType": record.actor_kind,
            "principalName": record.actor_name or None,
            "userId": record.user_id,
            "invocationMode": record.door,
            "subject": f"{record.subject_kind}/{record.subject_id}" if record.subject_id else None,
            "subjectKind": record.subject_kind,
            "subjectId": record.subject_id,
            "subjectLabel": record.subject_label,
            # As text: what a caller put into it may be more than DynamoDB's own types can hold.
            "facts": json.dumps(record.facts, cls=DjangoJSONEncoder, sort_keys=True),
            "requestId": record.correlation_id,
            "sourceIp": record.source_address,
        }


_COLUMNS = {
    "mirror_id": "auditId",
    "id": "sequence",
    "at": "timestamp",
    "event": "operation",
    "outcome": "status",
    "actor_kind": "principalType",
    "user_id": "userId",
    "door": "invocationMode",
    "subject_kind": "subjectKind",
    "subject_id": "subjectId",
    "subject_label": "subjectLabel",
    "correlation_id": "requestId",
    "source_address": "sourceIp",
}


def _restore(items: Iterable[Item], done: Restoration) -> None:
    """The records, under their own numbers. They are added, as any record is."""
    done.write(
        AuditRecord(
            **columns(AuditRecord, item, _COLUMNS),
            actor_name=item.get("principalName", ""),
            facts=json.loads(item["facts"]),
        )
        for item in items
    )


PROJECTIONS = (
    Projection(
        kind="AuditLogs",
        model=AuditRecord,
        key="auditId",
        field="mirror_id",
        style=Style.BATCH,
        build=_audit_logs,
        restore=_restore,
        indexes=(
            Index("SubjectIndex", "subject", "timestamp"),
            Index("PrincipalIndex", "principalName", "timestamp"),
            Index("OperationIndex", "operation", "timestamp"),
        ),
    ),
)
