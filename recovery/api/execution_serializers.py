"""How executions are shown. What AWS has not told is null."""

from collections import Counter
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, Seconds
from recovery.api.checks import PlanCheckOut
from recovery.api.gate_serializers import GateDecisionOut, GateRuleOut
from recovery.api.preflight_serializers import PreflightCheckOut
from recovery.models import (
    Execution,
    ExecutionEvent,
    LaunchJob,
    ServerCheck,
    Wave,
    WavePreflight,
    WaveServer,
)
from recovery.selectors import rto_deadline
from recovery.services.wave_preflights import kept, not_passed
from recovery.states import LAUNCHED_WELL, ServerState, WaveState


class Counts(serializers.Serializer[Any]):
    """How the servers of an execution or a wave stand.

    `failed` are those that failed, were skipped by DRS or blocked, or of which nothing is known;
    `left_out` those that a person left out, which count for no verdict.
    """

    total = serializers.IntegerField()
    launched = serializers.IntegerField()
    failed = serializers.IntegerField()
    left_out = serializers.IntegerField()


class ExecutionOut(serializers.ModelSerializer[Execution]):
    """An execution, as a list shows it."""

    plan_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="Null once the plan has been deleted."
    )
    message = Known(help_text="What keeps it from going on, if anything does.")
    options = serializers.JSONField(
        read_only=True, help_text="What was chosen of the plan; empty: all of it, from the latest."
    )
    servers = serializers.SerializerMethodField()

    class Meta:
        model = Execution
        fields: tuple[str, ...] = (
            "id",
            "plan_id",
            "plan_name",
            "plan_version",
            "kind",
            "state",
            "message",
            "reason",
            "ticket",
            "options",
            "requested_by",
            "created_at",
            "started_at",
            "finished_at",
            "preflight_before_waves",
            "launch_settings_policy",
            "cancel_requested_at",
            "cancel_requested_by",
            "cancel_reason",
            "pause_requested_at",
            "pause_requested_by",
            "pause_reason",
            "pause_lifted_at",
            "approval_needed",
            "approval_until",
            "approved_at",
            "approved_by",
            "approval_comment",
            "servers",
            "correlation_id",
        )
        read_only_fields = fields

    @extend_schema_field(Counts)
    def get_servers(self, execution: Any) -> dict[str, int]:
        return {
            "total": execution.server_total,
            "launched": execution.server_launched,
            "failed": execution.server_failed,
            "left_out": execution.server_left_out,
        }


class JobOut(serializers.ModelSerializer[LaunchJob]):
    """A launch job: one StartRecovery in one account and Region."""

    account_id = serializers.CharField(source="aws_account_id", read_only=True)
    message = Known()
    point_ids = serializers.JSONField(
        read_only=True, help_text="The recovery points that were chosen, by server id."
    )
    drs_job_id = Known(help_text="Null until DRS has given it.")
    drs_status = Known(help_text="As DRS spells it.")
    drs_answered_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When DRS last told of a STARTED job; what is said of its servers is as old.",
    )
    drs_trouble = Known(help_text="Why DRS does not tell of a STARTED job now; null if it does.")

    class Meta:
        model = LaunchJob
        fields = (
            "id",
            "account_id",
            "region",
            "kind",
            "state",
            "message",
            "server_ids",
            "point_ids",
            "drs_job_id",
            "drs_status",
            "drs_answered_at",
            "drs_trouble",
            "created_at",
            "asked_at",
            "started_at",
            "ended_at",
        )
        read_only_fields = fields


class ServerCheckOut(serializers.ModelSerializer[ServerCheck]):
    """A check of a launched server."""

    message = Known(help_text="What the last look found.")
    by_hand = Known(help_text="Who took it as passed on their word.")
    reason = Known(help_text="Why they did.")
    attempts_allowed = serializers.IntegerField(source="definition.attempts", read_only=True)

    class Meta:
        model = ServerCheck
        fields = (
            "id",
            "name",
            "kind",
            "required",
            "state",
            "message",
            "attempts",
            "attempts_allowed",
            "looked_at",
            "started_at",
            "deadline_at",
            "finished_at",
            "by_hand",
            "reason",
        )
        read_only_fields = fields


class WaveServerOut(serializers.ModelSerializer[WaveServer]):
    """A server in a wave: where it is, and what became of it."""

    message = Known(help_text="Why it failed or was skipped, or what it waits for.")
    launch_status = Known(help_text="As DRS spells it.")
    job_id = serializers.UUIDField(source="launch_job_id", read_only=True, allow_null=True)
    recovery_instance_id = Known()
    instance_state = Known(help_text="As EC2 spells it.")
    instance_type = Known()
    private_ip = Known()
    availability_zone = Known()
    subnet_id = Known()
    os = Known()
    in_scope = serializers.BooleanField(
        read_only=True, help_text="False: the start did not choose it, and it was never held."
    )
    chosen_point_id = Known(help_text="The recovery point that was chosen; null: the latest.")
    checks = ServerCheckOut(many=True, read_only=True)

    class Meta:
        model = WaveServer
        fields = (
            "id",
            "account_id",
            "region",
            "server_id",
            "name",
            "os",
            "group_name",
            "critical",
            "in_scope",
            "chosen_point_id",
            "chosen_point_at",
            "recovery_point_at",
            "state",
            "phase",
            "attempt",
            "message",
            "launch_status",
            "job_id",
            "recovery_instance_id",
            "instance_state",
            "instance_type",
            "private_ip",
            "availability_zone",
            "subnet_id",
            "facts_at",
            "instance_gone_at",
            "started_at",
            "launched_at",
            "finished_at",
            "checks",
        )
        read_only_fields = fields


