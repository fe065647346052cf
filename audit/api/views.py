"""The viewset that writes down what was read and what was refused. What was changed, the services
write down themselves, in the change's own transaction.
"""

from collections.abc import Set
from http import HTTPStatus
from typing import Any, ClassVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.permissions import SAFE_METHODS
from rest_framework.response import Response

from audit.services import record_read, record_refusal
from drportal.actor import Actor, ActorKind, Door
from drportal.api import idempotency
from drportal.api.access import PortalViewSet

_NOBODY = Actor(kind=ActorKind.PERSON, name="anonymous", door=Door.API)
# Who was turned away is worth knowing even if they only wanted to look.
_TURNED_AWAY = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}


class RecordedViewSet(PortalViewSet):
    """Each request leaves a record: a read (`api.read`), an answer given again (`api.replayed`),
    or a refusal of what was wanted (`api.executions.create`). No record, no answer.

    `reads` are actions that change nothing although they are POST.
    """

    reads: ClassVar[Set[str]] = frozenset()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = super().dispatch(request, *args, **kwargs)
        if isinstance(response, Response):
            self._record(response)
        return response

    def _record(self, response: Response) -> None:
        status = response.status_code
        if status >= HTTPStatus.BAD_REQUEST:
            if status in _TURNED_AWAY or not self._reading():
                self._record_refusal(response)
        elif self._reading() or idempotency.REPLAYED in response.headers:
            record_read(
                "api.read" if self._reading() else "api.replayed",
                actor=self._whoever(),
                subject=self.found,
                operation=self._operation(),
                path=self.request.path,
                parameters=dict(self.request.query_params.lists()),
                status=status,
            )

    def _record_refusal(self, response: Response) -> None:
        said: dict[str, Any] = response.data
        record_refusal(
            f"api.{self._operation()}",
            actor=self._whoever(),
            subject=self.found,
            code=said["code"],
            detail=f"{self.request.method} {self.request.path}: {said['detail']}",
        )

    def _reading(self) -> bool:
        return self.request.method in SAFE_METHODS or self.action in self.reads

    def _operation(self) -> str:
        return f"{self.basename}.{self.action or 'none'}"

    def _whoever(self) -> Actor:
        # Asking the request who it is would authenticate again, and fail again.
        user = getattr(self.request, "_user", None)
        return self.actor if user is not None and user.is_authenticated else _NOBODY
