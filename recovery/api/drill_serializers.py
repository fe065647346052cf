"""What requests and answers about drills by schedule and clean-ups by themselves hold."""

from datetime import datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from drportal.api.serializers import Flag, Id, StrictSerializer, Text, Whole
from recovery.engine.occurrences import Repeats
from recovery.models import CleanUp, DrillOccurrence, DrillSchedule
from recovery.services import clean_ups, drill_times
from recovery.services.drill_schedules import MOST_APPROVERS, MOST_EVERY, MOST_HOURS

_LONGEST_TEXT: Final = 1000
_SHOWN: Final = 5


class ScheduleIn(StrictSerializer):
    """When a plan is drilled."""

    repeats = serializers.ChoiceField(choices=Repeats.choices)
    every = Whole(
        required=False,
        min_value=1,
        max_value=MOST_EVERY,
        help_text="Every so many weeks or months; 1 if left out.",
    )
    first_on = serializers.DateField(help_text="The first day. In a shorter month, its last day.")
    at = serializers.TimeField(
        format="%H:%M", input_formats=["%H:%M"], help_text="The time of day there, HH:MM."
    )
    zone = Text(max_length=64, help_text="An IANA time zone, such as Europe/Berlin.")
    approvers = serializers.ListField(
        child=Text(max_length=150),
        required=False,
        max_length=MOST_APPROVERS,
        help_text="Usernames; one of them must approve each drill before it starts. Not one's own.",
    )
    clean_up_after_hours = Whole(
        required=False,
        allow_null=True,
        min_value=1,
        max_value=MOST_HOURS,
        help_text="So long after its end what a drill launched is terminated; null for never. "
        "Needs `recovery.terminate_recoveryplan` on the plan.",
    )
    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    enabled = Flag(required=False)


class NewScheduleIn(ScheduleIn):
    """A plan to be drilled by schedule."""

    plan_id = Id()


class ReasonIn(StrictSerializer):
    """Why."""

    reason = Text(max_length=_LONGEST_TEXT)


class ApproveDrillIn(StrictSerializer):
    """What whoever approves a drill has to say."""

    comment = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)


class OccurrenceOut(serializers.ModelSerializer[DrillOccurrence]):
    """One time of a schedule, and what became of it."""

    schedule_id = serializers.UUIDField(read_only=True)
    execution_id = serializers.UUIDField(read_only=True, allow_null=True)
    plan_id = serializers.UUIDField(source="schedule.plan_id", read_only=True)
    may_start_until = serializers.SerializerMethodField()

    class Meta:
        model = DrillOccurrence
        fields = (
            "id",
            "schedule_id",
            "plan_id",
            "due_at",
            "may_start_until",
            "state",
            "execution_id",
            "asked_by",
            "approved_by",
            "approved_at",
            "approval_comment",
            "message",
            "created_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_may_start_until(self, occurrence: DrillOccurrence) -> datetime:
        return drill_times.window_of(occurrence)


class ScheduleOut(serializers.ModelSerializer[DrillSchedule]):
    """A schedule. Drills start by the right of `made_by`, if they have it still."""

    plan_id = serializers.UUIDField(read_only=True)
    plan_name = serializers.CharField(source="plan.name", read_only=True)
    at = serializers.TimeField(format="%H:%M", read_only=True)
    upcoming = serializers.SerializerMethodField(help_text="The next times, in UTC.")

    class Meta:
        model = DrillSchedule
        fields = (
            "id",
            "plan_id",
            "plan_name",
            "repeats",
            "every",
            "first_on",
            "at",
            "zone",
            "approvers",
            "clean_up_after_hours",
            "reason",
            "enabled",
            "made_by",
            "created_at",
            "updated_at",
            "upcoming",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.DateTimeField()))
    def get_upcoming(self, schedule: DrillSchedule) -> list[datetime]:
        return drill_times.upcoming(schedule, _SHOWN)


class CleanUpIn(StrictSerializer):
    """After how many hours a drill is cleaned up."""

    hours = Whole(min_value=1, max_value=clean_ups.MOST_HOURS)


class PutOffIn(StrictSerializer):
    """How much later, and why."""

    hours = Whole(min_value=1, max_value=clean_ups.MOST_HOURS)
    reason = Text(max_length=_LONGEST_TEXT)


class CleanUpOut(serializers.ModelSerializer[CleanUp]):
    """What was chosen for a drill, and what became of it. `due_at` is null until it has ended."""

    execution_id = serializers.UUIDField(read_only=True)
    termination_id = serializers.UUIDField(read_only=True, allow_null=True)
    due_at = serializers.SerializerMethodField()
    starts_at = serializers.SerializerMethodField(
        help_text="When it is asked for: not before people were warned for long enough."
    )

    class Meta:
        model = CleanUp
        fields = (
            "execution_id",
            "hours",
            "state",
            "chosen_by",
            "chosen_at",
            "due_at",
            "starts_at",
            "warned_at",
            "vetoed_at",
            "vetoed_by",
            "veto_reason",
            "termination_id",
            "message",
        )
        read_only_fields = fields

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_due_at(self, clean_up: CleanUp) -> Any:
        return clean_ups.due_at(clean_up)

    @extend_schema_field(OpenApiTypes.DATETIME)
    def get_starts_at(self, clean_up: CleanUp) -> Any:
        return clean_ups.starts_at(clean_up)
