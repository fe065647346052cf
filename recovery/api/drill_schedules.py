"""Drills by schedule: saying when, approving single ones, and what became of each."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.schema import refusal
from drportal.errors import NotFound
from recovery.api.drill_serializers import (
    ApproveDrillIn,
    NewScheduleIn,
    OccurrenceOut,
    ReasonIn,
    ScheduleIn,
    ScheduleOut,
)
from recovery.models import DrillOccurrence, DrillSchedule, RecoveryPlan
from recovery.models.drill_schedules import OccurrenceState
from recovery.permissions import PlanPermission
from recovery.selectors import plans_for
from recovery.services import drill_schedules
from recovery.services.drill_rights import must_may_schedule
from recovery.services.drill_schedules import ScheduleSpec

_ACTIONS = ("destroy", "disable", "enable", "skip_next", "run_now")


class ScheduleFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of drill schedules."""

    plan_id = django_filters.UUIDFilter()
    enabled = django_filters.BooleanFilter()


class OccurrenceFilters(django_filters.FilterSet):  # type: ignore[misc]  # no annotations there
    """Filters of occurrences."""

    schedule_id = django_filters.UUIDFilter()
    plan_id = django_filters.UUIDFilter(field_name="schedule__plan_id")
    state = django_filters.ChoiceFilter(choices=OccurrenceState.choices)
    due_after = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="gte")
    due_before = django_filters.IsoDateTimeFilter(field_name="due_at", lookup_expr="lt")


class DrillScheduleViewSet(RecordedViewSet):
    """Drill schedules. They are seen and made through their plan's permissions."""

    needs = {
        "list": Needs.to_see(PlanPermission.VIEW),
        "retrieve": Needs.to_see(PlanPermission.VIEW),
        # To clean up as well takes another permission on the plan: they ask.
        "create": Needs.to_see(PlanPermission.VIEW),
        "update": Needs.on_it(PlanPermission.DRILL),
        **{name: Needs.on_it(PlanPermission.DRILL) for name in _ACTIONS},
    }
    serializer_class = ScheduleOut
    filterset_class = ScheduleFilters

    def seen(self) -> QuerySet[Any]:
        seen = DrillSchedule.objects.filter(plan__in=plans_for(self.request.user).order_by())
        return seen.select_related("plan")

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan = found.plan
        return plan

    def list(self, _: Request) -> Response:
        """The schedules of the plans that one may see, by plan."""
        return self.paged(self.filter_queryset(self.seen()), ScheduleOut)

    @extend_schema(
        request=NewScheduleIn,
        responses={
            201: ScheduleOut,
            **refusal(404, "There is no such plan, or none to be seen."),
        },
    )
    def create(self, request: Request) -> Response:
        """Have a plan drilled by schedule. Its drills start by one's own right, which is looked at
        again each time. A preflight comes first: what it finds in the way is looked at again for
        an hour, then the drill is MISSED. What passes while the portal does not run is not made
        up for.
        """
        said = self.taken(NewScheduleIn)
        plan = self._plan(said.pop("plan_id"))
        spec = _spec(said)
        must_may_schedule(request.user, plan, cleans_up=spec.clean_up_after_hours is not None)
        schedule = drill_schedules.create(plan, spec, actor=self.actor)
        return self.created(ScheduleOut(schedule).data, schedule.pk)

    @extend_schema(responses=ScheduleOut)
    def retrieve(self, _: Request, **__: str) -> Response:
        """One schedule, with its next times."""
        return Response(ScheduleOut(self.the_object()).data)

    @extend_schema(request=ScheduleIn, responses=ScheduleOut)
    def update(self, request: Request, **__: str) -> Response:
        """Let a schedule say this and nothing else. Its drills start by one's own right from now
        on; what was announced, or approved, and has not started is taken back.
        """
        schedule = self.the_object()
        spec = _spec(self.taken(ScheduleIn))
        cleans_up = spec.clean_up_after_hours is not None
        must_may_schedule(request.user, schedule.plan, cleans_up=cleans_up)
        found = drill_schedules.edit(schedule, spec, actor=self.actor)
        return Response(ScheduleOut(found).data)

    @extend_schema(responses={204: None})
    def destroy(self, _: Request, **__: str) -> Response:
        """Delete a schedule with its occurrences. Drills that it started stay."""
        drill_schedules.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(request=ReasonIn, responses=ScheduleOut)
    @action(detail=True, methods=["post"])
    def disable(self, _: Request, **__: str) -> Response:
        """Start nothing by this schedule any more. Asking twice changes nothing."""
        return self._changed(drill_schedules.disable)

    @extend_schema(request=ReasonIn, responses=ScheduleOut)
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, **__: str) -> Response:
        """Go on with the next time, by one's own right. What passed meanwhile is not made up for.
        Asking twice changes nothing.
        """
        schedule = self.the_object()
        cleans_up = schedule.clean_up_after_hours is not None
        must_may_schedule(request.user, schedule.plan, cleans_up=cleans_up)
        return self._changed(drill_schedules.enable)

    @extend_schema(request=ReasonIn, responses=OccurrenceOut)
    @action(detail=True, methods=["post"], url_path="skip-next")
    def skip_next(self, _: Request, **__: str) -> Response:
        """Do not start the next drill."""
        said, schedule = self.taken(ReasonIn), self.the_object()
        found = drill_schedules.skip_next(schedule, **said, actor=self.actor)
        return Response(OccurrenceOut(found).data)

    @extend_schema(request=ReasonIn, responses={202: OccurrenceOut})
    @action(detail=True, methods=["post"], url_path="run-now")
    def run_now(self, _: Request, **__: str) -> Response:
        """Have a drill started as the schedule says, apart from its times; once it is approved,
        where that is needed.
        """
        said, schedule = self.taken(ReasonIn), self.the_object()
        found = drill_schedules.run_now(schedule, **said, actor=self.actor)
        return Response(OccurrenceOut(found).data, status=202)

    def _changed(self, change: Any) -> Response:
        schedule = self.the_object()
        found = change(schedule, **self.taken(ReasonIn), actor=self.actor)
        return Response(ScheduleOut(found).data)

    def _plan(self, plan_id: UUID) -> RecoveryPlan:
        plan = plans_for(self.request.user).filter(pk=plan_id).first()
        if plan is None:
            raise NotFound("There is no such plan, or none that you may see.")
        return plan


