"""The fields of a wave's form that say who opens its gate, and what happens if nobody does."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict

from drportal.adminkit.forms import PortalForm
from recovery.choices import GateExpiry
from recovery.engine.gates import GateRule
from recovery.services.gate_people import LONGEST_MINUTES, MOST_NEEDED

_LISTS = ("people", "roles", "escalate_to")
_NUMBERS = ("expires_minutes", "remind_minutes", "escalate_minutes")
RULE_FIELDS = (
    "gate_needed",
    "gate_people",
    "gate_roles",
    "gate_expires_minutes",
    "gate_on_expiry",
    "gate_remind_minutes",
    "gate_escalate_minutes",
    "gate_escalate_to",
)


def _minutes(label: str, help_text: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=label,
        help_text=help_text,
        required=False,
        min_value=0,
        max_value=LONGEST_MINUTES,
        widget=forms.NumberInput(attrs={"min": 0}),
    )


def _names(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        help_text=help_text,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class GateFields(PortalForm):
    """Who opens a gate. All empty: anybody who may steer the plan."""

    gate_needed = forms.IntegerField(
        label="Approvals that open the gate",
        help_text="How many of the people below. Empty: anybody who may steer opens it.",
        required=False,
        min_value=1,
        max_value=MOST_NEEDED,
        widget=forms.NumberInput(attrs={"min": 1}),
    )
    gate_people = _names("People who may approve", "One user name a line.")
    gate_roles = _names("Roles that may approve", "One role a line: everybody who has it.")
    gate_expires_minutes = _minutes("Expires after (minutes)", "Empty or 0: never.")
    gate_on_expiry = forms.ChoiceField(
        label="When it expires, or somebody denies it",
        choices=GateExpiry.choices,
        required=False,
        help_text="Where it keeps waiting, a denial blocks the wave.",
    )
    gate_remind_minutes = _minutes("Remind every (minutes)", "Empty: as the installation does.")
    gate_escalate_minutes = _minutes("Tell others after (minutes)", "Empty or 0: never.")
    gate_escalate_to = _names("Who is told then", "One mail address or user name a line.")

    def gate_rule(self) -> GateRule | None:
        """The rule as the service takes it, of a valid form; None if nothing is said."""
        said: dict[str, Any] = self.cleaned_data
        named = [said["gate_needed"], said["gate_people"].strip(), said["gate_roles"].strip()]
        if not any(named):
            return None
        return GateRule(
            needed=said["gate_needed"] or 1,
            on_expiry=said["gate_on_expiry"] or GateExpiry.WAIT,
            people=_lines(said["gate_people"]),
            roles=_lines(said["gate_roles"]),
            escalate_to=_lines(said["gate_escalate_to"]),
            expires_minutes=said["gate_expires_minutes"] or 0,
            remind_minutes=said["gate_remind_minutes"] or 0,
            escalate_minutes=said["gate_escalate_minutes"] or 0,
        )

    def gate_fields(self) -> list[forms.BoundField]:
        """Those fields, for the page."""
        return [self[name] for name in RULE_FIELDS]


def texts_of(rule: GateRule | None) -> dict[str, str]:
    """What the fields show of a rule."""
    if rule is None:
        return {}
    numbers = {name: getattr(rule, name) for name in ("needed", *_NUMBERS)}
    return {
        **{f"gate_{name}": str(number) if number else "" for name, number in numbers.items()},
        **{f"gate_{name}": "\n".join(getattr(rule, name)) for name in _LISTS},
        "gate_on_expiry": str(rule.on_expiry),
    }


def texts_in(data: QueryDict, prefix: str) -> Mapping[str, str]:
    """What was typed, right or not."""
    return {name: data.get(f"{prefix}{name}", "") for name in RULE_FIELDS}


def _lines(text: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, re.split(r"[\r\n]+", text))))
