"""The pages on which a person fails back after a recovery. Each asks first."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from recovery.admin import failbacks
from recovery.admin.steering import SteeringPages
from recovery.models import Execution


class FailbackPages(SteeringPages):
    """Pages of an execution for those who may fail back after it."""

    def failback_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/failback/", self.failback_view, "failback"),
            self.url(
                "<str:object_id>/failback/gate/<str:gate>/",
                self.failback_gate_view,
                "failback_gate",
            ),
            self.url(
                "<str:object_id>/failback/leave-out/<str:server_id>/",
                self.failback_leave_out_view,
                "failback_leave_out",
            ),
            self.url(
                "<str:object_id>/failback/cancel/", self.failback_cancel_view, "failback_cancel"
            ),
        ]

    def has_failback_permission(self, request: HttpRequest, obj: Execution) -> bool:
        """May the person fail back after this execution?"""
        return failbacks.may_fail_back(request, obj)

    def _returning(self, request: HttpRequest, object_id: str) -> Execution:
        execution: Execution = self.found(request, object_id, "failback")
        return execution

    def failback_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then request that what the recovery launched goes back."""
        return failbacks.ask(self, request, self._returning(request, object_id))

    def failback_gate_view(self, request: HttpRequest, object_id: str, gate: str) -> HttpResponse:
        """Ask, then open a gate of the failback."""
        return failbacks.ask_gate(self, request, self._returning(request, object_id), gate)

    def failback_leave_out_view(
        self, request: HttpRequest, object_id: str, server_id: str
    ) -> HttpResponse:
        """Ask, then leave a server out of the failback."""
        execution = self._returning(request, object_id)
        return failbacks.ask_leave_out(self, request, execution, server_id)

    def failback_cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then request that the failback be cancelled."""
        return failbacks.ask_cancel(self, request, self._returning(request, object_id))
