"""What is told of plans beside what they say: conflicts, checks, instances that are there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.access import Anybody
from drportal.api.serializers import Known
from protection.models import RecoveryInstance
from recovery.api.plan_serializers import PlanOut
from recovery.choices import CheckLevel
from recovery.models import RecoveryPlan
from recovery.selectors import Hold, executions_for, holds_by_plan, sharing_groups
from recovery.states import ExecutionState


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around the plans of a page."""

    holds: Mapping[UUID, Sequence[Hold]]
    shared: Mapping[UUID, Mapping[UUID, Any]]
    seen: Collection[UUID]


def surroundings(plans: Sequence[RecoveryPlan], user: Anybody) -> Surroundings:
    """What a list shows of `plans` beside their columns. A fixed number of queries."""
    holds = holds_by_plan([plan.pk for plan in plans])
    holding = {hold.execution.pk for held in holds.values() for hold in held}
    seen = executions_for(user).filter(pk__in=holding).values_list("pk", flat=True)
    return Surroundings(holds, sharing_groups(plans, user=user), set(seen))


class ConflictOut(serializers.Serializer[Any]):
    """Whether executions of other plans hold servers of this one. What one may not see of the
    first such execution is null.
    """

    hasConflict = serializers.BooleanField()  # noqa: N815  # as the reference spells it
    conflictingServers = serializers.ListField(child=serializers.CharField())  # noqa: N815  # as above
    conflictingExecutionId = serializers.UUIDField(allow_null=True)  # noqa: N815  # as above
    conflictingPlanId = serializers.UUIDField(allow_null=True)  # noqa: N815  # as above
    conflictingStatus = serializers.ChoiceField(  # noqa: N815  # as above
        choices=ExecutionState.choices, allow_null=True
    )
    conflictingDrsJobId = serializers.CharField(allow_null=True)  # noqa: N815  # as above
    reason = serializers.CharField(allow_null=True)


class OtherPlan(serializers.Serializer[Any]):
    """Another plan with the same group."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class SharedGroup(serializers.Serializer[Any]):
    """A group that other plans launch too: such plans cannot be carried out at the same time."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    plans = OtherPlan(many=True)


class PlanRow(PlanOut):
    """A recovery plan in the list, with what stands around it. What is spelled in camelCase is
    what clients of the reference system know.
    """

    waveCount = serializers.SerializerMethodField()  # noqa: N815  # as the reference spells it
    hasServerConflict = serializers.SerializerMethodField()  # noqa: N815  # as above
    conflictInfo = serializers.SerializerMethodField()  # noqa: N815  # as above
    sharedProtectionGroups = serializers.SerializerMethodField()  # noqa: N815  # as above
    lastExecutionStatus = serializers.ChoiceField(  # noqa: N815  # as above
        source="latest_state",
        choices=ExecutionState.choices,
        allow_null=True,
        read_only=True,
        help_text="Null if it was never started.",
    )
    lastStartTime = serializers.DateTimeField(  # noqa: N815  # as above
        source="latest_started_at", allow_null=True, read_only=True
    )
    lastEndTime = serializers.DateTimeField(  # noqa: N815  # as above
        source="latest_finished_at", allow_null=True, read_only=True
    )
    last_drill_at = serializers.DateTimeField(
        allow_null=True, read_only=True, help_text="When the last drill that COMPLETED ended."
    )
    drill_due_at = serializers.DateTimeField(
        allow_null=True, read_only=True, help_text="Null if the plan has no drill interval."
    )
    drill_overdue = serializers.SerializerMethodField()

    class Meta(PlanOut.Meta):
        fields = (
            *PlanOut.Meta.fields,
            "waveCount",
            "hasServerConflict",
            "conflictInfo",
            "sharedProtectionGroups",
            "lastExecutionStatus",
            "lastStartTime",
            "lastEndTime",
            "last_drill_at",
            "drill_due_at",
            "drill_overdue",
        )
        read_only_fields = fields

    def get_drill_overdue(self, plan: Any) -> bool:
        return plan.drill_due_at is not None and plan.drill_due_at < timezone.now()

    def get_waveCount(self, plan: RecoveryPlan) -> int:  # noqa: N802  # DRF's name for it
        return len(plan.waves.all())

    def get_hasServerConflict(self, plan: RecoveryPlan) -> bool:  # noqa: N802  # DRF's name for it
        return bool(self._around.holds.get(plan.pk))

    @extend_schema_field(ConflictOut)
    def get_conflictInfo(self, plan: RecoveryPlan) -> Any:  # noqa: N802  # DRF's name for it
        return conflict(self._around.holds.get(plan.pk, ()), self._around.seen)

    @extend_schema_field(SharedGroup(many=True))
    def get_sharedProtectionGroups(self, plan: RecoveryPlan) -> Any:  # noqa: N802  # DRF's name
        shared = self._around.shared.get(plan.pk, {})
        return [
            {
                "id": str(group),
                "name": name,
                "plans": [{"id": str(pk), "name": other} for pk, other in others],
            }
            for group, (name, others) in sorted(shared.items(), key=lambda row: row[1][0])
        ]

    @property
    def _around(self) -> Surroundings:
        found: Surroundings = self.context["around"]
        return found


