"""What requests about plans hold, and how plans are shown."""

from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Flag, Id, Seconds, StrictSerializer, Tags, Text, Whole
from recovery.api.checks import PlanCheckIn, PlanCheckOut
from recovery.api.gate_serializers import GateRuleIn, GateRuleOut, rule_of
from recovery.choices import LaunchSettingsPolicy
from recovery.models import PlanVersion, PlanWave, RecoveryPlan
from recovery.services.plan_rules import (
    LONGEST_OBJECTIVE,
    LONGEST_WAIT,
    MOST_ADDRESSES,
    MOST_DRILL_DAYS,
)
from recovery.services.plans import (
    DEFAULT_LIMIT,
    LONGEST_LIMIT,
    GroupServers,
    PlanSpec,
    WaveSpec,
)

_LONGEST_TEXT = 1000
_MOST_GROUPS = 200
_MOST_SERVERS = 4000
_MINUTE = timedelta(minutes=1)


def _server_ids(help_text: str) -> Any:
    return serializers.ListField(
        child=Text(max_length=19), required=False, max_length=_MOST_SERVERS, help_text=help_text
    )


class GroupServersIn(StrictSerializer):
    """Which servers of one of the wave's groups are launched, and which may fail."""

    group_id = Id()
    server_ids = _server_ids(
        "DRS's ids of the servers that are launched. Left out or empty: all that the group holds "
        "when the plan is started."
    )
    optional_server_ids = _server_ids(
        "DRS's ids of the launched servers whose failure does not fail the wave, as long as its "
        "success threshold is kept."
    )


class WaveIn(StrictSerializer):
    """A wave. Its position is its place in the list, from 1."""

    name = Text(max_length=64)
    group_ids = serializers.ListField(
        child=Id(),
        max_length=_MOST_GROUPS,
        help_text="The protection groups it launches, of any accounts and Regions.",
    )
    group_servers = GroupServersIn(
        many=True,
        required=False,
        help_text="Only for groups of which not all servers are launched, or some are optional.",
    )
    depends_on = serializers.ListField(
        child=Whole(min_value=1, max_value=32767),
        required=False,
        max_length=_MOST_GROUPS,
        help_text="Positions of the waves that must have ended well before it starts.",
    )
    gate = Flag(default=False, help_text="Whether a person must let it start.")
    gate_instructions = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    gate_rule = GateRuleIn(
        required=False,
        allow_null=True,
        help_text="Who opens the gate. Left out or null: anybody who may steer the plan.",
    )
    wait_minutes = Whole(
        default=0,
        min_value=0,
        max_value=LONGEST_WAIT // _MINUTE,
        help_text="How long it waits once it could start, and its gate, if any, is open.",
    )
    time_limit_minutes = Whole(
        default=DEFAULT_LIMIT // _MINUTE, min_value=1, max_value=LONGEST_LIMIT // _MINUTE
    )
    success_threshold = Whole(
        default=100,
        min_value=1,
        max_value=100,
        help_text="It ends well if every critical server was launched, and at least this many "
        "percent of all.",
    )
    checks = PlanCheckIn(
        many=True,
        required=False,
        help_text="What is checked of each server once it is launched, before the wave ends well.",
    )


