"""Cleaning up after executions: what they launched, asking that it be terminated, and how that
stands.
"""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.access import allowed
from drportal.api.access import Needs
from drportal.api.pagination import ByName
from drportal.errors import Forbidden
from recovery.api.termination_serializers import (
    LaunchedInstanceOut,
    TerminateIn,
    TerminationDetail,
    TerminationStatus,
)
from recovery.models import Execution, RecoveryPlan
from recovery.permissions import ExecutionPermission
from recovery.selectors import executions_for
from recovery.services import terminations


class TerminationViewSet(RecordedViewSet):
    """What executions launched. It is seen and terminated through the plan's permissions."""

    needs = {
        # Which permission on the plan depends on the execution's kind: `_terminable` asks.
        "terminate": Needs.to_see(ExecutionPermission.VIEW),
        "terminate_instances": Needs.to_see(ExecutionPermission.VIEW),
        "termination_status": Needs.to_see(ExecutionPermission.VIEW),
        "recovery_instances": Needs.to_see(ExecutionPermission.VIEW),
    }
    lists = frozenset({"recovery_instances"})

    def seen(self) -> QuerySet[Any]:
        return executions_for(self.request.user).select_related("plan")

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan | None = found.plan
        return plan

    @extend_schema(request=TerminateIn, responses={202: TerminationDetail})
    @action(detail=True, methods=["post"])
    def terminate(self, _: Request, **__: str) -> Response:
        """Ask that what an execution launched be terminated. Follow it at its Location.

        Only what its own jobs launched, and what still is that: DRS is asked right before. It may
        be asked for once the execution has ended, however it did. After a DRILL and after a
        RECOVERY it takes different permissions on the plan, and after a RECOVERY the plan's name as
        `confirmation`. For what is left when it has ended, it may be asked for again.
        """
        return self._requested()

    @extend_schema(request=TerminateIn, responses={202: TerminationDetail})
    @action(detail=True, methods=["post"], url_path="terminate-instances")
    def terminate_instances(self, _: Request, **__: str) -> Response:
        """The same as `terminate`, where the reference system has it."""
        return self._requested()

    @extend_schema(responses=TerminationStatus)
    @action(detail=True, url_path="termination-status")
    def termination_status(self, _: Request, **__: str) -> Response:
        """Whether what an execution launched can be terminated now, and what became of each
        instance when that was asked for.
        """
        execution = self.the_object()
        found = list(terminations.told(execution))
        context = {"standing": terminations.standing(execution)}
        return Response(TerminationStatus(found, context=context).data)

    @extend_schema(responses=LaunchedInstanceOut(many=True))
    @action(detail=True, url_path="recovery-instances", pagination_class=ByName, filter_backends=())
    def recovery_instances(self, _: Request, **__: str) -> Response:
        """What an execution launched, gone or not, as far as the portal knows; AWS is not asked."""
        return self.paged(terminations.launched(self.the_object()), LaunchedInstanceOut)

    def _requested(self) -> Response:
        execution = self._terminable()
        termination = terminations.request(execution, **self.taken(TerminateIn), actor=self.actor)
        found = terminations.told(execution).get(pk=termination.pk)
        where = self.reverse_action("termination-status", kwargs={"pk": execution.pk})
        return Response(TerminationDetail(found).data, status=202, headers={"Location": where})

    def _terminable(self) -> Execution:
        execution: Execution = self.the_object()
        permission = terminations.permission_for(execution)
        if not allowed(self.request.user, permission, execution.plan):
            what = f"You may see the {execution}, but not terminate what it launched."
            raise Forbidden(what, permission=str(permission))
        return execution
