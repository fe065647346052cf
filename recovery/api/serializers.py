"""What requests about executions hold."""

from rest_framework import serializers

from drportal.api.serializers import Flag, Id, Moment, StrictSerializer, Text, Whole
from recovery.states import Kind

_LONGEST_TEXT = 1000
_MOST_WAVES = 200
_MOST_SERVERS = 5000


class OptionsIn(StrictSerializer):
    """What part of a plan, and from which recovery points. Left out: all of it, from the latest."""

    from_wave = Whole(
        required=False,
        min_value=1,
        max_value=32767,
        help_text="Waves with lower positions are left out, and count as ended well.",
    )
    waves = serializers.ListField(
        child=Whole(min_value=1, max_value=32767),
        required=False,
        max_length=_MOST_WAVES,
        help_text="The positions of the waves that are launched; the others are left out.",
    )
    server_ids = serializers.ListField(
        child=Text(max_length=19),
        required=False,
        max_length=_MOST_SERVERS,
        help_text="DRS's ids of the servers that are launched; the others are left out.",
    )
    points = serializers.DictField(
        child=Text(max_length=21),
        required=False,
        help_text="Recovery points, `pit-...`, by the id of the server that is launched from it.",
    )
    not_after = Moment(
        required=False,
        help_text="For the other servers: the newest recovery point that was taken at or before "
        "this time. A server without one is never launched from the latest instead.",
    )

    def validate_points(self, points: dict[str, str]) -> dict[str, str]:
        if len(points) > _MOST_SERVERS:
            raise serializers.ValidationError(f"At most {_MOST_SERVERS}.")
        return points


class StartIn(OptionsIn):
    """How a plan is to be carried out."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    reason = Text(max_length=_LONGEST_TEXT, required=False, allow_blank=True)
    ticket = Text(
        max_length=200, required=False, allow_blank=True, help_text="Where it was asked for."
    )
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
