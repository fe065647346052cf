"""Applying launch settings to what an execution has yet to launch, through the API."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.serializers import Known
from protection.choices import AppliedState
from protection.models import LaunchApply, LaunchApplyServer
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.services import wave_settings

NEEDS: Final = {
    "applied_config": Needs.to_see(ExecutionPermission.VIEW),
    "apply_config": Needs.on_it(PlanPermission.STEER),
}


class AppliedServerOut(serializers.ModelSerializer[LaunchApplyServer]):
    """A server to which launch settings were to be applied. They are read back before it counts."""

    server_id = serializers.CharField(source="server.server_id")
    name = serializers.CharField(source="server.name")
    state = serializers.ChoiceField(choices=AppliedState.choices)
    message = Known(help_text="Why it failed, or what it waits for.")

    class Meta:
        model = LaunchApplyServer
        fields = ("server_id", "name", "state", "message", "attempts", "finished_at")
        read_only_fields = fields


class AppliedOut(serializers.ModelSerializer[LaunchApply]):
    """Launch settings of one group, applied to servers of an execution."""

    group_id = serializers.UUIDField(read_only=True)
    group_name = serializers.CharField(source="group.name", read_only=True)
    servers = serializers.SerializerMethodField()

    class Meta:
        model = LaunchApply
        fields = (
            "id",
            "group_id",
            "group_name",
            "state",
            "requested_by",
            "created_at",
            "finished_at",
            "servers",
        )
        read_only_fields = fields

    @extend_schema_field(AppliedServerOut(many=True))
    def get_servers(self, apply: LaunchApply) -> Any:
        by_name = sorted(apply.servers.all(), key=lambda row: (row.server.name, row.server_id))
        return AppliedServerOut(by_name, many=True).data


class LaunchSettingsActions(RecordedViewSet):
    """What people ask about the launch settings of an execution's servers."""

    @extend_schema(responses=AppliedOut(many=True))
    @action(detail=True, methods=["get"], url_path="apply-config", filter_backends=())
    def applied_config(self, _: Request, **__: str) -> Response:
        """What was applied for an execution, by people and before its waves, newest first."""
        found = wave_settings.applies_of(self.the_object())
        return Response(AppliedOut(found, many=True).data)

    @extend_schema(request=None, responses={202: AppliedOut(many=True)})
    @applied_config.mapping.post
    def apply_config(self, _: Request, **__: str) -> Response:
        """Have the launch settings applied, and read back, of all servers that the execution has
        yet to launch. Follow it at `Location`. A group that is being applied already is left to
        that.
        """
        execution = self.the_object()
        applies = wave_settings.ask(execution, actor=self.actor)
        where = self.reverse_action("applied-config", kwargs={"pk": execution.pk})
        told = wave_settings.applies_of(execution).filter(pk__in=[apply.pk for apply in applies])
        return Response(AppliedOut(told, many=True).data, status=202, headers={"Location": where})
