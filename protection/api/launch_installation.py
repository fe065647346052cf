"""The launch settings of the installation."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.pagination import HighestVersionFirst
from drportal.errors import NotFound
from protection.api import launch_serializers as shapes
from protection.choices import SettingsLevel
from protection.models import LaunchSettings, LaunchSettingsVersion
from protection.permissions import LaunchSettingsPermission
from protection.services import launch_installation


class InstallationLaunchViewSet(RecordedViewSet):
    """The launch settings that lie beneath those of all groups and servers."""

    needs = {
        "settings_now": Needs.everywhere(LaunchSettingsPermission.VIEW),
        "set_settings": Needs.everywhere(LaunchSettingsPermission.CHANGE),
        "restore": Needs.everywhere(LaunchSettingsPermission.CHANGE),
        "history": Needs.everywhere(LaunchSettingsPermission.VIEW),
    }
    lists = frozenset({"history"})
    serializer_class = shapes.ConfigOut

    def seen(self) -> QuerySet[Any]:
        return LaunchSettings.objects.filter(level=SettingsLevel.INSTALLATION)

    @extend_schema(responses=shapes.ConfigOut)
    @action(detail=False, url_path="launch-settings", filter_backends=(), pagination_class=None)
    def settings_now(self, _: Request) -> Response:
        """What the installation sets for all servers."""
        return self._shown()

    @extend_schema(request=shapes.InstallationConfigIn, responses=shapes.ConfigOut)
    @settings_now.mapping.put
    def set_settings(self, _: Request) -> Response:
        """Set what all servers are launched with, unless their group or they say otherwise.

        What is of one account or one server cannot be set here. AWS is asked when it is applied.
        """
        body = self.taken(shapes.InstallationConfigIn)
        launch_installation.set_for_installation(
            body["launchConfig"], version=body["version"], actor=self.actor
        )
        return self._shown()

    @extend_schema(request=shapes.InstallationRestoreIn, responses=shapes.ConfigOut)
    @action(detail=False, methods=["post"], url_path="launch-settings/restore")
    def restore(self, _: Request) -> Response:
        """Make a new version that says what an old one said."""
        body = self.taken(shapes.InstallationRestoreIn)
        settings = self.seen().first()
        if settings is None:
            raise NotFound("Nothing was ever set here.")
        launch_installation.restore_installation(settings, **body, actor=self.actor)
        return self._shown()

    @extend_schema(responses=shapes.ConfigVersionOut(many=True))
    @action(
        detail=False,
        url_path="launch-settings/history",
        pagination_class=HighestVersionFirst,
        filter_backends=(),
    )
    def history(self, _: Request) -> Response:
        """What the settings said at each time, who made it so, and what that changed."""
        rows = LaunchSettingsVersion.objects.filter(settings__in=self.seen())
        documents = dict(rows.values_list("number", "document"))
        return self.paged(rows, shapes.ConfigVersionOut, documents=documents)

    def _shown(self) -> Response:
        settings = self.seen().first()
        return Response(shapes.config_out(settings, settings.values if settings else {}))
