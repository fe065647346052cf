"""How a wave of an execution stands, and asking the engine to look at it."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.serializers import Known
from recovery.api.execution_serializers import Counts, counts_of
from recovery.models import WaveServer
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.services import wave_status
from recovery.states import WaveState

NEEDS: Final = {
    "status_of_wave": Needs.to_see(ExecutionPermission.VIEW),
    "poll_wave": Needs.on_it(PlanPermission.STEER),
    "complete_wave": Needs.on_it(PlanPermission.STEER),
}
_WAVE: Final = "waves/<int:position>"


class StandingServerOut(serializers.ModelSerializer[WaveServer]):
    """A server of the wave, in short."""

    message = Known(help_text="Why it failed or was skipped, or what it waits for.")
    launch_status = Known(help_text="As DRS spells it.")

    class Meta:
        model = WaveServer
        fields = ("server_id", "name", "critical", "state", "phase", "message", "launch_status")
        read_only_fields = fields


class WatchedPlaceOut(serializers.Serializer[Any]):
    """An account and Region in which DRS runs jobs of the wave now."""

    account_id = serializers.CharField()
    region = serializers.CharField()
    drs_job_ids = serializers.ListField(child=serializers.CharField())
    answered_at = serializers.DateTimeField(
        allow_null=True, help_text="When DRS last told of them; the servers' states are as old."
    )
    trouble = Known(help_text="Why DRS does not tell now; null if it does.")
    asks_again_at = serializers.DateTimeField(allow_null=True)


class WaveStatusOut(serializers.Serializer[Any]):
    """How a wave stands, as far as is known."""

    position = serializers.IntegerField(source="wave.position")
    name = serializers.CharField(source="wave.name")
    state = serializers.ChoiceField(choices=WaveState.choices, source="wave.state")
    by_servers = serializers.ChoiceField(
        choices=WaveState.choices,
        allow_null=True,
        help_text="What its servers amount to by now, and nothing else; null: it never launched.",
    )
    counts = serializers.SerializerMethodField()
    places = WatchedPlaceOut(many=True)
    servers = StandingServerOut(many=True)

    @extend_schema_field(Counts)
    def get_counts(self, status: wave_status.WaveStatus) -> dict[str, int]:
        return counts_of([server.state for server in status.servers])


class WaveStatusActions(RecordedViewSet):
    """Looking at one wave."""

    @extend_schema(responses=WaveStatusOut)
    @action(detail=True, url_path=f"{_WAVE}/status", filter_backends=())
    def status_of_wave(self, _: Request, *, position: int, **__: str) -> Response:
        """How a wave stands, and how old what DRS told of it is. AWS is not asked."""
        status = wave_status.told(self.the_object(), position=position)
        return Response(WaveStatusOut(status).data)

    @extend_schema(request=None, responses={202: WaveStatusOut})
    @action(detail=True, methods=["post"], url_path=f"{_WAVE}/poll", filter_backends=())
    def poll_wave(self, _: Request, *, position: int, **__: str) -> Response:
        """Have the engine ask DRS now about the jobs of a wave. What is known is answered at once;
        what comes of it, `Location` tells. Twice is as good as once.
        """
        execution = self.the_object()
        return self._standing(wave_status.poll(execution, position=position, actor=self.actor))

    @extend_schema(request=None, responses={202: WaveStatusOut})
    @action(detail=True, methods=["post"], url_path=f"{_WAVE}/completion", filter_backends=())
    def complete_wave(self, _: Request, *, position: int, **__: str) -> Response:
        """Have the engine end a wave, if its servers have ended. What it ends as is for its servers
        to say, never for the status of a job. Twice is as good as once.
        """
        execution = self.the_object()
        return self._standing(wave_status.complete(execution, position=position, actor=self.actor))

    def _standing(self, status: wave_status.WaveStatus) -> Response:
        wave = status.wave
        key = {"pk": wave.execution_id, "position": wave.position}
        where = self.reverse_action("status-of-wave", kwargs=key)
        return Response(WaveStatusOut(status).data, status=202, headers={"Location": where})
