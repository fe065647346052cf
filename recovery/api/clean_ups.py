"""Clean-ups of drills by themselves: choosing, putting off and vetoing them."""

from typing import Any, Final

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.errors import NotFound
from recovery.api.drill_serializers import CleanUpIn, CleanUpOut, PutOffIn, ReasonIn
from recovery.models import RecoveryPlan
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.selectors import executions_for
from recovery.services import clean_ups

_TERMINATE: Final = Needs.on_it(PlanPermission.TERMINATE)


class CleanUpViewSet(RecordedViewSet):
    """What was chosen for drills. It takes what terminating by hand takes."""

    needs = {
        "clean_up": Needs.to_see(ExecutionPermission.VIEW),
        "choose": _TERMINATE,
        "put_off": _TERMINATE,
        "veto": _TERMINATE,
    }
    lists = frozenset()

    def seen(self) -> QuerySet[Any]:
        return executions_for(self.request.user).select_related("plan")

    def asked_of(self, found: Any) -> Model | None:
        plan: RecoveryPlan | None = found.plan
        return plan

    @extend_schema(responses=CleanUpOut)
    @action(detail=True, url_path="clean-up")
    def clean_up(self, _: Request, **__: str) -> Response:
        """What was chosen for an execution. 404 if nothing was: what it launched stays."""
        found = clean_ups.of(self.the_object())
        if found is None:
            raise NotFound("No clean-up by itself was chosen for this execution.")
        return Response(CleanUpOut(found).data)

    @extend_schema(request=CleanUpIn, responses=CleanUpOut)
    @clean_up.mapping.put
    def choose(self, _: Request, **__: str) -> Response:
        """Have what a drill launched terminated so many hours after its end, instead of what was
        chosen or vetoed before. Never for a RECOVERY: 409.
        """
        said = self.taken(CleanUpIn)
        found = clean_ups.choose(self.the_object(), **said, actor=self.actor)
        return Response(CleanUpOut(found).data)

    @extend_schema(request=PutOffIn, responses=CleanUpOut)
    @action(detail=True, methods=["post"], url_path="clean-up/put-off")
    def put_off(self, _: Request, **__: str) -> Response:
        """Clean up so many hours later. People are warned again before."""
        said = self.taken(PutOffIn)
        found = clean_ups.put_off(self.the_object(), **said, actor=self.actor)
        return Response(CleanUpOut(found).data)

    @extend_schema(request=ReasonIn, responses=CleanUpOut)
    @action(detail=True, methods=["post"], url_path="clean-up/veto")
    def veto(self, _: Request, **__: str) -> Response:
        """Let it stay until a person has it terminated, or chooses anew."""
        said = self.taken(ReasonIn)
        found = clean_ups.veto(self.the_object(), **said, actor=self.actor)
        return Response(CleanUpOut(found).data)