class GateOut(serializers.Serializer[Any]):
    """The gate before a wave."""

    waiting = serializers.SerializerMethodField(help_text="Whether it waits for a person now.")
    instructions = serializers.CharField(source="gate_instructions")
    reached_at = serializers.DateTimeField(source="gate_reached_at", allow_null=True)
    opened_at = serializers.DateTimeField(source="gate_opened_at", allow_null=True)
    opened_by = Known(source="gate_opened_by")
    comment = Known(source="gate_comment")
    rule = serializers.SerializerMethodField(
        help_text="Null where anybody who may steer the plan opens it."
    )
    decisions = GateDecisionOut(many=True, help_text="Approvals and denials, the oldest first.")

    @extend_schema_field(GateRuleOut(allow_null=True))
    def get_rule(self, wave: Wave) -> Any:
        return wave.gate_rule or None

    def get_waiting(self, wave: Wave) -> bool:
        return wave.state == WaveState.WAITING and wave.gate_opened_at is None


class WavePreflightOut(serializers.ModelSerializer[WavePreflight]):
    """What AWS said when it was asked anew before the wave. Null is what nobody has asked yet."""

    outcome = Known(help_text="PASSED, WARNING, FAILED or UNKNOWN.")
    holds = serializers.SerializerMethodField(
        help_text="Whether it keeps the wave from launching: nobody has overridden it."
    )
    asks_again_at = serializers.DateTimeField(
        source="due_at", read_only=True, allow_null=True, help_text="When AWS is asked again."
    )
    overridden_by = Known()
    override_reason = Known()
    checks = serializers.SerializerMethodField(help_text="What did not pass, what blocks first.")

    class Meta:
        model = WavePreflight
        fields = (
            "asked_at",
            "outcome",
            "holds",
            "blocking",
            "asks_again_at",
            "refusals",
            "overridden",
            "overridden_at",
            "overridden_by",
            "override_reason",
            "checks",
        )
        read_only_fields = fields

    def get_holds(self, row: WavePreflight) -> bool:
        return bool(row.in_the_way)

    @extend_schema_field(PreflightCheckOut(many=True))
    def get_checks(self, row: WavePreflight) -> Any:
        return PreflightCheckOut(not_passed(row), many=True).data


class WaveOut(serializers.ModelSerializer[Wave]):
    """A wave of an execution with its servers and launch jobs."""

    gate = serializers.SerializerMethodField(help_text="Null if there is none before it.")
    message = Known()
    preflight = serializers.SerializerMethodField(
        help_text="What AWS said before it launched; null while nobody has asked."
    )
    wait_seconds = Seconds(source="wait", allow_null=False)
    time_limit_seconds = Seconds(source="time_limit", allow_null=False)
    checks = serializers.ListField(child=PlanCheckOut(), read_only=True)
    counts = serializers.SerializerMethodField()
    servers = WaveServerOut(many=True, read_only=True)
    jobs = JobOut(many=True, read_only=True)

    class Meta:
        model = Wave
        fields = (
            "position",
            "name",
            "state",
            "message",
            "depends_on",
            "gate",
            "preflight",
            "group_names",
            "wait_seconds",
            "wait_until",
            "time_limit_seconds",
            "success_threshold",
            "checks",
            "started_at",
            "deadline_at",
            "finished_at",
            "counts",
            "jobs",
            "servers",
        )
        read_only_fields = fields

    @extend_schema_field(GateOut(allow_null=True))
    def get_gate(self, wave: Wave) -> Any:
        return GateOut(wave).data if wave.gate else None

    @extend_schema_field(WavePreflightOut(allow_null=True))
    def get_preflight(self, wave: Wave) -> Any:
        row = kept(wave)
        return None if row is None else WavePreflightOut(row).data

    @extend_schema_field(Counts)
    def get_counts(self, wave: Wave) -> dict[str, int]:
        return counts_of([server.state for server in wave.servers.all()])


class ExecutionDetail(ExecutionOut):
    """An execution with everything in it."""

    rto_seconds = serializers.IntegerField(
        read_only=True,
        allow_null=True,
        help_text="The recovery time objective of the plan version that is carried out; null if it "
        "has none, or once the plan has been deleted.",
    )
    rto_deadline_at = serializers.SerializerMethodField(
        help_text="When that is over, counted from the request; null where there is none."
    )
    waves = WaveOut(many=True, read_only=True)

    class Meta(ExecutionOut.Meta):
        fields = (*ExecutionOut.Meta.fields, "rto_seconds", "rto_deadline_at", "waves")
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_rto_deadline_at(self, execution: Any) -> Any:
        return rto_deadline(execution)


class EventOut(serializers.ModelSerializer[ExecutionEvent]):
    """A line of an execution's timeline."""

    wave = serializers.IntegerField(
        source="wave.position", default=None, read_only=True, help_text="The wave's position."
    )
    server_id = serializers.CharField(source="server.server_id", default=None, read_only=True)

    class Meta:
        model = ExecutionEvent
        fields = ("id", "at", "kind", "message", "actor", "wave", "server_id")
        read_only_fields = fields


def counts_of(states: list[str]) -> dict[str, int]:
    """How servers in these states stand, as `Counts` shows it."""
    found = Counter(states)
    bad = (ServerState.FAILED, ServerState.SKIPPED, ServerState.UNKNOWN, ServerState.BLOCKED)
    return {
        "total": len(states),
        "launched": sum(found[state] for state in LAUNCHED_WELL),
        "failed": sum(found[state] for state in bad),
        "left_out": found[ServerState.LEFT_OUT],
    }
