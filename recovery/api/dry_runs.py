"""What a start of a plan would do, and when, without doing it."""

from typing import Any

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.serializers import Seconds
from recovery.api.serializers import OptionsIn
from recovery.api.starting import options_in
from recovery.permissions import PlanPermission
from recovery.selectors import plans_for
from recovery.services.dry_runs import Against, Forecast, JobForecast, dry_run

_AGAINST = list(Against)


class MomentOut(serializers.Serializer[Any]):
    """A time since the start. `at_least`: that or later, for a part of it is not known."""

    seconds = Seconds(source="at")
    at_least = serializers.SerializerMethodField()

    def get_at_least(self, moment: Any) -> bool:
        return not moment.sure


class BasisOut(serializers.Serializer[Any]):
    """What an estimate rests on: past launches of the same, or of the like."""

    like = serializers.CharField()
    runs = serializers.IntegerField(help_text="The fewest that a server is judged by.")


class JobForecastOut(serializers.Serializer[JobForecast]):
    """A launch job that a start would send: one StartRecovery."""

    account_id = serializers.CharField()
    region = serializers.CharField()
    server_ids = serializers.ListField(child=serializers.CharField())
    waits = serializers.ListField(
        child=serializers.CharField(), help_text="Why it would wait in line; empty if it does not."
    )
    begin = MomentOut()
    end = MomentOut()
    slow_begin = MomentOut()
    slow_end = MomentOut()
    rests_on = BasisOut(many=True)
    unknown = serializers.IntegerField(help_text="Of so many of its servers nothing is known.")


class WaveForecastOut(serializers.Serializer[Any]):
    """A wave; what would be left out has no begin and no end."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    needs = serializers.ListField(child=serializers.IntegerField())
    gate = serializers.BooleanField(help_text="Nobody knows how long it would stay closed.")
    wait_seconds = Seconds(source="wait")
    time_limit_seconds = Seconds(source="time_limit")
    servers = serializers.IntegerField()
    left_out = serializers.IntegerField()
    begin = MomentOut(allow_null=True)
    end = MomentOut(allow_null=True)
    slow_begin = MomentOut(allow_null=True)
    slow_end = MomentOut(allow_null=True)
    late = serializers.BooleanField(help_text="Slow launches would exceed its time limit.")
    jobs = JobForecastOut(many=True)


class ForecastOut(serializers.Serializer[Forecast]):
    """What a start would do: waves as they would begin, jobs as DRS would be asked.

    Lengths are the median of past launches of this installation and, in `slow_`, what nine of ten
    did not exceed. What was never launched is not known.
    """

    rto_seconds = Seconds(source="rto", help_text="Null if the plan has no such objective.")
    reached = MomentOut(allow_null=True, help_text="When the last critical server is launched.")
    slow_reached = MomentOut(allow_null=True)
    against = serializers.ChoiceField(choices=_AGAINST, help_text="`reached` against the RTO.")
    slow_against = serializers.ChoiceField(choices=_AGAINST)
    end = MomentOut()
    slow_end = MomentOut()
    runs = serializers.IntegerField(help_text="How many past launches it rests on.")
    servers = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Of so many servers nothing is known.")
    waves = serializers.SerializerMethodField()

    @extend_schema_field(WaveForecastOut(many=True))
    def get_waves(self, forecast: Forecast) -> Any:
        return WaveForecastOut(forecast.waves, many=True).data


class DryRunViewSet(RecordedViewSet):
    """Dry runs of one recovery plan."""

    needs = {"create": Needs.to_see(PlanPermission.VIEW)}
    reads = frozenset({"create"})
    serializer_class = ForecastOut
    filter_backends = ()

    def seen(self) -> QuerySet[Any]:
        return plans_for(self.request.user)

    def asked_of(self, found: Any) -> Model | None:
        plan: Model = found
        return plan

    @extend_schema(
        operation_id="recovery_plans_dry_run", request=OptionsIn, responses={200: ForecastOut}
    )
    def create(self, _: Request, **__: str) -> Response:
        """What a start with the same options would do, and when: jobs in their order, what waits
        for what, estimated times against the RTO. Nothing is changed, and nothing asked of AWS.
        """
        plan = self.the_object()
        return Response(ForecastOut(dry_run(plan, options_in(self.taken(OptionsIn)))).data)
