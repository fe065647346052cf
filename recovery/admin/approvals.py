"""The pages on which a second person approves or rejects what somebody else has started."""

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from drportal.access import allowed
from drportal.adminkit import confirm
from drportal.errors import DomainError
from recovery.admin import tones
from recovery.admin.links import KEPT
from recovery.admin.steering import SteeringPages, wave_of
from recovery.choices import GateExpiry
from recovery.engine import gates as gate_rules
from recovery.engine.gates import GateRule
from recovery.models import ApprovalLink, Execution, Wave
from recovery.permissions import PlanPermission
from recovery.services import (
    admission,
    approval_links,
    approval_terms,
    approvals,
    gate_people,
    gates,
)
from recovery.states import EXECUTION, Kind, WaveState

_MOST_NAMES = 10


class ApprovalPages(SteeringPages):
    """Pages of an execution for those who may approve it."""

    def approval_urls(self) -> list[URLPattern]:
        return [
            self.url("link/", self.link_view, "link"),
            self.url("<str:object_id>/approve/", self.approve_view, "approve"),
            self.url(
                "<str:object_id>/approve/override/", self.approve_override_view, "approve_override"
            ),
            self.url("<str:object_id>/reject/", self.reject_view, "reject"),
            self.url(
                "<str:object_id>/gate/<int:position>/approve/",
                self.gate_approve_view,
                "gate_approve",
            ),
            self.url("<str:object_id>/gate/<int:position>/deny/", self.gate_deny_view, "gate_deny"),
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

    # Gates that named people open.

    def gate_panels(self, request: HttpRequest, execution: Execution) -> list[dict[str, Any]]:
        """What the page says of each such gate that waits. Two queries for each."""
        if execution.state not in EXECUTION.active or execution.cancel_requested_at is not None:
            return []
        return [
            self._gate_panel(request, wave, rule)
            for wave in execution.waves.all()
            if wave.state == WaveState.WAITING and wave.gate_opened_at is None
            for rule in [gate_rules.of_dict(wave.gate_rule)]
            if rule is not None
        ]

    def _gate_panel(self, request: HttpRequest, wave: Wave, rule: GateRule) -> dict[str, Any]:
        there = gate_people.eligible(rule)
        given = {row.person for row in wave.decisions.all() if row.approved}
        counting = sorted(given & set(there.values()))
        own_name = there.get(request.user.pk or 0)
        may = self.has_approve_permission(request, wave.execution) and own_name is not None
        left = sorted(set(there.values()) - given)
        return {
            "wave": wave,
            "rule": rule,
            "given": counting,
            "left": left[:_MOST_NAMES],
            "more": max(len(left) - _MOST_NAMES, 0),
            "gone": gate_people.strangers(rule),
            "stuck": len(there) < rule.needed,
            "expires_at": rule.expires_at(wave.gate_reached_at) if wave.gate_reached_at else None,
            "consequence": GateExpiry(rule.on_expiry).label.lower(),
            "may": may,
            "may_approve": may and own_name not in given,
        }

    def gate_approve_view(
        self, request: HttpRequest, object_id: str, position: int
    ) -> HttpResponse:
        """Ask, then approve that a wave start."""
        execution = self.found(request, object_id, "approve")
        wave = wave_of(execution, position)

        def act(said: dict[str, Any]) -> str:
            gates.approve(
                execution, position=position, comment=said["reason"], actor=self.actor(request)
            )
            return f"You approved that {wave} start."

        return self.asked(request, execution, self._gate_question(wave), act)

    def gate_deny_view(self, request: HttpRequest, object_id: str, position: int) -> HttpResponse:
        """Ask why, then deny that a wave start."""
        execution = self.found(request, object_id, "approve")
        wave = wave_of(execution, position)

        def act(said: dict[str, Any]) -> str:
            gates.deny(
                execution, position=position, reason=said["reason"], actor=self.actor(request)
            )
            return f"You denied that {wave} start."

        rule = gate_rules.of_dict(wave.gate_rule)
        cancels = rule is not None and gate_rules.cancels(rule)
        question = confirm.Question(
            title=f"Deny that {wave} start",
            text="The whole execution is cancelled then."
            if cancels
            else "The wave is blocked then, and so is what depends on it.",
            verb="Deny",
            reason="Reason (needed)",
            template="recovery/gate.html",
            context={"wave": wave},
        )
        return self.asked(request, execution, question, act)

    # By the link in a mail.

    def link_view(self, request: HttpRequest) -> HttpResponse:
        """Ask the person whom a link is for, then approve what it is for. GET changes nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        actor = self.actor(request)
        try:
            link = approval_links.usable(request.session.get(KEPT, ""), actor=actor)
        except DomainError as error:
            self.refused(request, code=error.code, detail=error.detail)
            title = "This link leads nowhere"
            page = "recovery/link_over.html"
            status = HTTPStatus.OK if request.method == "GET" else HTTPStatus.CONFLICT
            return self.render(request, page, title=title, status=status, reason=error.detail)
        execution = self.found(request, str(link.execution_id), "approve")

        def act(said: dict[str, Any]) -> str:
            approval_links.approve(link, comment=said["reason"], actor=actor)
            what = f"that {link.wave} start" if link.wave else f"the {execution}"
            return f"You approved {what}."

        return self.asked(request, execution, self._link_question(request, link), act)

    def _link_question(self, request: HttpRequest, link: ApprovalLink) -> confirm.Question:
        if link.wave is None:
            return self._question(request, link.execution, overriding=False)
        return self._gate_question(wave_of(link.execution, link.wave.position))

    def _gate_question(self, wave: Wave) -> confirm.Question:
        return confirm.Question(
            title=f"Approve that {wave} start",
            text=f"{wave.servers.count()} servers are launched once enough people have approved.",
            verb="Approve",
            danger=False,
            reason="Comment",
            template="recovery/gate.html",
            context={"wave": wave},
        )
