"""Failing back after executions: asking for it, its gates, and how it stands."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from recovery.api.failback_serializers import (
    FailbackCancelIn,
    FailbackDetail,
    FailbackGateIn,
    FailbackIn,
    FailbackLeaveOutIn,
    FailbackStatus,
)
from recovery.models import Execution, RecoveryPlan
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.selectors import executions_for
from recovery.services import failbacks

_STEERED = ("request_failback", "open_gate", "leave_out", "cancel_failback")


class FailbackViewSet(RecordedViewSet):
    """The way back. It is seen and steered through the plan's permissions."""

    needs = {"failback": Needs.to_see(ExecutionPermission.VIEW)} | {
        name: Needs.on_it(PlanPermission.FAIL_BACK) for name in _STEERED
    }

    def seen(self) -> QuerySet[Any]:
        return executions_for(self.request.user).select_related("plan")

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan | None = found.plan
        return plan

    @extend_schema(responses=FailbackStatus)
    @action(detail=True)
    def failback(self, _: Request, **__: str) -> Response:
        """Whether what an execution launched can go back now, and how that stands where it was
        asked for. AWS is not asked: what it told last has its time.
        """
        execution = self.the_object()
        found = list(failbacks.told(execution))
        context = {"standing": failbacks.standing(execution)}
        return Response(FailbackStatus(found, context=context).data)

    @extend_schema(request=FailbackIn, responses={202: FailbackDetail})
    @failback.mapping.post
    def request_failback(self, _: Request, **__: str) -> Response:
        """Ask that what a RECOVERY launched goes back to where it came from. Follow it by GET.

        First it replicates back: what came from AWS is reversed, what came from on premises waits
        for its failback client. The servers are held until it ends: no execution can start with
        them, and no clean-up of this one. It takes a reason, and the plan's name as `confirmation`.
        """
        return self._asked(failbacks.request, FailbackIn)

    @extend_schema(request=FailbackGateIn, responses={202: FailbackDetail})
    @action(detail=True, methods=["post"], url_path="failback/open-gate")
    def open_gate(self, _: Request, **__: str) -> Response:
        """Open the gate that the failback waits at. Asking twice changes nothing.

        409 `recovery.failback_not_ready` while something is not ready to be launched back.
        """
        return self._asked(failbacks.open_gate, FailbackGateIn)

    @extend_schema(request=FailbackLeaveOutIn, responses={202: FailbackDetail})
    @action(detail=True, methods=["post"], url_path="failback/leave-out")
    def leave_out(self, _: Request, **__: str) -> Response:
        """Leave servers out before they are launched back. Their recovery instances are kept as
        they are, and what replicates goes on. It cannot be taken back.
        """
        return self._asked(failbacks.leave_out, FailbackLeaveOutIn)

    @extend_schema(request=FailbackCancelIn, responses={202: FailbackDetail})
    @action(detail=True, methods=["post"], url_path="failback/cancel")
    def cancel_failback(self, _: Request, **__: str) -> Response:
        """Ask that the failback be cancelled: what has begun is stopped, and launches that DRS runs
        are watched to their end. No recovery instance is terminated that was not asked for
        already. Asking twice changes nothing.
        """
        return self._asked(failbacks.cancel, FailbackCancelIn)

    def _asked(self, ask: Any, body: type[Any]) -> Response:
        execution: Execution = self.the_object()
        failback = ask(execution, **self.taken(body), actor=self.actor)
        found = failbacks.told(execution).get(pk=failback.pk)
        where = self.reverse_action("failback", kwargs={"pk": execution.pk})
        return Response(FailbackDetail(found).data, status=202, headers={"Location": where})
