"""What the audit record says about an object."""

from django.db.models import Model, QuerySet

from audit.models import AuditRecord

_MOST = 200


def about(obj: Model) -> QuerySet[AuditRecord]:
    """The newest audit records about `obj`, at most 200, newest first."""
    found = AuditRecord.objects.filter(
        subject_kind=obj._meta.label_lower, subject_id=str(obj.pk)
    ).order_by("-id")
    return found[:_MOST]
