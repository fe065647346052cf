"""What requests about protection groups hold, and how groups and their versions are shown."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Flag, Id, StrictSerializer, Tags, Text, Whole
from drportal.aws.limits import DRS_JOBS
from protection.api.serializers import AccountRef, ServerOut
from protection.choices import RegionStatus
from protection.models import GroupVersion, ProtectionGroup, SourceServer
from protection.rules.history import differences
from protection.services.previews import Preview

_MOST_SERVERS = 5000
_MOST_SHOWN = 500


class _Choice(StrictSerializer):
    """Servers chosen by tags or one by one, never both."""

    tags = Tags(required=False, help_text="Pairs that a server must all have, exactly.")
    server_ids = serializers.ListField(
        child=Id(),
        required=False,
        max_length=_MOST_SERVERS,
        help_text="Ids of inventory rows, as /servers shows them.",
    )


class _Fields(_Choice):
    """What is said of a group. The service says what is wrong with it, in its own codes."""

    name = Text(allow_blank=True, help_text="1 to 64 characters, unique in any case.")
    description = Text(required=False, allow_blank=True, help_text="At most 1000 characters.")
    owner = Text(required=False, allow_blank=True, help_text="At most 255 characters.")
    allow_overlap = Flag(
        required=False,
        help_text="Whether it may share servers with other groups. Refused without, if it would.",
    )


class GroupIn(_Fields):
    """A group to make."""

    account = Id(help_text="The id of the account, as /accounts/targets shows it.")
    region = Text(max_length=32)


class _Guarded(StrictSerializer):
    """A change of a version that one has seen."""

    version = Whole(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="The version that the change begins with. It is refused if there is a later one.",
    )


class GroupEdit(_Fields, _Guarded):
    """A group as it is to be. Account and Region are fixed."""


class GroupPatch(_Fields, _Guarded):
    """What is to change of a group. What is left out stays, the choice of servers too."""

    name = Text(required=False, allow_blank=True, help_text="1 to 64 characters.")


class RestoreIn(_Guarded):
    """Which version is to be restored."""

    number = Whole(min_value=1, max_value=2**31 - 1, help_text="The version to go back to.")
    allow_overlap = Flag(
        default=False, help_text="Allow it to share servers, if that version does not say so."
    )


class PreviewIn(_Choice):
    """A choice of servers to look at."""

    account = Id(help_text="The id of the account, as /accounts/targets shows it.")
    region = Text(max_length=32)
    group = Id(required=False, help_text="A group of this account and Region to compare it with.")


class GroupOut(serializers.ModelSerializer[ProtectionGroup]):
    """A protection group. What it holds now is at its /servers."""

    account = AccountRef(read_only=True)
    server_ids = serializers.SerializerMethodField(
        help_text="The servers put into it one by one; null if it chooses by tags."
    )
    server_count = serializers.IntegerField(
        source="server_total", help_text="The servers that it holds now, as last listed."
    )
    shared_server_count = serializers.IntegerField(
        source="shared_total", help_text="Those of them that other groups hold too."
    )
    held_by = serializers.SerializerMethodField(
        help_text="What relies on the group as it is; until that ends it cannot be changed."
    )

    class Meta:
        model = ProtectionGroup
        fields = (
            "id",
            "name",
            "description",
            "owner",
            "account",
            "region",
            "selection",
            "tags",
            "server_ids",
            "server_count",
            "allows_overlap",
            "shared_server_count",
            "held_by",
            "version",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField(), allow_null=True))
    def get_server_ids(self, group: ProtectionGroup) -> list[str] | None:
        if group.tags:
            return None
        return sorted(str(member.server_id) for member in group.members.all())

    def get_held_by(self, group: Any) -> list[str]:
        return [hold.holder for hold in group.open_holds]


class DifferenceOut(serializers.Serializer[Any]):
    """One field that is not the same in two versions."""

    field = serializers.CharField(help_text="A path, such as `tags.Tier` or `servers[ID]`.")
    old = serializers.JSONField(allow_null=True, help_text="Null if it was not there.")
    new = serializers.JSONField(allow_null=True, help_text="Null if it is not there any more.")


class GroupVersionOut(serializers.ModelSerializer[GroupVersion]):
    """What a group said at one time, and who made it so."""

    class Meta:
        model = GroupVersion
        fields: tuple[str, ...] = ("number", "document", "created_at", "created_by")
        read_only_fields = fields


class GroupVersionWithChanges(GroupVersionOut):
    """A version, with what it changed. The context holds `before`, the version before it."""

    changes = serializers.SerializerMethodField(
        help_text="Against the version before; null if that was not kept."
    )

    class Meta(GroupVersionOut.Meta):
        fields = (*GroupVersionOut.Meta.fields, "changes")
        read_only_fields = fields

    @extend_schema_field(DifferenceOut(many=True, allow_null=True))
    def get_changes(self, version: GroupVersion) -> Any:
        before: GroupVersion | None = self.context["before"]
        if before is None:
            return None
        found = differences(before.document, version.document)
        return DifferenceOut(found, many=True).data


class ServerRef(serializers.ModelSerializer[SourceServer]):
    """A server, as other objects name it."""

    class Meta:
        model = SourceServer
        fields = ("id", "server_id", "name")
        read_only_fields = fields


class SharedServer(serializers.Serializer[Any]):
    """A server that other groups hold too, with their names."""

    id = serializers.UUIDField()
    server_id = serializers.CharField()
    name = serializers.CharField()
    groups = serializers.ListField(child=serializers.CharField())


class ReadinessCounts(serializers.Serializer[Any]):
    """How many servers are how ready."""

    READY = serializers.IntegerField()
    LAGGING = serializers.IntegerField()
    NOT_READY = serializers.IntegerField()
    UNKNOWN = serializers.IntegerField()


class PreviewOut(serializers.Serializer[Any]):
    """What a group with this choice would hold now, as its account and Region were last listed.

    At most 500 servers are shown; the counts are of all.
    """

    count = serializers.IntegerField()
    servers = ServerOut(many=True)
    new = ServerRef(many=True, help_text="Not in the saved group now. Empty without `group`.")
    leaving = ServerRef(many=True, help_text="In the saved group now, and not in this choice.")
    in_other_groups = SharedServer(many=True)
    readiness = ReadinessCounts()
    servers_per_job = serializers.IntegerField(help_text="What one launch job may hold.")
    jobs = serializers.IntegerField(help_text="The launch jobs that they take at least.")
    region_status = serializers.ChoiceField(
        choices=RegionStatus.choices,
        help_text="What the Region last answered. Unless ACTIVE, this is what was known once.",
    )
    listed_at = serializers.DateTimeField(
        allow_null=True, help_text="When the Region was last listed; null if never."
    )


def preview_out(found: Preview, regions: Mapping[Any, Any]) -> dict[str, Any]:
    """A preview, as it is shown."""
    shown = [entry.server for entry in found.found[:_MOST_SHOWN]]
    shared = [
        {**ServerRef(entry.server).data, "groups": list(entry.others)} for entry in found.shared
    ]
    return {
        "count": len(found.found),
        "servers": ServerOut(shown, many=True, context={"regions": regions}).data,
        "new": ServerRef([entry.server for entry in found.found if entry.new], many=True).data,
        "leaving": ServerRef(found.leaving, many=True).data,
        "in_other_groups": shared,
        "readiness": {str(name): count for name, count in found.readiness.items()},
        "servers_per_job": DRS_JOBS.servers_per_job,
        "jobs": found.jobs,
        "region_status": found.where.status if found.where else str(RegionStatus.UNKNOWN),
        "listed_at": found.where.listed_at if found.where else None,
    }