class PlanIn(StrictSerializer):
    """A plan to make."""

    name = Text(allow_blank=True, help_text="1 to 64 characters, unique regardless of case.")
    description = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    owner = Text(max_length=255, required=False, allow_blank=True)
    rto_minutes = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_OBJECTIVE // _MINUTE,
        help_text="The recovery time objective.",
    )
    rpo_minutes = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=LONGEST_OBJECTIVE // _MINUTE,
        help_text="The recovery point objective: the checks name servers that are behind by more.",
    )
    preflight_before_waves = Flag(
        required=False,
        help_text="Whether AWS is asked anew about a wave's servers before it launches. Left out: "
        "it is.",
    )
    launch_settings_policy = serializers.ChoiceField(
        choices=LaunchSettingsPolicy.choices,
        required=False,
        help_text="What is done about launch settings that DRS does not hold when a wave could "
        "launch. Left out: BLOCK.",
    )
    drill_every_days = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_DRILL_DAYS,
        help_text="A drill of it is to complete at least this often; then it is overdue.",
    )
    notification_addresses = serializers.ListField(
        child=Text(),
        required=False,
        max_length=MOST_ADDRESSES,
        help_text="E-mail addresses, each once. Each gets all notices of the plan.",
    )
    tags = Tags(required=False, help_text="The plan's own tags.")
    approval_needed = Flag(
        required=False,
        help_text="Whether a RECOVERY waits until somebody else than its starter has approved it. "
        "True if left out.",
    )
    waves = WaveIn(many=True)


def _version() -> Any:
    return Whole(
        required=False,
        min_value=1,
        help_text="The version that this change is meant for. If the plan is at another: 409.",
    )


class PlanEdit(PlanIn):
    """A plan as it is to be."""

    version = _version()


class PlanPatch(PlanEdit):
    """What is to be different. Waves are given whole, or not at all."""

    name = Text(required=False, allow_blank=True)
    waves = WaveIn(many=True, required=False)


class PlanDraft(PlanIn):
    """A plan to check."""

    plan_id = Id(required=False, help_text="The plan that this is a draft of, if there is one.")


class PlanCopyIn(StrictSerializer):
    """The name of the copy."""

    name = Text(allow_blank=True)


class PlanRestoreIn(StrictSerializer):
    """The version that is to be again."""

    number = Whole(min_value=1, help_text="The version whose words the plan is to say again.")
    version = _version()


def facts(wanted: dict[str, Any]) -> dict[str, Any]:
    """What was sent of a plan, by the service's names."""
    said = dict(wanted)
    for name in ("rto", "rpo"):
        if f"{name}_minutes" in said:
            minutes = said.pop(f"{name}_minutes")
            said[name] = None if minutes is None else minutes * _MINUTE
    if "launch_settings_policy" in said:
        said["launch_settings_policy"] = LaunchSettingsPolicy(said["launch_settings_policy"])
    if "waves" in said:
        said["waves"] = tuple(_spec(wave) for wave in said["waves"])
    return said


def kept(spec: PlanSpec) -> dict[str, Any]:
    """What a plan says now, by the service's names."""
    return {
        "name": spec.name,
        "waves": spec.waves,
        "description": spec.description,
        "owner": spec.owner,
        "rto": spec.rto,
        "rpo": spec.rpo,
        "preflight_before_waves": spec.preflight_before_waves,
        "launch_settings_policy": spec.launch_settings_policy,
        "drill_every_days": spec.drill_every_days,
        "notification_addresses": spec.notification_addresses,
        "tags": spec.tags,
        "approval_needed": spec.approval_needed,
    }


def _spec(wave: dict[str, Any]) -> WaveSpec:
    return WaveSpec(
        name=wave["name"],
        group_ids=tuple(wave["group_ids"]),
        depends_on=tuple(wave.get("depends_on", ())),
        gate=wave["gate"],
        gate_instructions=wave.get("gate_instructions", ""),
        gate_rule=rule_of(wave.get("gate_rule")),
        time_limit=wave["time_limit_minutes"] * _MINUTE,
        wait=wave["wait_minutes"] * _MINUTE,
        success_threshold=wave["success_threshold"],
        checks=tuple(wave.get("checks", ())),
        group_servers=tuple(
            GroupServers(
                entry["group_id"],
                tuple(entry.get("server_ids", ())),
                tuple(entry.get("optional_server_ids", ())),
            )
            for entry in wave.get("group_servers", ())
        ),
    )


class GroupRef(serializers.Serializer[Any]):
    """A protection group, as a plan names it. No server_ids: all that it holds at the start."""

    id = serializers.UUIDField(source="group_id")
    name = serializers.CharField(source="group.name")
    server_ids = serializers.ListField(child=serializers.CharField())
    optional_server_ids = serializers.ListField(child=serializers.CharField())


