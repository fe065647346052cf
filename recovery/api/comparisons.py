"""Comparing an execution with another of its plan."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.serializers import Seconds
from drportal.errors import InvalidInput, NotFound
from recovery.api.plan_serializers import DifferencesOut
from recovery.engine.measures import Verdict
from recovery.services.comparisons import Fate, compare

_VERDICTS = list(Verdict)


class ComparedOut(serializers.Serializer[Any]):
    """One of the two executions, in short."""

    execution_id = serializers.UUIDField(source="execution.pk")
    kind = serializers.CharField(source="execution.kind")
    state = serializers.CharField(source="execution.state")
    plan_version = serializers.IntegerField(source="execution.plan_version")
    created_at = serializers.DateTimeField(source="execution.created_at")
    final = serializers.BooleanField(help_text="Whether it has ended.")
    took_seconds = Seconds(source="measured.took", allow_null=False)
    rto_taken_seconds = Seconds(source="measured.rto_taken")
    rto_verdict = serializers.ChoiceField(choices=_VERDICTS, source="measured.rto_verdict")
    rpo_worst_seconds = Seconds(source="measured.rpo_worst")
    rpo_unknown_servers = serializers.IntegerField(source="measured.rpo_unknown")
    rpo_verdict = serializers.ChoiceField(choices=_VERDICTS, source="measured.rpo_verdict")


class ServerPairOut(serializers.Serializer[Any]):
    """A server, and what became of it in each; null where it was not in one."""

    server_id = serializers.CharField(source="server.server_id")
    name = serializers.CharField(source="server.name")
    account_id = serializers.CharField(source="server.account_id")
    region = serializers.CharField(source="server.region")
    what = serializers.ChoiceField(choices=list(Fate))
    state_before = serializers.SerializerMethodField()
    state_after = serializers.SerializerMethodField()

    def get_state_before(self, pair: Any) -> str | None:
        return pair.before.state if pair.before else None

    def get_state_after(self, pair: Any) -> str | None:
        return pair.after.state if pair.after else None


class WavePairOut(serializers.Serializer[Any]):
    """A wave, by its name; from its start until its critical servers were launched, null unless
    they all were.
    """

    name = serializers.CharField()
    before_seconds = serializers.SerializerMethodField()
    after_seconds = serializers.SerializerMethodField()
    slower_by_seconds = Seconds(source="slower_by", help_text="Less than 0 if it was faster.")

    def get_before_seconds(self, pair: Any) -> float | None:
        return _taken(pair.before)

    def get_after_seconds(self, pair: Any) -> float | None:
        return _taken(pair.after)


class ComparisonOut(serializers.Serializer[Any]):
    """Two executions of one plan, the earlier first."""

    before = ComparedOut()
    after = ComparedOut()
    changes = DifferencesOut(
        allow_null=True, help_text="Of the plan; null if one of the versions is gone."
    )
    servers = ServerPairOut(many=True)
    waves = WavePairOut(many=True)


class ComparisonActions(RecordedViewSet):
    """Comparing an execution."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "with",
                OpenApiTypes.UUID,
                required=True,
                description="Another of its plan.",
            )
        ],
        responses=ComparisonOut,
    )
    @action(detail=True, filter_backends=())
    def compare(self, request: Request, **__: str) -> Response:
        """What is different between two executions of a plan: the plan, what became of each server,
        and how long each wave took. The earlier is `before`, whichever is named first.
        """
        one = self.the_object()
        wanted = request.query_params.get("with", "")
        named = serializers.UUIDField()
        try:
            pk = named.run_validation(wanted)
        except serializers.ValidationError as error:
            message = "Name another execution of the plan by its id."
            raise InvalidInput.field("with", "invalid", message) from error
        other = self.seen().filter(pk=pk).first()
        if other is None:
            raise NotFound("There is no such execution to compare with, or none that you may see.")
        return Response(ComparisonOut(compare(one, other)).data)


def _taken(measure: Any) -> float | None:
    if measure is None or measure.since_start is None:
        return None
    return float(measure.since_start.total_seconds())
