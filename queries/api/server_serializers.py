"""How source servers are shown to whoever chooses among them. What is not known is null."""

from collections.abc import Mapping
from typing import Any

from django.utils.duration import duration_iso_string
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known
from protection.choices import RegionStatus, Selection
from queries.inventory import Assignment, ShownServer, Where

_GIB = 2**30
_DISPLAY = {
    "STOPPED": "STOPPED",
    "INITIATING": "INITIATING",
    "INITIAL_SYNC": "SYNCING",
    "BACKLOG": "SYNCING",
    "CREATING_SNAPSHOT": "SYNCING",
    "RESCAN": "SYNCING",
    "CONTINUOUS": "READY_FOR_RECOVERY",
    "PAUSED": "PAUSED",
    "STALLED": "STALLED",
    "DISCONNECTED": "DISCONNECTED",
}


class AssignmentOut(serializers.Serializer[Assignment]):
    """A group that has the server. `id` and `name` are null if one may not see the group."""

    id = serializers.UUIDField(source="group_id", allow_null=True)
    name = serializers.CharField(source="group_name", allow_null=True)
    by = serializers.ChoiceField(Selection.choices)
    is_current = serializers.BooleanField()


class HardwareOut(serializers.Serializer[Any]):
    """`cpus` and `disks` are told by a fresh look only."""

    cpus = serializers.ListField(child=serializers.DictField(), allow_null=True)
    total_cores = serializers.IntegerField(allow_null=True)
    ram_bytes = serializers.IntegerField(allow_null=True)
    ram_gib = serializers.FloatField(allow_null=True)
    disks = serializers.ListField(child=serializers.DictField(), allow_null=True)
    total_disk_gib = serializers.FloatField(allow_null=True)


class ShownServerOut(serializers.Serializer[ShownServer]):
    """A source server. `account_id` manages it, `source_account_id` is where it comes from, and
    `staging_account_id` is set if it is extended from there.

    `assigned_to_protection_group` are the groups that have it, by hand or by tags;
    `selectable` says that none but the current one does, and that DRS still lists it.
    """

    source_server_id = serializers.CharField(source="server_id")
    account_id = serializers.CharField()
    region = serializers.CharField()
    arn = Known(source="columns.arn")
    hostname = Known(source="columns.hostname")
    fqdn = serializers.SerializerMethodField(help_text="By a fresh look only.")
    name_tag = serializers.SerializerMethodField()
    source_instance_id = Known(source="columns.origin_instance_id")
    source_ip = serializers.SerializerMethodField(help_text="Of the primary interface.")
    source_region = Known(source="columns.origin_region")
    source_account_id = Known(source="columns.origin_account_id")
    staging_account_id = Known(source="columns.staging_account_id")
    os = Known(source="columns.os")
    state = serializers.SerializerMethodField(help_text="In a few words of the page's own.")
    replication_state = Known(source="columns.replication_state")
    lag_duration = serializers.SerializerMethodField(help_text="ISO 8601.")
    last_seen = serializers.SerializerMethodField(help_text="By a fresh look only.")
    hardware = serializers.SerializerMethodField()
    network_interfaces = serializers.SerializerMethodField(help_text="By a fresh look only.")
    source_addresses = serializers.ListField(
        source="columns.source_addresses", child=serializers.CharField()
    )
    drs_tags = serializers.DictField(source="columns.tags", child=serializers.CharField())
    assigned_to_protection_group = AssignmentOut(source="assignments", many=True)
    selectable = serializers.BooleanField()
    gone = serializers.BooleanField(help_text="DRS no longer lists it, but a group names it.")
    data_source = serializers.SerializerMethodField(help_text="`inventory` or `live`.")

    def get_fqdn(self, server: ShownServer) -> str | None:
        hints = _told(server, "sourceProperties", "identificationHints") or {}
        return hints.get("fqdn") or None

    def get_name_tag(self, server: ShownServer) -> str | None:
        return server.columns["tags"].get("Name") or None

    def get_source_ip(self, server: ShownServer) -> str | None:
        addresses = server.columns["source_addresses"]
        return addresses[0] if addresses else None

    def get_state(self, server: ShownServer) -> str:
        return _DISPLAY.get(server.columns["replication_state"], "UNKNOWN")

    def get_lag_duration(self, server: ShownServer) -> str | None:
        lag = server.columns["lag"]
        return None if lag is None else duration_iso_string(lag)

    def get_last_seen(self, server: ShownServer) -> str | None:
        lifecycle = _told(server, "lifeCycle") or {}
        return lifecycle.get("lastSeenByServiceDateTime") or None

    @extend_schema_field(HardwareOut)
    def get_hardware(self, server: ShownServer) -> dict[str, Any]:
        columns = server.columns
        return {
            "cpus": _told(server, "sourceProperties", "cpus"),
            "total_cores": columns["cpu_cores"],
            "ram_bytes": columns["ram_bytes"],
            "ram_gib": _gib(columns["ram_bytes"]),
            "disks": _told(server, "sourceProperties", "disks"),
            "total_disk_gib": _gib(columns["disk_bytes"]),
        }

    @extend_schema_field(serializers.ListField(child=serializers.DictField(), allow_null=True))
    def get_network_interfaces(self, server: ShownServer) -> Any:
        return _told(server, "sourceProperties", "networkInterfaces")

    def get_data_source(self, server: ShownServer) -> str:
        return "inventory" if server.raw is None else "live"


class WhereOut(serializers.Serializer[Where]):
    """How an account's Region last answered. With `stale`, it may be otherwise now."""

    account_id = serializers.CharField()
    region = serializers.CharField()
    status = serializers.ChoiceField(RegionStatus.choices)
    message = serializers.CharField()
    listed_at = serializers.DateTimeField(allow_null=True)
    stale = serializers.BooleanField()


class ServersOut(serializers.Serializer[Any]):
    """Servers of one account and Region. A page of them, unless they were listed live."""

    next = serializers.URLField(allow_null=True)
    region = serializers.CharField(source="where.region")
    server_count = serializers.IntegerField(source="total")
    data_source = serializers.CharField(source="source", help_text="`inventory` or `live`.")
    where = WhereOut()
    servers = ShownServerOut(many=True)


class InventoryOut(serializers.Serializer[Any]):
    """A page of the inventory. `undecided` servers were left out because DRS has not told the
    cores or the memory that they are chosen by.
    """

    next = serializers.URLField(allow_null=True)
    count = serializers.IntegerField(help_text="On this page.")
    total_count = serializers.IntegerField(source="total")
    undecided = serializers.IntegerField()
    data_source = serializers.CharField(source="source")
    regions = WhereOut(source="where", many=True)
    servers = ShownServerOut(many=True)


def _told(server: ShownServer, *path: str) -> Any:
    """A member of DRS's own answer; None if that is not at hand, or does not have it."""
    found: Any = server.raw
    for member in path:
        found = found.get(member) if isinstance(found, Mapping) else None
    return found


def _gib(size: int | None) -> float | None:
    return None if size is None else round(size / _GIB, 2)
