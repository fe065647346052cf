"""The pages on which a second person approves or rejects what somebody else has started."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from drportal.access import allowed
from drportal.adminkit import confirm
from recovery.admin import tones
from recovery.admin.steering import SteeringPages
from recovery.models import Execution
from recovery.permissions import PlanPermission
from recovery.services import admission, approval_terms, approvals
from recovery.states import Kind

_MOST_NAMES = 10


class ApprovalPages(SteeringPages):
    """Pages of an execution for those who may approve it."""

    def approval_urls(self) -> list[URLPattern]:
        return [
            self.url("<str:object_id>/approve/", self.approve_view, "approve"),
            self.url(
                "<str:object_id>/approve/override/", self.approve_override_view, "approve_override"
            ),
            self.url("<str:object_id>/reject/", self.reject_view, "reject"),
        ]

    def has_approve_permission(self, request: HttpRequest, obj: Execution) -> bool:
        """May the person approve what others start of this plan?"""
        return allowed(request.user, PlanPermission.APPROVE, obj.plan)

    def approval_panel(self, request: HttpRequest, execution: Execution) -> dict[str, Any] | None:
        """What the page says of an approval that is waited for; None if none is. Two queries."""
        if not approval_terms.awaits(execution):
            return None
        people = [person.get_username() for person in approval_terms.approvers(execution)]
        own = approval_terms.is_starter(execution, self.actor(request))
        return {
            "own": own,
            "may": self.has_approve_permission(request, execution) and not own,
            "people": people[:_MOST_NAMES],
            "more": max(len(people) - _MOST_NAMES, 0),
        }

    def approve_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then let the execution begin."""
        return self._approve(request, object_id, overriding=False)

    def approve_override_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The same for whoever may override what the preflight says."""
        execution = self.found(request, object_id, "approve")
        if not allowed(request.user, PlanPermission.OVERRIDE_PREFLIGHT, execution.plan):
            raise PermissionDenied
        return self._approve(request, object_id, overriding=True)

    def _approve(self, request: HttpRequest, object_id: str, *, overriding: bool) -> HttpResponse:
        execution = self.found(request, object_id, "approve")

        def act(said: dict[str, Any]) -> str:
            approvals.approve(
                execution,
                comment=said["reason"],
                overriding=overriding,
                actor=self.actor(request),
            )
            return f"The {execution} is approved, and begins."

        return self.asked(
            request, execution, self._question(request, execution, overriding=overriding), act
        )

    def _question(
        self, request: HttpRequest, execution: Execution, *, overriding: bool
    ) -> confirm.Question:
        real = execution.kind == Kind.RECOVERY
        refusal = admission.refusal_again(execution)
        may_override = isinstance(refusal, admission.OVERRIDABLE) and allowed(
            request.user, PlanPermission.OVERRIDE_PREFLIGHT, execution.plan
        )
        text = f"{execution.requested_by} asked for it. {execution.servers.count()} servers"
        text += " will be launched for production." if real else " will be launched beside others."
        despite = " despite its preflight" if overriding else ""
        return confirm.Question(
            title=f"Approve the {execution}{despite}",
            text=f"{'This is a REAL RECOVERY. ' if real else ''}{text}",
            verb=f"Approve{despite}",
            danger=real or overriding,
            reason="Comment, which is recorded" if overriding else "Comment",
            template="recovery/approve.html",
            context={
                "execution": execution,
                "kind": tones.kind_badge(execution.kind),
                "refusal": refusal,
                "may_override": may_override and not overriding,
            },
        )

    def reject_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask why, then let the execution end with nothing launched."""
        execution = self.found(request, object_id, "approve")

        def act(said: dict[str, Any]) -> str:
            approvals.reject(execution, reason=said["reason"], actor=self.actor(request))
            return f"The {execution} is rejected. Nothing is launched."

        question = confirm.Question(
            title=f"Reject the {execution}",
            text="It is cancelled, and nothing of it is launched.",
            verb="Reject",
            reason="Reason (needed)",
        )
        return self.asked(request, execution, question, act)