class PlanWaveOut(serializers.ModelSerializer[PlanWave]):
    """A wave of a plan."""

    groups = serializers.SerializerMethodField()
    gate_rule = serializers.SerializerMethodField(
        help_text="Null where anybody who may steer the plan opens its gate."
    )
    wait_minutes = serializers.SerializerMethodField()
    time_limit_minutes = serializers.SerializerMethodField()
    checks = serializers.ListField(child=PlanCheckOut(), read_only=True)

    class Meta:
        model = PlanWave
        fields = (
            "position",
            "name",
            "groups",
            "depends_on",
            "gate",
            "gate_instructions",
            "gate_rule",
            "wait_minutes",
            "time_limit_minutes",
            "success_threshold",
            "checks",
        )
        read_only_fields = fields

    @extend_schema_field(GroupRef(many=True))
    def get_groups(self, wave: PlanWave) -> Any:
        by_name = sorted(wave.entries.all(), key=lambda entry: (entry.group.name, entry.group_id))
        return GroupRef(by_name, many=True).data

    @extend_schema_field(GateRuleOut(allow_null=True))
    def get_gate_rule(self, wave: PlanWave) -> Any:
        return wave.gate_rule or None

    def get_wait_minutes(self, wave: PlanWave) -> int:
        return wave.wait // _MINUTE

    def get_time_limit_minutes(self, wave: PlanWave) -> int:
        return wave.time_limit // _MINUTE


class PlanOut(serializers.ModelSerializer[RecoveryPlan]):
    """A recovery plan with its waves, as it is now."""

    rto_seconds = Seconds(source="rto", help_text="Null if the plan has no such objective.")
    rpo_seconds = Seconds(source="rpo", help_text="Null if the plan has no such objective.")
    waves = PlanWaveOut(many=True, read_only=True)

    class Meta:
        model = RecoveryPlan
        fields: tuple[str, ...] = (
            "id",
            "name",
            "description",
            "owner",
            "rto_seconds",
            "rpo_seconds",
            "preflight_before_waves",
            "launch_settings_policy",
            "drill_every_days",
            "notification_addresses",
            "tags",
            "approval_needed",
            "version",
            "waves",
            "created_at",
            "updated_at",
        )
        read_only_fields = fields


class VersionOut(serializers.ModelSerializer[PlanVersion]):
    """What a plan said at one time."""

    class Meta:
        model = PlanVersion
        fields: tuple[str, ...] = ("number", "created_at", "created_by", "document")
        read_only_fields = fields


class ChangeOut(serializers.Serializer[Any]):
    """A field that says something else."""

    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class WaveChangeOut(serializers.Serializer[Any]):
    """A wave that is new, gone or different."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    what = serializers.ChoiceField(choices=["ADDED", "REMOVED", "CHANGED"])
    changes = ChangeOut(many=True)


class DifferencesOut(serializers.Serializer[Any]):
    """What is different between two versions, wave by wave."""

    plan = ChangeOut(many=True)
    waves = WaveChangeOut(many=True)


class VersionDetail(VersionOut):
    """What a plan said at one time, and what was different before and is now."""

    changes = serializers.SerializerMethodField(
        help_text="What was different in the version before; null in the first."
    )
    changes_until_now = serializers.SerializerMethodField(
        help_text="What is different now: restoring it undoes that."
    )

    class Meta(VersionOut.Meta):
        fields = (*VersionOut.Meta.fields, "changes", "changes_until_now")
        read_only_fields = fields

    @extend_schema_field(DifferencesOut(allow_null=True))
    def get_changes(self, _: PlanVersion) -> Any:
        found = self.context["changes"]
        return None if found is None else DifferencesOut(found).data

    @extend_schema_field(DifferencesOut)
    def get_changes_until_now(self, _: PlanVersion) -> Any:
        return DifferencesOut(self.context["changes_until_now"]).data
