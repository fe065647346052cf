"""Launching a wave although what AWS said before it is in the way, through the API."""

from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.serializers import StrictSerializer, Text, Whole
from recovery.api.execution_serializers import ExecutionOut
from recovery.api.starting import shown
from recovery.permissions import PlanPermission
from recovery.services import wave_overrides

NEEDS: Final = {"override_preflight": Needs.on_it(PlanPermission.OVERRIDE_PREFLIGHT)}


class OverrideIn(StrictSerializer):
    """Which wave is to launch although checks keep it from that, and why."""

    position = Whole(min_value=1, help_text="The wave, which must be kept from launching now.")
    reason = Text(max_length=1000)


class WavePreflightActions(RecordedViewSet):
    """What people ask about the checks before waves."""

    @extend_schema(request=OverrideIn, responses={202: ExecutionOut})
    @action(detail=True, methods=["post"], url_path="override-preflight")
    def override_preflight(self, _: Request, **__: str) -> Response:
        """Let a wave launch although checks keep it from launching: just those that do now, as its
        `preflight` names them. What else is found later keeps it again. 409 if nothing does.
        """
        execution = self.the_object()
        wanted = self.taken(OverrideIn)
        wave_overrides.override(execution, **wanted, actor=self.actor)
        return self.created(shown(execution), execution.pk, status=202)
