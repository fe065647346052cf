"""What requests about executions hold."""

from rest_framework import serializers

from drportal.api.serializers import Flag, Id, StrictSerializer, Text, Whole
from recovery.states import Kind

_LONGEST_TEXT = 1000


class StartIn(StrictSerializer):
    """How a plan is to be carried out."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    confirmation = Text(
        max_length=64,
        required=False,
        allow_blank=True,
        help_text="The plan's name; only a RECOVERY needs it.",
    )
    override_preflight = Flag(
        required=False,
        help_text="Start although the preflight keeps it from starting; needs a reason, and "
        "`recovery.override_preflight_recoveryplan` on the plan.",
    )


class ExecutionIn(StartIn):
    """A plan to carry out."""

    plan_id = Id()


class CancelIn(StrictSerializer):
    """Why an execution is cancelled."""

    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)


class ResumeIn(StrictSerializer):
    """Which gate to open; without a position, the pause to lift, if there is one."""

    position = Whole(
        required=False,
        min_value=1,
        help_text="The wave that waits at its gate. Left out: the pause, if one is requested; else "
        "every wave that waits.",
    )
    comment = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
