"""Executions: starting and following them; steering adds to it."""

from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from drportal.api.access import Needs
from drportal.api.pagination import LatestFirst
from drportal.api.schema import refusal
from drportal.errors import NotFound
from recovery.api import approvals, launch_settings, steering, wave_preflights, wave_status
from recovery.api.comparisons import ComparisonActions
from recovery.api.examples import DRILL, RECOVERY
from recovery.api.execution_serializers import EventOut, ExecutionDetail, ExecutionOut
from recovery.api.filters import ExecutionFilters
from recovery.api.job_logs import JobLogActions
from recovery.api.reports import ReportActions
from recovery.api.serializers import ExecutionIn
from recovery.api.starting import shown, start
from recovery.models import RecoveryPlan
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.selectors import executions_for, plans_for, timeline, whole, with_counts


class ExecutionViewSet(
    steering.SteeringActions,
    approvals.ApprovalActions,
    wave_preflights.WavePreflightActions,
    launch_settings.LaunchSettingsActions,
    ReportActions,
    ComparisonActions,
    JobLogActions,
    wave_status.WaveStatusActions,
):
    """Executions. They are seen and steered through their plan's permissions."""

    needs = {
        "list": Needs.to_see(ExecutionPermission.VIEW),
        # Which permission on the plan depends on the kind: `start` asks.
        "create": Needs.to_see(PlanPermission.VIEW),
        "retrieve": Needs.to_see(ExecutionPermission.VIEW),
        "events": Needs.to_see(ExecutionPermission.VIEW),
        "report": Needs.to_see(ExecutionPermission.VIEW),
        "compare": Needs.to_see(ExecutionPermission.VIEW),
        "job_logs": Needs.to_see(ExecutionPermission.VIEW),
        **steering.NEEDS,
        **approvals.NEEDS,
        **wave_preflights.NEEDS,
        **launch_settings.NEEDS,
        **wave_status.NEEDS,
    }
    lists = frozenset({"list", "events", "job_logs"})
    parameters = {
        "report": frozenset({"format"}),
        "compare": frozenset({"with"}),
        "job_logs": frozenset({"fresh", "drs_job_id"}),
    }
    serializer_class = ExecutionOut
    filterset_class = ExecutionFilters

    def seen(self) -> QuerySet[Any]:
        return executions_for(self.request.user).select_related("plan")

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan | None = found.plan
        return plan

    def list(self, _: Request) -> Response:
        """The executions that one may see, newest first."""
        return self.paged(self.filter_queryset(with_counts(self.seen())), ExecutionOut)

    @extend_schema(
        request=ExecutionIn,
        responses={202: ExecutionOut, **refusal(404, "There is no such plan, or none to be seen.")},
        examples=[DRILL, RECOVERY],
    )
    def create(self, _: Request) -> Response:
        """Begin to carry out a plan. The answer comes at once; follow it at its Location.

        A DRILL and a RECOVERY need different permissions on the plan, and a RECOVERY the plan's
        name as `confirmation`; unless its plan says otherwise it is AWAITING until somebody else
        has approved it. One execution of a plan at a time, and a server is in one execution
        at a time: else 409, which names the execution that is in the way.

        Of a part of the plan, every planned server is in the execution; those that were not
        chosen are LEFT_OUT and are not held. The preflight must be of just the same options.
        """
        wanted = self.taken(ExecutionIn)
        plan = self._plan(wanted["plan_id"])
        execution = start(plan, wanted, user=self.request.user, actor=self.actor)
        return self.created(shown(execution), execution.pk, status=202)

    @extend_schema(responses=ExecutionDetail)
    def retrieve(self, _: Request, **__: str) -> Response:
        """One execution: its waves with their gates, servers and launch jobs."""
        found = self.the_object(of=whole(with_counts(self.seen())))
        return Response(ExecutionDetail(found).data)

    @extend_schema(responses=EventOut(many=True))
    @action(detail=True, pagination_class=LatestFirst, filter_backends=())
    def events(self, _: Request, **__: str) -> Response:
        """What happened in an execution, newest first."""
        return self.paged(timeline(self.the_object()), EventOut)

    def _plan(self, plan_id: UUID) -> RecoveryPlan:
        plan = plans_for(self.request.user).filter(pk=plan_id).first()
        if plan is None:
            raise NotFound("There is no such plan, or none that you may see.")
        return plan
