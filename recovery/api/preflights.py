"""Preflights of plans: asking for one, and what they found."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.access import Anybody, allowed
from drportal.api.access import Needs
from drportal.api.pagination import NewestFirst
from drportal.errors import Forbidden, NotFound
from recovery.api.preflight_serializers import PreflightDetail, PreflightOut
from recovery.api.serializers import OptionsIn
from recovery.api.starting import options_in
from recovery.models import Preflight, RecoveryPlan
from recovery.permissions import PREFLIGHT, PlanPermission
from recovery.selectors import plans_for
from recovery.services import preflights


class PreflightViewSet(RecordedViewSet):
    """The preflights of one recovery plan."""

    needs = {
        "list": Needs.to_see(PlanPermission.VIEW),
        "retrieve": Needs.to_see(PlanPermission.VIEW),
        "latest": Needs.to_see(PlanPermission.VIEW),
        # Any of several permissions on the plan will do: `create` asks.
        "create": Needs.to_see(PlanPermission.VIEW),
    }
    serializer_class = PreflightDetail
    pagination_class = NewestFirst
    filter_backends = ()

    def seen(self) -> QuerySet[Any]:
        return Preflight.objects.filter(plan=self._plan())

    def asked_of(self, found: Any) -> Model | None:
        return found if isinstance(found, RecoveryPlan) else found.plan

    def key(self) -> dict[str, Any]:
        return {"pk": self.kwargs["pk"]} if "pk" in self.kwargs else {}

    @extend_schema(responses=PreflightOut(many=True))
    def list(self, _: Request, **__: str) -> Response:
        """The preflights of a plan, newest first. They are kept for some time."""
        return self.paged(self.seen().defer("checks"), PreflightOut)

    @extend_schema(operation_id="recovery_plans_preflight_latest")
    def latest(self, _: Request, **__: str) -> Response:
        """The preflight of the whole plan that was asked for last, which may still run: it says
        so. 404 if nobody ever asked for one, which is neither good nor bad.
        """
        found = preflights.latest(self._plan())
        if found is None:
            raise NotFound("There is no preflight of this plan yet.")
        self.found = found
        return Response(PreflightDetail(found).data)

    def retrieve(self, _: Request, **__: str) -> Response:
        """One preflight: its checks, what blocks first, and what to do about each."""
        return Response(PreflightDetail(self.the_object()).data)

    @extend_schema(request=OptionsIn, responses={202: PreflightDetail})
    def create(self, request: Request, **__: str) -> Response:
        """Have everything looked at that a start of the plan would rely on. Nothing is changed.

        With options, just what a start with the same options would launch is looked at, and the
        recovery points for it are found.

        The answer comes at once, with the preflight's address in `Location`; a worker asks AWS.
        One at a time: else 409, whose context names the running one.
        """
        plan = self._plan()
        self.found = plan
        must_may(request.user, plan)
        options = options_in(self.taken(OptionsIn))
        asked = preflights.ask(plan, options=options, actor=self.actor)
        where = {"plan": plan.pk, "pk": asked.pk}
        location = self.reverse_action("detail", kwargs=where)
        return Response(PreflightDetail(asked).data, status=202, headers={"Location": location})

    def _plan(self) -> RecoveryPlan:
        found = plans_for(self.request.user).filter(pk=self.kwargs["plan"]).first()
        if found is None:
            raise NotFound("There is no such plan, or none that you may see.")
        return found


def must_may(user: Anybody, plan: RecoveryPlan) -> None:
    """Raise Forbidden unless `user` may have `plan` looked at: whoever may start or steer it."""
    if not any(allowed(user, permission, plan) for permission in PREFLIGHT):
        wanted = ", ".join(sorted(PREFLIGHT))
        raise Forbidden(f"You may see {plan}, but not run its preflight.", permission=wanted)
