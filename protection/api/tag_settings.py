"""How the tag sync works."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.api.views import RecordedViewSet
from drportal.api.access import Needs
from drportal.api.serializers import Flag, StrictSerializer, Tags, Text, Whole
from protection.models import TagSyncSettings
from protection.permissions import TagSyncPermission
from protection.selectors import schedule_of, seconds_between, tag_sync_settings
from protection.services import tag_settings
from protection.services.schedules import HOUR, TAG_SYNC


def _list(longest: int, **more: Any) -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=longest), required=False, **more)


class TagSettingsIn(StrictSerializer):
    """The settings as they are to be. What is left out stays as it is."""

    version = Whole(min_value=1, help_text="Of the settings that one has seen.")
    enabled = Flag(help_text="Whether beat sends the sync.")
    interval_hours = Whole(min_value=1, max_value=24, required=False)
    include_accounts = _list(12, help_text="Accounts that manage servers; none means all.")
    exclude_accounts = _list(12)
    include_keys = _list(256, help_text="Patterns with * and ?; none means all.")
    exclude_keys = _list(256)
    key_mapping = Tags(required=False, help_text="The key in DRS, by the key in EC2.")
    dry_run = Flag(required=False, help_text="Whether runs only say what they would do.")


class TagSettingsOut(serializers.ModelSerializer[TagSyncSettings]):
    """The settings. `interval_hours` is null if beat has no such schedule, or another pace."""

    enabled = serializers.BooleanField()
    interval_hours = serializers.IntegerField(allow_null=True)

    class Meta:
        model = TagSyncSettings
        fields = (
            "enabled",
            "interval_hours",
            "include_accounts",
            "exclude_accounts",
            "include_keys",
            "exclude_keys",
            "key_mapping",
            "dry_run",
            "version",
            "updated_at",
        )
        read_only_fields = fields


class TagSettingsSaved(TagSettingsOut):
    """The settings, and whether a sync was asked for. It is not if one is running already."""

    sync_triggered = serializers.BooleanField()

    class Meta:
        model = TagSyncSettings
        fields: tuple[str, ...] = (*TagSettingsOut.Meta.fields, "sync_triggered")
        read_only_fields = fields


class TagSettingsViewSet(RecordedViewSet):
    """How the tag sync works."""

    needs = {
        "retrieve": Needs.everywhere(TagSyncPermission.VIEW),
        "update": Needs.everywhere(TagSyncPermission.CHANGE),
    }
    serializer_class = TagSettingsOut

    def seen(self) -> QuerySet[Any]:
        return TagSyncSettings.objects.all()

    @extend_schema(responses=TagSettingsOut)
    def retrieve(self, _: Request) -> Response:
        """How the tag sync works, and how often."""
        return Response(TagSettingsOut(_shown(tag_sync_settings())).data)

    @extend_schema(request=TagSettingsIn, responses=TagSettingsSaved)
    def update(self, _: Request) -> Response:
        """Change how the tag sync works. Saved enabled, it is run at once.

        `version` guards against overwriting what somebody else has saved meanwhile.
        """
        wanted = self.taken(TagSettingsIn)
        wanted.setdefault("interval_hours", None)
        saved = tag_settings.save(**wanted, actor=self.actor)
        shown = _shown(saved.settings)
        shown.sync_triggered = saved.sync_triggered
        return Response(TagSettingsSaved(shown).data)


def _shown(settings: Any) -> Any:
    schedule = schedule_of(TAG_SYNC)
    seconds = seconds_between(schedule)
    settings.enabled = schedule is not None and schedule.enabled
    settings.interval_hours = seconds // HOUR if seconds and seconds % HOUR == 0 else None
    return settings
