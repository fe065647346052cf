"""What requests about recovery hold, and how plans are shown."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Flag, Id, StrictSerializer, Text, Whole
from recovery.models import PlanVersion, PlanWave, RecoveryPlan
from recovery.services.plans import DEFAULT_LIMIT, LONGEST_LIMIT, WaveSpec
from recovery.states import Kind

_LONGEST_TEXT = 1000
_MOST_GROUPS = 200
_MINUTE = timedelta(minutes=1)


class WaveIn(StrictSerializer):
    """A wave. Its position is its place in the list, from 1."""

    name = Text(max_length=64)
    group_ids = serializers.ListField(
        child=Id(), max_length=_MOST_GROUPS, help_text="The protection groups it launches."
    )
    depends_on = serializers.ListField(
        child=Whole(min_value=1, max_value=32767),
        required=False,
        max_length=_MOST_GROUPS,
        help_text="Positions of the waves that must have ended well before it starts.",
    )
    gate = Flag(default=False, help_text="Whether a person must let it start.")
    gate_instructions = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    time_limit_minutes = Whole(
        default=DEFAULT_LIMIT // _MINUTE, min_value=1, max_value=LONGEST_LIMIT // _MINUTE
    )


class PlanIn(StrictSerializer):
    """A plan to make."""

    name = Text(max_length=64)
    description = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    waves = WaveIn(many=True)


class PlanEdit(PlanIn):
    """A plan as it is to be."""

    version = Whole(
        required=False,
        min_value=1,
        help_text="The version that this change is meant for. If the plan is at another: 409.",
    )


def specs(waves: list[dict[str, Any]]) -> list[WaveSpec]:
    """Waves as the service wants them."""
    return [
        WaveSpec(
            name=wave["name"],
            group_ids=tuple(wave["group_ids"]),
            depends_on=tuple(wave.get("depends_on", ())),
            gate=wave["gate"],
            gate_instructions=wave.get("gate_instructions", ""),
            time_limit=wave["time_limit_minutes"] * _MINUTE,
        )
        for wave in waves
    ]


class GroupRef(serializers.Serializer[Any]):
    """A protection group, as a plan names it."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class PlanWaveOut(serializers.ModelSerializer[PlanWave]):
    """A wave of a plan."""

    groups = serializers.SerializerMethodField()
    time_limit_minutes = serializers.SerializerMethodField()

    class Meta:
        model = PlanWave
        fields = (
            "position",
            "name",
            "groups",
            "depends_on",
            "gate",
            "gate_instructions",
            "time_limit_minutes",
        )
        read_only_fields = fields

    @extend_schema_field(GroupRef(many=True))
    def get_groups(self, wave: PlanWave) -> Any:
        by_name = sorted(wave.groups.all(), key=lambda group: (group.name, group.pk))
        return GroupRef(by_name, many=True).data

    def get_time_limit_minutes(self, wave: PlanWave) -> int:
        return wave.time_limit // _MINUTE


class PlanOut(serializers.ModelSerializer[RecoveryPlan]):
    """A recovery plan with its waves, as it is now."""

    waves = PlanWaveOut(many=True, read_only=True)

    class Meta:
        model = RecoveryPlan
        fields = ("id", "name", "description", "version", "waves", "created_at", "updated_at")
        read_only_fields = fields


class VersionOut(serializers.ModelSerializer[PlanVersion]):
    """What a plan said at one time."""

    class Meta:
        model = PlanVersion
        fields = ("number", "created_at", "created_by", "document")
        read_only_fields = fields


class ExecutionIn(StrictSerializer):
    """A plan to carry out."""

    plan_id = Id()
    kind = serializers.ChoiceField(choices=Kind.choices)
    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    confirmation = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The plan's name; only a RECOVERY needs it.",
    )


class CancelIn(StrictSerializer):
    """Why an execution is cancelled."""

    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)


class ResumeIn(StrictSerializer):
    """Which gate to open."""

    position = Whole(
        required=False,
        min_value=1,
        help_text="The wave that waits at its gate. Left out: every wave that waits.",
    )
    comment = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