def conflict(holds: Sequence[Hold], seen: Collection[UUID]) -> dict[str, Any]:
    """What a row says of the executions that are in the way."""
    first = next((hold for hold in holds if hold.execution.pk in seen), None)
    servers = sorted({hold.server_id for hold in holds})
    executions = {hold.execution.pk for hold in holds}
    by = f"{len(executions)} other execution" + ("" if len(executions) == 1 else "s")
    return {
        "hasConflict": bool(holds),
        "conflictingServers": servers,
        "conflictingExecutionId": str(first.execution.pk) if first else None,
        "conflictingPlanId": _text(first.execution.plan_id) if first else None,
        "conflictingStatus": first.execution.state if first else None,
        "conflictingDrsJobId": (first.drs_job_id or None) if first else None,
        "reason": f"{len(servers)} of its servers are held by {by}." if holds else None,
    }


def _text(value: object) -> str | None:
    return None if value is None else str(value)


class FindingOut(serializers.Serializer[Any]):
    """Something that a check found. An ERROR keeps the plan from being saved."""

    wave = serializers.IntegerField(
        allow_null=True, help_text="The wave's position; null if it is about the whole plan."
    )
    level = serializers.ChoiceField(choices=CheckLevel.choices)
    code = serializers.CharField()
    message = serializers.CharField()


class WaveLookOut(serializers.Serializer[Any]):
    """What a wave would launch now."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    servers = serializers.IntegerField()
    jobs = serializers.IntegerField(help_text="Launch jobs, of at most 100 servers each.")


class ChecksOut(serializers.Serializer[Any]):
    """What the checks found. What is said of servers is as old as the inventory."""

    savable = serializers.BooleanField(help_text="Whether no finding is an ERROR.")
    findings = FindingOut(many=True)
    waves = WaveLookOut(many=True)


class ExistingInstanceOut(serializers.ModelSerializer[RecoveryInstance]):
    """A recovery instance that an earlier launch left behind."""

    account_id = serializers.CharField(source="account.account_id", read_only=True)
    name = Known()
    job_id = Known(help_text="The DRS job that launched it.")
    ec2_state = Known(help_text="As EC2 spells it.")
    instance_type = Known()
    private_ip = Known()

    class Meta:
        model = RecoveryInstance
        fields = (
            "account_id",
            "region",
            "server_id",
            "instance_id",
            "name",
            "job_id",
            "is_drill",
            "ec2_state",
            "instance_type",
            "private_ip",
            "launched_at",
        )
        read_only_fields = fields


class InstancesPlaceOut(serializers.Serializer[Any]):
    """An account and Region of the plan, and when its recovery instances were last listed."""

    account_id = serializers.CharField()
    region = serializers.CharField()
    listed_at = serializers.DateTimeField(allow_null=True, help_text="Null: never.")
    age_seconds = serializers.SerializerMethodField(help_text="Null: never listed.")
    status = serializers.CharField(help_text="What the place last answered.")
    known = serializers.BooleanField(
        help_text="Whether the listing is recent and whole enough to say that there is nothing."
    )

    @extend_schema_field(serializers.IntegerField(allow_null=True))
    def get_age_seconds(self, place: Any) -> int | None:
        if place.listed_at is None:
            return None
        return int((self.context["now"] - place.listed_at).total_seconds())


class ExistingOut(serializers.Serializer[Any]):
    """The instances that a plan's servers have already, by the last listings."""

    planId = serializers.UUIDField()  # noqa: N815  # as the reference spells it
    hasExistingInstances = serializers.BooleanField(  # noqa: N815  # as above
        allow_null=True, help_text="Null: none is known, but not every place was listed lately."
    )
    instanceCount = serializers.IntegerField(  # noqa: N815  # as above
        allow_null=True,
        help_text="Those that are known; where a place is not known, there may be more. "
        "Null with `hasExistingInstances`.",
    )
    existingInstances = ExistingInstanceOut(many=True)  # noqa: N815  # as above
    places = InstancesPlaceOut(many=True)
