"""Approving and rejecting, through the API, what somebody else has started."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.access import allowed
from drportal.api.access import Needs
from drportal.api.serializers import Flag, StrictSerializer, Text, Whole
from drportal.errors import Forbidden, InvalidInput
from recovery.api.execution_serializers import ExecutionOut
from recovery.api.starting import shown
from recovery.permissions import PlanPermission
from recovery.services import approvals, gates

NEEDS: Final = {name: Needs.on_it(PlanPermission.APPROVE) for name in ("approve", "reject")}
_LONGEST_TEXT = 1000


def _position() -> Any:
    return Whole(
        required=False,
        min_value=1,
        help_text="The wave whose gate it is about. Left out: the execution as a whole.",
    )


class ApproveIn(StrictSerializer):
    """That it may go on, and what there is to say about it."""

    position = _position()
    comment = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    override_preflight = Flag(
        required=False,
        help_text="Approve although the preflight is old or says no; needs a comment, and "
        "`recovery.override_preflight_recoveryplan` on the plan.",
    )


class RejectIn(StrictSerializer):
    """Why it may not go on."""

    position = _position()
    reason = Text(max_length=_LONGEST_TEXT)


class ApprovalActions(RecordedViewSet):
    """What a second person decides about an execution."""

    @extend_schema(request=ApproveIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"])
    def approve(self, _: Request, **__: str) -> Response:
        """Let an AWAITING execution begin. 403 (`recovery.own_execution`) for whoever started it,
        a superuser too; 409 if it does not wait, or waits no longer. A preflight must be young
        still: else 409 (`recovery.preflight_needed`), as at the start.

        With `position`, approve that the wave that waits at its gate start. Only people whom the
        plan names count, each once; enough of them open the gate.
        """
        execution = self.the_object()
        said = self.taken(ApproveIn)
        if "position" in said:
            return self._approve_gate(execution, said)
        overriding = said.get("override_preflight", False)
        if overriding and not allowed(
            self.request.user, PlanPermission.OVERRIDE_PREFLIGHT, execution.plan
        ):
            what = "You may approve this, but not despite what its preflight says."
            raise Forbidden(what, permission=str(PlanPermission.OVERRIDE_PREFLIGHT))
        approvals.approve(
            execution, comment=said.get("comment", ""), overriding=overriding, actor=self.actor
        )
        return self._decided(execution)

    @extend_schema(request=RejectIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"])
    def reject(self, _: Request, **__: str) -> Response:
        """Say no to an AWAITING execution: it is cancelled, and nothing is launched. Who may, and
        when, is as for `approve`. With `position`, deny that the wave at its gate start: it is
        blocked then, or the execution cancelled, as the plan has it.
        """
        execution = self.the_object()
        said = self.taken(RejectIn)
        reject = gates.deny if "position" in said else approvals.reject
        reject(execution, **said, actor=self.actor)
        return self._decided(execution)

    def _approve_gate(self, execution: Any, said: dict[str, Any]) -> Response:
        if said.get("override_preflight"):
            what = "At a gate there is no preflight to override."
            raise InvalidInput.field("override_preflight", "invalid", what)
        gates.approve(
            execution,
            position=said["position"],
            comment=said.get("comment", ""),
            actor=self.actor,
        )
        return self._decided(execution)

    def _decided(self, execution: Any) -> Response:
        return self.created(shown(execution), execution.pk, status=202)
