"""The base of the pages that write down who read them and who was refused."""

from django.db.models import Model, QuerySet
from django.http import HttpRequest
from typing_extensions import override

from audit.models import AuditRecord
from audit.services import record_read, record_refusal
from drportal.adminkit.base import PortalAdmin

# The history of an object is what was done to it, and what was refused: not who looked.
_READS = ("admin.read", "api.read")
_MOST = 200


class RecordedAdmin(PortalAdmin):
    """A page that records who read it, whom it turned away and what its service refused, as the
    API does. What was done, the services record themselves. No record, no page.
    """

    @override
    def was_read(self, request: HttpRequest, obj: Model | None) -> None:
        record_read(
            "admin.read",
            actor=self.actor(request),
            subject=obj,
            page=self._page(request),
            path=request.path,
            parameters=dict(request.GET.lists()),
        )

    @override
    def refused(
        self, request: HttpRequest, *, code: str, detail: str, obj: Model | None = None
    ) -> None:
        record_refusal(
            f"admin.{self._page(request)}",
            actor=self.actor(request),
            subject=obj,
            code=code,
            detail=f"{request.method} {request.path}: {detail}",
        )

    @override
    def history(self, obj: Model) -> QuerySet[AuditRecord]:
        about = AuditRecord.objects.filter(
            subject_kind=obj._meta.label_lower, subject_id=str(obj.pk)
        )
        return about.exclude(event__in=_READS).order_by("-id")[:_MOST]

    def _page(self, request: HttpRequest) -> str:
        match = request.resolver_match
        return (match.url_name if match else None) or self.opts.label_lower