class DrillOccurrenceViewSet(RecordedViewSet):
    """The times of schedules, and what became of each."""

    needs = {
        "list": Needs.to_see(PlanPermission.VIEW),
        "retrieve": Needs.to_see(PlanPermission.VIEW),
        # Not a permission: whom the schedule names, if they may see the plan. The service asks.
        "approve": Needs.to_see(PlanPermission.VIEW),
        "decline": Needs.to_see(PlanPermission.VIEW),
    }
    serializer_class = OccurrenceOut
    filterset_class = OccurrenceFilters

    def seen(self) -> QuerySet[Any]:
        plans = plans_for(self.request.user).order_by()
        return DrillOccurrence.objects.filter(schedule__plan__in=plans).select_related(
            "schedule__plan"
        )

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan = found.schedule.plan
        return plan

    def list(self, _: Request) -> Response:
        """The occurrences of the plans that one may see, latest first."""
        return self.paged(self.filter_queryset(self.seen()), OccurrenceOut)

    @extend_schema(responses=OccurrenceOut)
    def retrieve(self, _: Request, **__: str) -> Response:
        """One occurrence."""
        return Response(OccurrenceOut(self.the_object()).data)

    @extend_schema(request=ApproveDrillIn, responses=OccurrenceOut)
    @action(detail=True, methods=["post"])
    def approve(self, _: Request, **__: str) -> Response:
        """Let a drill start at its time, as one of those whom its schedule names."""
        found = self.the_object()
        done = drill_schedules.approve(found, **self.taken(ApproveDrillIn), actor=self.actor)
        return Response(OccurrenceOut(done).data)

    @extend_schema(request=ReasonIn, responses=OccurrenceOut)
    @action(detail=True, methods=["post"])
    def decline(self, _: Request, **__: str) -> Response:
        """Say, as one of those whom its schedule names, that a drill must not start."""
        found = self.the_object()
        done = drill_schedules.decline(found, **self.taken(ReasonIn), actor=self.actor)
        return Response(OccurrenceOut(done).data)


def _spec(said: dict[str, Any]) -> ScheduleSpec:
    return ScheduleSpec(**{**said, "approvers": tuple(said.get("approvers", ()))})
