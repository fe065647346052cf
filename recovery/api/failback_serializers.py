"""How failbacks are asked for, steered and shown. What nobody has told is null."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, StrictSerializer, Text
from recovery.api.steering_serializers import LONGEST_TEXT, MOST_SERVERS
from recovery.api.termination_serializers import RefusalOut
from recovery.failback_states import Gate, Origin, ReturnState
from recovery.models import Failback, FailbackInstance, FailbackJob
from recovery.services import failbacks
from recovery.services.failbacks import Standing


class FailbackIn(StrictSerializer):
    """Why what a recovery launched goes back."""

    reason = Text(max_length=LONGEST_TEXT)
    confirmation = Text(max_length=64, help_text="The plan's name.")


class FailbackGateIn(StrictSerializer):
    """Which gate is opened, and what is said about it."""

    gate = serializers.ChoiceField(
        choices=Gate.choices,
        help_text="LAUNCH: launch back what is ready. FINISH: what was launched back works; "
        "disconnect and terminate its recovery instances.",
    )
    comment = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class FailbackLeaveOutIn(StrictSerializer):
    """What is left out of a failback, and why."""

    server_ids = serializers.ListField(
        child=Text(max_length=19),
        min_length=1,
        max_length=MOST_SERVERS,
        help_text="Ids at DRS, as the execution launched them.",
    )
    reason = Text(max_length=LONGEST_TEXT)


class FailbackCancelIn(StrictSerializer):
    """Why a failback is cancelled."""

    reason = Text(max_length=LONGEST_TEXT, required=False, allow_blank=True)


class FailbackJobOut(serializers.ModelSerializer[FailbackJob]):
    """One launch back, in one account and Region."""

    account_id = serializers.CharField(source="aws_account_id", read_only=True)
    origin = serializers.ChoiceField(
        choices=Origin.choices,
        read_only=True,
        help_text="AWS: a StartRecovery where the servers came from. ON_PREMISES: a "
        "StartFailbackLaunch.",
    )
    message = Known(help_text="What it waits for, or why it came to this end.")
    drs_job_id = Known(help_text="Null until DRS has given it.")
    drs_status = Known(help_text="As DRS spells it.")

    class Meta:
        model = FailbackJob
        fields = (
            "id",
            "account_id",
            "region",
            "origin",
            "state",
            "message",
            "drs_job_id",
            "drs_status",
            "created_at",
            "asked_at",
            "started_at",
            "ended_at",
        )
        read_only_fields = fields


class FailbackInstanceOut(serializers.ModelSerializer[FailbackInstance]):
    """A recovery instance that goes back, as of `looked_at`."""

    job_id = serializers.UUIDField(read_only=True, allow_null=True)
    account_id = serializers.CharField(source="server.account_id", read_only=True)
    region = serializers.CharField(source="server.region", read_only=True)
    server_id = serializers.CharField(source="source_server_id", read_only=True)
    server_name = serializers.CharField(source="server.name", read_only=True)
    recovery_instance_id = Known(source="instance_id")
    origin = Known(help_text="AWS or ON_PREMISES; null until DRS has told it.")
    origin_account_id = Known()
    origin_region = Known()
    reversed_server_arn = Known(
        source="reversed_arn", help_text="The source server that the reversal made at the origin."
    )
    message = Known(help_text="What it waits for, or why it came to this end.")
    replication_state = Known(help_text="As DRS spells it.")
    failback_state = Known(help_text="As DRS spells it.")
    lag_seconds = serializers.SerializerMethodField(help_text="Null where DRS does not tell it.")
    failed_back_instance_id = Known(source="back_instance_id", help_text="Of what came from AWS.")

    class Meta:
        model = FailbackInstance
        fields = (
            "id",
            "job_id",
            "account_id",
            "region",
            "server_id",
            "server_name",
            "recovery_instance_id",
            "origin",
            "origin_account_id",
            "origin_region",
            "reversed_server_arn",
            "state",
            "message",
            "replication_state",
            "failback_state",
            "lag_seconds",
            "eta_at",
            "looked_at",
            "reverse_asked_at",
            "reversed_at",
            "failed_back_instance_id",
            "stop_asked_at",
            "disconnected_at",
            "finished_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_lag_seconds(self, row: FailbackInstance) -> float | None:
        return None if row.lag is None else row.lag.total_seconds()


class FailbackOut(serializers.ModelSerializer[Failback]):
    """A failback, of `failbacks.told`."""

    execution_id = serializers.UUIDField(read_only=True)
    message = Known(help_text="What keeps it from going on, if anything does.")
    waits_at = serializers.SerializerMethodField(
        help_text="The gate that a person has to open before it goes on."
    )
    counts = serializers.SerializerMethodField(help_text="How many instances are in which state.")
    termination_id = serializers.UUIDField(
        read_only=True, allow_null=True, help_text="The clean-up by which it ends."
    )

    class Meta:
        model = Failback
        fields: tuple[str, ...] = (
            "id",
            "execution_id",
            "state",
            "message",
            "reason",
            "requested_by",
            "created_at",
            "waits_at",
            "ready_at",
            "launch_opened_at",
            "launch_opened_by",
            "launch_comment",
            "finish_opened_at",
            "finish_opened_by",
            "finish_comment",
            "cancel_requested_at",
            "cancel_requested_by",
            "cancel_reason",
            "termination_id",
            "finished_at",
            "counts",
            "correlation_id",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=Gate.choices, allow_null=True))
    def get_waits_at(self, failback: Failback) -> str | None:
        gate = failbacks.waits_at(failback)
        return None if gate is None else str(gate)

    @extend_schema_field(serializers.DictField(child=serializers.IntegerField()))
    def get_counts(self, failback: Failback) -> dict[str, int]:
        found = failbacks.counts(list(failback.instances.all()))
        return {str(state): found.get(state, 0) for state in ReturnState}


class FailbackDetail(FailbackOut):
    """A failback with its jobs, how each instance stands, and what is not ready yet."""

    not_ready = serializers.SerializerMethodField(
        help_text="What keeps the gate LAUNCH shut, by the names of the servers."
    )
    jobs = FailbackJobOut(many=True, read_only=True)
    instances = FailbackInstanceOut(many=True, read_only=True)

    class Meta(FailbackOut.Meta):
        fields = (*FailbackOut.Meta.fields, "not_ready", "jobs", "instances")
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_not_ready(self, failback: Failback) -> list[str]:
        return [f"{name}: {why}" for name, why in failbacks.not_ready(failback)]


class FailbackStatus(serializers.Serializer[Any]):
    """How it stands with failing back after an execution."""

    can_fail_back = serializers.SerializerMethodField(
        help_text="Whether it can be asked for now, by somebody who may."
    )
    why_not = serializers.SerializerMethodField()
    instances_left = serializers.SerializerMethodField(
        help_text="How many instances could go back, as far as is known."
    )
    latest = serializers.SerializerMethodField()
    earlier = serializers.SerializerMethodField(help_text="Those before it, newest first.")

    def get_can_fail_back(self, _: Any) -> bool:
        return self._standing.refusal is None

    @extend_schema_field(RefusalOut(allow_null=True))
    def get_why_not(self, _: Any) -> Any:
        refusal = self._standing.refusal
        return None if refusal is None else {"code": refusal.code, "detail": refusal.detail}

    def get_instances_left(self, _: Any) -> int:
        return len(self._standing.left)

    @extend_schema_field(FailbackDetail(allow_null=True))
    def get_latest(self, found: list[Failback]) -> Any:
        return FailbackDetail(found[0]).data if found else None

    @extend_schema_field(FailbackOut(many=True))
    def get_earlier(self, found: list[Failback]) -> Any:
        return FailbackOut(found[1:], many=True).data

    @property
    def _standing(self) -> Standing:
        standing: Standing = self.context["standing"]
        return standing
