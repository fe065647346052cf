"""What requests about protection hold, and how its objects are shown."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, Seconds, StrictSerializer
from protection.choices import Readiness, SyncKind
from protection.models import (
    AccountRegion,
    SourceServer,
    SyncRun,
    TargetAccount,
)
from protection.selectors import readiness_of


class AccountRef(serializers.ModelSerializer[TargetAccount]):
    """An account, as other objects name it."""

    class Meta:
        model = TargetAccount
        fields = ("id", "account_id", "name")
        read_only_fields = fields


class ServerOut(serializers.ModelSerializer[SourceServer]):
    """A source server as DRS last listed it. What is not known is null.

    The context holds `regions`: the rows of accounts' Regions by (account, Region).
    """

    account = AccountRef(read_only=True)
    hostname = Known()
    os = Known()
    architecture = Known()
    replication_state = Known(help_text="As DRS spells it.")
    replication_error = Known()
    lag_seconds = Seconds(source="lag")
    last_launch_result = Known(help_text="As DRS spells it.")
    recovery_instance_id = Known()
    recommended_instance_type = Known()
    origin_account_id = Known()
    origin_region = Known()
    origin_instance_id = Known()
    staging_account_id = Known()
    staging_status = Known()
    staging_error = Known()
    readiness = serializers.SerializerMethodField(
        help_text="Whether it could be launched now, as far as the inventory tells."
    )
    readiness_reason = serializers.SerializerMethodField(help_text="Why; empty if READY.")
    listed_at = serializers.SerializerMethodField(
        help_text="When its account and Region were last listed; null if never."
    )
    facts_age_seconds = serializers.SerializerMethodField(
        help_text="How old these facts are; null if they were never listed."
    )

    class Meta:
        model = SourceServer
        fields = (
            "id",
            "account",
            "region",
            "server_id",
            "arn",
            "name",
            "hostname",
            "os",
            "architecture",
            "tags",
            "replication_state",
            "replication_error",
            "lag_seconds",
            "first_synced",
            "last_launch_result",
            "recovery_instance_id",
            "recommended_instance_type",
            "cpu_cores",
            "ram_bytes",
            "disk_bytes",
            "source_addresses",
            "origin_account_id",
            "origin_region",
            "origin_instance_id",
            "staging_account_id",
            "staging_status",
            "staging_error",
            "readiness",
            "readiness_reason",
            "listed_at",
            "facts_age_seconds",
            "first_seen_at",
            "changed_at",
            "gone_at",
        )
        read_only_fields = fields

    def to_representation(self, instance: SourceServer) -> dict[str, Any]:
        self._where = self._regions.get((instance.account_id, instance.region))
        self._verdict = readiness_of(instance, self._where)
        return super().to_representation(instance)

    @extend_schema_field(serializers.ChoiceField(choices=Readiness.choices))
    def get_readiness(self, _: SourceServer) -> str:
        return str(self._verdict.readiness)

    def get_readiness_reason(self, _: SourceServer) -> str:
        return self._verdict.reason

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_listed_at(self, _: SourceServer) -> Any:
        return self._where.listed_at if self._where else None

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_facts_age_seconds(self, _: SourceServer) -> int | None:
        if self._where is None or self._where.listed_at is None:
            return None
        return int((timezone.now() - self._where.listed_at).total_seconds())

    @property
    def _regions(self) -> Mapping[tuple[object, str], AccountRegion]:
        found: Mapping[tuple[object, str], AccountRegion] = self.context["regions"]
        return found


class SyncRunIn(StrictSerializer):
    """A sync to run now."""

    kind = serializers.ChoiceField(choices=SyncKind.choices)


class SyncAsked(serializers.Serializer[Any]):
    """That a sync was asked for. It shows in the list once a worker has begun it."""

    kind = serializers.ChoiceField(choices=SyncKind.choices)
    requested_by = serializers.CharField()


class SyncRunOut(serializers.ModelSerializer[SyncRun]):
    """One run of a sync: what it saw, changed, skipped and could not do.

    `skipped` counts by reason, `failed` what AWS refused. `changes` says of the first 500 servers
    what the tag sync did, or, with `dry_run`, would do.
    """

    class Meta:
        model = SyncRun
        fields = (
            "id",
            "kind",
            "state",
            "requested_by",
            "started_at",
            "finished_at",
            "scopes_listed",
            "scopes_without_drs",
            "scopes_skipped",
            "scopes_failed",
            "seen",
            "added",
            "changed",
            "removed",
            "skipped",
            "failed",
            "dry_run",
            "changes",
            "problems",
        )
        read_only_fields = fields
