"""How the gates that named people open are sent and shown."""

from typing import Any

from rest_framework import serializers

from drportal.api.serializers import Known, StrictSerializer, Text, Whole
from recovery.choices import GateExpiry
from recovery.engine.gates import GateRule
from recovery.models import GateDecision
from recovery.services.gate_people import LONGEST_MINUTES, MOST_NAMES, MOST_NEEDED


def _names(help_text: str) -> Any:
    return serializers.ListField(
        child=Text(max_length=254), required=False, max_length=MOST_NAMES, help_text=help_text
    )


def _minutes(help_text: str) -> Any:
    return Whole(required=False, min_value=0, max_value=LONGEST_MINUTES, help_text=help_text)


class GateRuleIn(StrictSerializer):
    """How many of whom must approve before a gate opens, and what happens if they do not."""

    needed = Whole(min_value=1, max_value=MOST_NEEDED, help_text="How many people must approve.")
    people = _names("User names.")
    roles = _names("Names of roles; everybody who has one may approve.")
    expires_minutes = _minutes("From when on nobody can open it any more; 0 for never.")
    on_expiry = serializers.ChoiceField(
        choices=GateExpiry.choices,
        required=False,
        help_text="What becomes of the wave then, or if somebody denies it. WAIT if left out: "
        "expiry has no consequence, and a denial blocks the wave.",
    )
    remind_minutes = _minutes("How often people are reminded; 0 as the installation has it.")
    escalate_minutes = _minutes("When others are told too; 0 for never.")
    escalate_to = _names("Who is told then: mail addresses and user names.")


class GateRuleOut(serializers.Serializer[Any]):
    """The rule of a gate that named people open."""

    needed = serializers.IntegerField()
    people = serializers.ListField(child=serializers.CharField())
    roles = serializers.ListField(child=serializers.CharField())
    expires_minutes = serializers.IntegerField()
    on_expiry = serializers.ChoiceField(choices=GateExpiry.choices)
    remind_minutes = serializers.IntegerField()
    escalate_minutes = serializers.IntegerField()
    escalate_to = serializers.ListField(child=serializers.CharField())


class GateDecisionOut(serializers.ModelSerializer[GateDecision]):
    """What somebody decided at a gate."""

    comment = Known()

    class Meta:
        model = GateDecision
        fields = ("person", "approved", "comment", "at")
        read_only_fields = fields


def rule_of(said: dict[str, Any] | None) -> GateRule | None:
    """The rule that was sent; None if none was."""
    if said is None:
        return None
    lists = {name: tuple(said.get(name, ())) for name in ("people", "roles", "escalate_to")}
    return GateRule(**{**said, **lists})
