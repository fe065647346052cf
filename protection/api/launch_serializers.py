"""What requests about launch settings hold, and how those are shown: in the words and the
spelling of the reference system, so that its clients find what they know.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Flag, StrictSerializer, Text, Whole
from protection.choices import Combination, LaunchStatus, SettingsLevel
from protection.models import LaunchSettings, LaunchSettingsVersion
from protection.rules import launch as rules
from protection.rules.history import differences
from protection.services.launch_status import GroupStanding, ServerStanding

_MOST_SERVERS = 5000
_MOST_VERSIONS = 2**31 - 1


def _told(level: SettingsLevel) -> str:
    lines = [f"`{field.label}`: {field.help}" for field in rules.FIELDS if level in field.levels]
    return "What this level sets; null is not set. " + " ".join(lines)


class _Guarded(StrictSerializer):
    version = Whole(
        min_value=0,
        max_value=_MOST_VERSIONS,
        help_text="The version that the change begins with; 0 where nothing was ever set. It is "
        "refused if there is a later one.",
    )


class _Unverified(StrictSerializer):
    unverified = Flag(
        default=False,
        help_text="Go on although AWS could not be asked about something, which is recorded.",
    )


class InstallationConfigIn(_Guarded):
    """The launch settings of the whole installation."""

    launchConfig = serializers.DictField(help_text=_told(SettingsLevel.INSTALLATION))  # noqa: N815  # the reference's spelling


class GroupConfigIn(_Guarded, _Unverified):
    """The launch settings of a group."""

    launchConfig = serializers.DictField(help_text=_told(SettingsLevel.GROUP))  # noqa: N815  # the reference's spelling


class _ServerValues(_Guarded):
    useGroupDefaults = Flag(  # noqa: N815  # the reference's spelling
        default=True,
        help_text="Whether they add to the group's settings. Otherwise they replace those; the "
        "installation's lie beneath either way.",
    )
    launchTemplate = serializers.DictField(help_text=_told(SettingsLevel.SERVER))  # noqa: N815  # the reference's spelling


class ServerConfigIn(_ServerValues, _Unverified):
    """The launch settings of one server in a group."""


class _BulkEntry(_ServerValues):
    sourceServerId = Text(max_length=64, help_text="DRS's id, or the id of the inventory row.")  # noqa: N815  # the reference's spelling


class BulkIn(_Unverified):
    """The launch settings of several servers of a group: all are saved, or none."""

    servers = serializers.ListField(child=_BulkEntry(), allow_empty=False, max_length=_MOST_SERVERS)


class InstallationRestoreIn(_Guarded):
    """Which version of the installation's settings is to be restored."""

    number = Whole(min_value=1, max_value=_MOST_VERSIONS, help_text="The version to go back to.")


class RestoreConfigIn(InstallationRestoreIn, _Unverified):
    """Which version is to be restored."""


class AddressIn(StrictSerializer):
    """An address to look at."""

    staticPrivateIp = Text(max_length=64)  # noqa: N815  # the reference's spelling
    subnetId = Text(  # noqa: N815  # the reference's spelling
        max_length=32, required=False, help_text="Left out, that of the server's settings."
    )


class ApplyIn(_Unverified):
    """How launch settings are to be applied."""

    force = Flag(
        default=False, help_text="Give up one that was asked for and that no worker has begun."
    )


class AddressOut(serializers.Serializer[Any]):
    """Whether a server may have an address, and everything against it."""

    valid = serializers.BooleanField()
    staticPrivateIp = serializers.CharField()  # noqa: N815  # the reference's spelling
    subnetId = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling
    errors = serializers.ListField(child=serializers.DictField())  # type: ignore[assignment]  # DRF takes fields off the class


class SettingOut(serializers.Serializer[Any]):
    """One field of what a server is launched with, and who says so."""

    value = serializers.JSONField()
    level = serializers.ChoiceField(choices=SettingsLevel.choices)
    because = serializers.CharField(help_text="Another field that makes it so; else empty.")


class ConfigOut(serializers.Serializer[Any]):
    """The launch settings of an installation or a group. Version 0: nothing was ever set."""

    launchConfig = serializers.DictField()  # noqa: N815  # the reference's spelling
    effectiveConfig = serializers.DictField(  # noqa: N815  # the reference's spelling
        help_text="With what wider levels set."
    )
    version = serializers.IntegerField()
    updatedAt = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling


class ServerConfigOut(serializers.Serializer[Any]):
    """The launch settings of one server in a group."""

    groupId = serializers.CharField()  # noqa: N815  # the reference's spelling
    serverId = serializers.CharField()  # noqa: N815  # the reference's spelling
    useGroupDefaults = serializers.BooleanField()  # noqa: N815  # the reference's spelling
    launchTemplate = serializers.DictField()  # noqa: N815  # the reference's spelling
    isCustom = serializers.BooleanField()  # noqa: N815  # the reference's spelling
    effectiveConfig = serializers.DictField(  # noqa: N815  # the reference's spelling
        help_text="What it is launched with."
    )
    origins = serializers.DictField(child=SettingOut(), help_text="Each of these, and who says so.")
    version = serializers.IntegerField()
    updatedAt = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling


class BulkOut(serializers.Serializer[Any]):
    """What was saved."""

    servers = ServerConfigOut(many=True)


class LaunchJobOut(serializers.Serializer[Any]):
    """That work was asked for. The group's /launch-config-status shows how it goes."""

    groupId = serializers.CharField()  # noqa: N815  # the reference's spelling
    message = serializers.CharField()
    syncJobId = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling


class ConfigVersionOut(serializers.ModelSerializer[LaunchSettingsVersion]):
    """What launch settings said at one time. The context holds `documents` by number."""

    changes = serializers.SerializerMethodField(help_text="Against the version before.")

    class Meta:
        model = LaunchSettingsVersion
        fields = ("number", "document", "changes", "created_at", "created_by")
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.DictField()))
    def get_changes(self, version: LaunchSettingsVersion) -> list[dict[str, Any]]:
        before = self.context["documents"].get(version.number - 1, {})
        found = differences(before, version.document)
        return [{"field": each.field, "old": each.old, "new": each.new} for each in found]


class ServerStatusOut(serializers.Serializer[Any]):
    """How the launch settings of one server stand."""

    serverId = serializers.CharField()  # noqa: N815  # the reference's spelling
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=LaunchStatus.choices)
    lastApplied = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling
    appliedBy = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling
    configHash = serializers.CharField()  # noqa: N815  # the reference's spelling
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]  # DRF takes fields off the class
    attempts = serializers.IntegerField()
    templateVersion = serializers.IntegerField(allow_null=True)  # noqa: N815  # the reference's spelling
    drift = serializers.CharField(help_text="UNKNOWN, IN_STEP or DRIFTED, when last looked at.")
    driftMessage = serializers.CharField(help_text="Why it is not known; else empty.")  # noqa: N815  # the reference's spelling
    differences = serializers.ListField(
        child=serializers.DictField(), help_text="Each with `field`, `intended` and `actual`."
    )
    checkedAt = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling


class StatusOut(serializers.Serializer[Any]):
    """How the launch settings of a group stand. Progress is that of the latest apply."""

    groupId = serializers.CharField()  # noqa: N815  # the reference's spelling
    status = serializers.ChoiceField(choices=LaunchStatus.choices)
    lastApplied = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling
    appliedBy = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling
    requestedBy = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling
    startTime = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling
    completionTime = serializers.DateTimeField(allow_null=True)  # noqa: N815  # the reference's spelling
    syncJobId = serializers.CharField(allow_null=True)  # noqa: N815  # the reference's spelling
    progressCount = serializers.IntegerField()  # noqa: N815  # the reference's spelling
    totalCount = serializers.IntegerField()  # noqa: N815  # the reference's spelling
    percentage = serializers.IntegerField()
    appliedServers = serializers.IntegerField()  # noqa: N815  # the reference's spelling
    failedServers = serializers.IntegerField()  # noqa: N815  # the reference's spelling
    serverConfigs = serializers.DictField(  # noqa: N815  # the reference's spelling
        child=ServerStatusOut(), help_text="By DRS's id of the server."
    )
    errors = serializers.ListField(child=serializers.CharField())  # type: ignore[assignment]  # DRF takes fields off the class


def config_out(settings: LaunchSettings | None, effective: dict[str, Any]) -> dict[str, Any]:
    """An installation's or a group's settings, as they are shown."""
    return {
        "launchConfig": settings.values if settings else {},
        "effectiveConfig": effective,
        "version": settings.version if settings else 0,
        "updatedAt": settings.updated_at if settings else None,
    }


def server_config_out(found: GroupStanding, each: ServerStanding) -> dict[str, Any]:
    """One server's settings, as they are shown."""
    own = each.settings
    replaces = own is not None and own.combination == Combination.REPLACE
    return {
        "groupId": str(found.group.pk),
        "serverId": each.server.server_id,
        "useGroupDefaults": not replaces,
        "launchTemplate": own.values if own else {},
        "isCustom": bool(own and (own.values or replaces)),
        "effectiveConfig": each.intended,
        "origins": {
            name: {
                "value": setting.value,
                "level": str(setting.level),
                "because": setting.because,
            }
            for name, setting in each.merged.items()
        },
        "version": own.version if own else 0,
        "updatedAt": own.updated_at if own else None,
    }
