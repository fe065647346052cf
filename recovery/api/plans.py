"""Recovery plans."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import HighestVersionFirst
from drportal.errors import InvalidInput
from protection.selectors import groups_for
from recovery.api.examples import PLAN
from recovery.api.filters import PlanFilters
from recovery.api.serializers import PlanEdit, PlanIn, PlanOut, VersionOut, specs
from recovery.models import PlanWave
from recovery.permissions import PlanPermission
from recovery.selectors import plans_for
from recovery.services import plans
from recovery.services.plans import WaveSpec


class PlanViewSet(RecordedViewSet):
    """Recovery plans."""

    needs = {
        "list": Needs.to_see(PlanPermission.VIEW),
        "create": Needs.everywhere(PlanPermission.ADD),
        "retrieve": Needs.to_see(PlanPermission.VIEW),
        "update": Needs.on_it(PlanPermission.CHANGE),
        "destroy": Needs.on_it(PlanPermission.DELETE),
        "versions": Needs.to_see(PlanPermission.VIEW),
    }
    lists = frozenset({"list", "versions"})
    serializer_class = PlanOut
    filterset_class = PlanFilters

    def seen(self) -> QuerySet[Any]:
        waves = PlanWave.objects.order_by("position").prefetch_related("groups")
        return plans_for(self.request.user).prefetch_related(Prefetch("waves", waves))

    def list(self, _: Request) -> Response:
        """The recovery plans that one may see, newest first."""
        return self.paged(self.filter_queryset(self.seen()), PlanOut)

    @extend_schema(request=PlanIn, responses={201: PlanOut}, examples=[PLAN])
    def create(self, _: Request) -> Response:
        """Make a plan. One must see every group that it names."""
        wanted = self._taken(PlanIn)
        plan = plans.create(**wanted, actor=self.actor)
        return self.created(PlanOut(plan).data, plan.pk)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One recovery plan, as it is now."""
        return Response(PlanOut(self.the_object()).data)

    @extend_schema(request=PlanEdit)
    def update(self, _: Request, **__: str) -> Response:
        """Change a plan into its next version. With `version`, only if that is still the latest.

        Executions under way are not touched: they carry out the version they began with.
        """
        plan = self.the_object()
        return Response(PlanOut(plans.edit(plan, **self._taken(PlanEdit), actor=self.actor)).data)

    def destroy(self, _: Request, **__: str) -> Response:
        """Delete a plan. Its executions stay. Refused while one is under way."""
        plans.delete(self.the_object(), actor=self.actor)
        return Response(status=204)

    @extend_schema(responses=VersionOut(many=True))
    @action(detail=True, pagination_class=HighestVersionFirst, filter_backends=())
    def versions(self, _: Request, **__: str) -> Response:
        """What the plan said at each time, newest first."""
        return self.paged(self.the_object().versions.all(), VersionOut)

    def _taken(self, serializer: type[Any]) -> dict[str, Any]:
        wanted = self.taken(serializer)
        wanted["waves"] = specs(wanted["waves"])
        self._must_see_groups(wanted["waves"])
        return wanted

    def _must_see_groups(self, waves: Sequence[WaveSpec]) -> None:
        """What one may not see is as unknown as what is not there."""
        named = {group_id for wave in waves for group_id in wave.group_ids}
        known = set(groups_for(self.request.user).filter(pk__in=named).values_list("pk", flat=True))
        errors = [
            {
                "field": f"waves[{place}].group_ids",
                "code": "unknown_group",
                "message": f"There is no protection group {group_id}.",
            }
            for place, wave in enumerate(waves)
            for group_id in wave.group_ids
            if group_id not in known
        ]
        if errors:
            raise InvalidInput("The plan is not valid.", errors=errors)
