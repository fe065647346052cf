"""The base of the pages whose refusals are written down."""

from django.db.models import Model
from django.http import HttpRequest
from typing_extensions import override

from audit.services import record_refusal
from drportal.adminkit.base import PortalAdmin


class RecordedAdmin(PortalAdmin):
    """A page that records whom it turned away and what its service refused, as the API does.

    What was done, the services record themselves.
    """

    @override
    def refused(
        self, request: HttpRequest, *, code: str, detail: str, obj: Model | None = None
    ) -> None:
        page = request.resolver_match.url_name if request.resolver_match else self.opts.model_name
        record_refusal(
            f"admin.{page}",
            actor=self.actor(request),
            subject=obj,
            code=code,
            detail=f"{request.method} {request.path}: {detail}",
        )
