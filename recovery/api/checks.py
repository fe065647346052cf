"""Checks after launch, as plans and executions hold them. Which members a kind has, and what they
may be, is a rule of plans: it is complained of with the rest of a plan.
"""

from typing import Any

from rest_framework import serializers

from drportal.api.serializers import Flag, StrictSerializer, Text, Whole
from recovery.choices import ServerCheckKind
from recovery.engine.checks import COMMON, LONGEST_NAME, LONGEST_TEXT


def _number(name: str, help_text: str) -> Any:
    field = COMMON[name]
    return Whole(required=False, min_value=field.least, max_value=field.most, help_text=help_text)


class PlanCheckIn(StrictSerializer):
    """A check after launch. What is left out is at its default."""

    name = Text(max_length=LONGEST_NAME, help_text="Unique in the wave.")
    kind = serializers.ChoiceField(choices=ServerCheckKind.choices)
    required = Flag(  # type: ignore[assignment]  # a field of DRF has a member of this name
        required=False, help_text="Whether a server that fails it is FAILED."
    )
    critical_only = Flag(required=False, help_text="Whether optional servers are spared it.")
    time_limit_seconds = _number("time_limit_seconds", "Counted from the launch of the server.")
    attempts = _number("attempts", "After so many failed ones it has failed.")
    interval_seconds = _number("interval_seconds", "From one attempt to the next.")
    port = Whole(required=False, min_value=1, max_value=65_535, help_text="TCP and HTTP.")
    scheme = serializers.ChoiceField(choices=["http", "https"], required=False, help_text="HTTP.")
    path = Text(
        required=False, max_length=LONGEST_TEXT, help_text="HTTP. The host is the server itself."
    )
    status_from = Whole(required=False, min_value=100, max_value=599, help_text="HTTP.")
    status_to = Whole(
        required=False,
        min_value=100,
        max_value=599,
        help_text="HTTP. No redirect is followed: its status counts.",
    )
    contains = Text(
        required=False, allow_blank=True, max_length=LONGEST_TEXT, help_text="HTTP. A text."
    )
    host_name = Text(
        required=False,
        allow_blank=True,
        max_length=253,
        help_text="HTTP. The name that is sent, and that the certificate must have. Not looked up.",
    )
    verify_tls = Flag(required=False, help_text="HTTP by https. Whether the certificate counts.")
    document = Text(required=False, max_length=200, help_text="SSM. Name or ARN of the document.")
    parameters = serializers.DictField(
        child=serializers.ListField(child=Text(max_length=10_000, allow_blank=True)),
        required=False,
        help_text="SSM. They stay in the plan's versions: no place for a secret.",
    )
    repeatable = Flag(
        required=False,
        help_text="SSM. Whether a command of which nobody knows whether it ran may run again.",
    )


class PlanCheckOut(PlanCheckIn):
    """A check after launch, with the members that its kind has."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return dict(instance)
