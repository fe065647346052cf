from django.db.models import Model, QuerySet

from audit.models import AuditRecord
from drportal.access import Anybody, visible

_MOST = 200


def records_for(user: Anybody) -> QuerySet[AuditRecord]:
    """The audit records that `user` may see: with `audit.view_auditrecord` all, else none."""
    return visible(user, "audit.view_auditrecord", among=AuditRecord.objects.all())


def history(obj: Model) -> QuerySet[AuditRecord]:
    """The records about `obj`, newest first, at most 200. One query."""
    return AuditRecord.objects.filter(
        subject_kind=obj._meta.label_lower, subject_id=str(obj.pk)
    ).order_by("-id")[:_MOST]
