"""What is told of preflights."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known
from recovery.engine import preflight as engine
from recovery.models import Preflight
from recovery.states import CheckOutcome


class PreflightCheckOut(serializers.Serializer[Any]):
    """What one check found, and what it is about; null where it is about more than that."""

    code = serializers.ChoiceField(choices=list(engine.TITLES.items()))
    outcome = serializers.ChoiceField(choices=CheckOutcome.choices)
    found = serializers.CharField()
    remedy = Known(help_text="What to do about it; null if it passed.")
    wave = serializers.IntegerField(allow_null=True)
    group = Known()
    account_id = Known()
    region = Known()
    server_ids = serializers.ListField(child=serializers.CharField())
    facts_at = serializers.DateTimeField(
        allow_null=True,
        help_text="Since when that is known. Null: nobody knows, or it is no matter of age.",
    )


class PointOut(serializers.Serializer[Any]):
    """A recovery point that a server would be launched from."""

    account_id = serializers.CharField()
    region = serializers.CharField()
    server_id = serializers.CharField()
    point_id = serializers.CharField()
    taken_at = serializers.DateTimeField()


class LossOut(serializers.Serializer[Any]):
    """A kind of check that lowers the score."""

    code = serializers.CharField()
    outcome = serializers.ChoiceField(choices=CheckOutcome.choices)
    points = serializers.IntegerField()


class PreflightOut(serializers.ModelSerializer[Preflight]):
    """One preflight. What it found is null until it is DONE, and stays so if it is ABANDONED."""

    plan_id = serializers.UUIDField(read_only=True)
    outcome = serializers.SerializerMethodField(
        help_text="The worst of its checks. FAILED and UNKNOWN keep the plan from being started."
    )
    score = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="0 to 100; null is unknown, and not 0."
    )

    options = serializers.JSONField(
        read_only=True, help_text="What a start was to choose of the plan; empty: all of it."
    )

    class Meta:
        model = Preflight
        fields: tuple[str, ...] = (
            "id",
            "plan_id",
            "plan_version",
            "state",
            "requested_by",
            "created_at",
            "started_at",
            "finished_at",
            "outcome",
            "score",
            "options",
        )
        read_only_fields: tuple[str, ...] = fields

    @extend_schema_field(serializers.ChoiceField(choices=CheckOutcome.choices, allow_null=True))
    def get_outcome(self, preflight: Preflight) -> CheckOutcome | None:
        return CheckOutcome(preflight.outcome) if preflight.outcome else None


class PreflightDetail(PreflightOut):
    """One preflight with its checks, what blocks first, and what lowers its score."""

    checks = serializers.SerializerMethodField()
    lowered_by = serializers.SerializerMethodField()
    points = serializers.SerializerMethodField(
        help_text="The recovery points that were found for what the options ask for."
    )

    class Meta(PreflightOut.Meta):
        fields = (*PreflightOut.Meta.fields, "lowered_by", "checks", "points")
        read_only_fields = fields

    @extend_schema_field(PreflightCheckOut(many=True))
    def get_checks(self, preflight: Preflight) -> Any:
        ordered = engine.worst_first(map(engine.of_dict, preflight.checks))
        return PreflightCheckOut(ordered, many=True).data

    @extend_schema_field(LossOut(many=True))
    def get_lowered_by(self, preflight: Preflight) -> Any:
        lost = engine.losses(map(engine.of_dict, preflight.checks))
        return LossOut(lost, many=True).data

    @extend_schema_field(PointOut(many=True))
    def get_points(self, preflight: Preflight) -> Any:
        names = ("account_id", "region", "server_id")
        return [
            dict(zip(names, key.split("/"), strict=True))
            | {"point_id": found["id"], "taken_at": found["at"]}
            for key, found in sorted(preflight.points.items())
        ]
