"""How clean-ups are asked for, and shown. What nobody has told is null."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Known, StrictSerializer, Text
from recovery.models import Termination, TerminationInstance, TerminationJob, WaveServer
from recovery.services.terminations import Standing
from recovery.states import InstanceOutcome

_LONGEST_TEXT = 1000


class TerminateIn(StrictSerializer):
    """Why what an execution launched is terminated."""

    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    confirmation = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The plan's name; only after a RECOVERY it is needed.",
    )


class InstanceCounts(serializers.Serializer[Any]):
    """How many instances of a clean-up came to which end, and how many have yet to."""

    total = serializers.IntegerField()
    waiting = serializers.IntegerField()
    terminating = serializers.IntegerField()
    terminated = serializers.IntegerField()
    gone = serializers.IntegerField(help_text="They were not there any more.")
    left = serializers.IntegerField(help_text="They are there, and were left alone.")
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()


class TerminationJobOut(serializers.ModelSerializer[TerminationJob]):
    """One TerminateRecoveryInstances in one account and Region."""

    account_id = serializers.CharField(source="aws_account_id", read_only=True)
    message = Known(help_text="What it waits for, or why it came to this end.")
    drs_job_id = Known(help_text="Null until DRS has given it.")
    drs_status = Known(help_text="As DRS spells it.")

    class Meta:
        model = TerminationJob
        fields = (
            "id",
            "account_id",
            "region",
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


class TerminationInstanceOut(serializers.ModelSerializer[TerminationInstance]):
    """An instance that was to be terminated, and what became of it."""

    job_id = serializers.UUIDField(read_only=True)
    account_id = serializers.CharField(source="job.aws_account_id", read_only=True)
    region = serializers.CharField(source="job.region", read_only=True)
    server_id = serializers.CharField(source="source_server_id", read_only=True)
    server_name = serializers.CharField(source="server.name", read_only=True)
    recovery_instance_id = Known(source="instance_id")
    message = Known(help_text="Why it came to this end.")

    class Meta:
        model = TerminationInstance
        fields = (
            "id",
            "job_id",
            "account_id",
            "region",
            "server_id",
            "server_name",
            "recovery_instance_id",
            "launch_job_ids",
            "state",
            "message",
            "finished_at",
        )
        read_only_fields = fields


class TerminationOut(serializers.ModelSerializer[Termination]):
    """A clean-up, of `terminations.told`."""

    execution_id = serializers.UUIDField(read_only=True)
    message = Known(help_text="What keeps it from going on, if anything does.")
    instances = serializers.SerializerMethodField()

    class Meta:
        model = Termination
        fields: tuple[str, ...] = (
            "id",
            "execution_id",
            "state",
            "message",
            "reason",
            "requested_by",
            "created_at",
            "finished_at",
            "instances",
            "correlation_id",
        )
        read_only_fields = fields

    @extend_schema_field(InstanceCounts)
    def get_instances(self, termination: Termination) -> dict[str, int]:
        states = [row.state for row in termination.instances.all()]
        counts = {outcome.value.lower(): states.count(outcome) for outcome in InstanceOutcome}
        return {"total": len(states), **counts}


class TerminationDetail(TerminationOut):
    """A clean-up with its jobs, and what became of every instance."""

    jobs = TerminationJobOut(many=True, read_only=True)
    outcomes = TerminationInstanceOut(source="instances", many=True, read_only=True)

    class Meta(TerminationOut.Meta):
        fields = (*TerminationOut.Meta.fields, "jobs", "outcomes")
        read_only_fields = fields


class RefusalOut(serializers.Serializer[Any]):
    """Why a clean-up cannot be asked for now."""

    code = serializers.CharField()
    detail = serializers.CharField()


class TerminationStatus(serializers.Serializer[Any]):
    """How it stands with cleaning up after an execution."""

    can_terminate = serializers.SerializerMethodField(
        help_text="Whether it can be asked for now, by somebody who may."
    )
    why_not = serializers.SerializerMethodField()
    instances_left = serializers.SerializerMethodField(
        help_text="Of how many instances it is not known that they are gone."
    )
    latest = serializers.SerializerMethodField()
    earlier = serializers.SerializerMethodField(help_text="Those before it, newest first.")

    def get_can_terminate(self, _: Any) -> bool:
        return self._standing.refusal is None

    @extend_schema_field(RefusalOut(allow_null=True))
    def get_why_not(self, _: Any) -> Any:
        refusal = self._standing.refusal
        return None if refusal is None else {"code": refusal.code, "detail": refusal.detail}

    def get_instances_left(self, _: Any) -> int:
        return len(self._standing.left)

    @extend_schema_field(TerminationDetail(allow_null=True))
    def get_latest(self, found: list[Termination]) -> Any:
        return TerminationDetail(found[0]).data if found else None

    @extend_schema_field(TerminationOut(many=True))
    def get_earlier(self, found: list[Termination]) -> Any:
        return TerminationOut(found[1:], many=True).data

    @property
    def _standing(self) -> Standing:
        standing: Standing = self.context["standing"]
        return standing


class LaunchedInstanceOut(serializers.ModelSerializer[WaveServer]):
    """An instance that an execution launched, as far as the portal knows it."""

    wave = serializers.IntegerField(source="wave.position", read_only=True)
    wave_name = serializers.CharField(source="wave.name", read_only=True)
    server_name = serializers.CharField(source="name", read_only=True)
    drs_job_id = Known(source="launch_job.drs_job_id")
    recovery_instance_id = Known(help_text="Null where DRS has not told it.")
    instance_state = Known(help_text="As EC2 spelled it at `facts_at`.")
    instance_type = Known()
    private_ip = Known()
    availability_zone = Known()
    subnet_id = Known()

    class Meta:
        model = WaveServer
        fields = (
            "wave",
            "wave_name",
            "server_id",
            "server_name",
            "state",
            "account_id",
            "region",
            "drs_job_id",
            "recovery_instance_id",
            "instance_state",
            "instance_type",
            "private_ip",
            "availability_zone",
            "subnet_id",
            "facts_at",
            "instance_gone_at",
        )
        read_only_fields = fields
