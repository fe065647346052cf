"""The form of a recovery plan: its name, and a form per wave.

Waves are added, removed and moved by buttons that send the whole form back without saving it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Tone
from drportal.errors import DomainError, InvalidInput
from recovery.admin.drawing import Box, drawing
from recovery.models import RecoveryPlan
from recovery.services.plans import DEFAULT_LIMIT, MOST_WAVES, WaveSpec

_PLACE = re.compile(r"waves\[(\d+)\]\.(\w+)")
_FIELD = {"group_ids": "groups"}  # by the service's name for it
_DEFAULT_MINUTES = int(DEFAULT_LIMIT.total_seconds() // 60)


@dataclass(frozen=True, slots=True)
class Draft:
    """A wave as it is being typed: nothing about it need be right yet."""

    name: str = ""
    groups: tuple[str, ...] = ()
    depends_on: tuple[int, ...] = ()
    gate: bool = False
    gate_instructions: str = ""
    time_limit_minutes: str = str(_DEFAULT_MINUTES)


def rearranged(drafts: Sequence[Draft], command: str) -> list[Draft]:
    """The waves after "add", "remove-N", "up-N" or "down-N", N a position from 1.

    What waited for a wave goes on waiting for that wave, wherever it is now; what waited for one
    that is gone does not. A command that makes no sense changes nothing.
    """
    order = list(range(1, len(drafts) + 1))
    what, _, number = command.partition("-")
    position = int(number) if number.isdecimal() else 0
    if what == "add" and len(drafts) < MOST_WAVES:
        return [*drafts, Draft()]
    if position not in order:
        return list(drafts)
    if what == "remove":
        order.remove(position)
    elif what == "up" and position > 1:
        order[position - 2], order[position - 1] = order[position - 1], order[position - 2]
    elif what == "down" and position < len(order):
        order[position - 1], order[position] = order[position], order[position - 1]
    places = {old: new for new, old in enumerate(order, start=1)}
    return [
        replace(
            drafts[old - 1],
            depends_on=tuple(places[need] for need in drafts[old - 1].depends_on if need in places),
        )
        for old in order
    ]


def drafts_of(plan: RecoveryPlan) -> list[Draft]:
    """The waves of a plan. Two queries."""
    return [
        Draft(
            name=wave.name,
            groups=tuple(str(group.pk) for group in wave.groups.all()),
            depends_on=tuple(wave.depends_on),
            gate=wave.gate,
            gate_instructions=wave.gate_instructions,
            time_limit_minutes=str(int(wave.time_limit.total_seconds() // 60)),
        )
        for wave in plan.waves.order_by("position").prefetch_related("groups")
    ]


def drafts_in(data: QueryDict) -> list[Draft]:
    """The waves that a form sent."""
    count = data.get("waves", "")
    return [
        _draft_in(data, f"waves-{index}-")
        for index in range(min(int(count) if count.isdecimal() else 0, MOST_WAVES + 1))
    ]


def _draft_in(data: QueryDict, prefix: str) -> Draft:
    needs = data.getlist(f"{prefix}depends_on")
    return Draft(
        name=data.get(f"{prefix}name", ""),
        groups=tuple(data.getlist(f"{prefix}groups")),
        depends_on=tuple(int(need) for need in needs if need.isdecimal()),
        gate=f"{prefix}gate" in data,
        gate_instructions=data.get(f"{prefix}gate_instructions", ""),
        time_limit_minutes=data.get(f"{prefix}time_limit_minutes", ""),
    )


class NameForm(PortalForm):
    """What a plan says beside its waves."""

    name = forms.CharField(max_length=64)
    description = forms.CharField(
        max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)


class WaveForm(PortalForm):
    """One wave. Its rules are the service's."""

    name = forms.CharField(label="Name of the wave", required=False, max_length=64)
    time_limit_minutes = forms.IntegerField(
        label="Time limit (minutes)",
        help_text="After this the wave counts as timed out.",
        min_value=1,
        widget=forms.NumberInput(attrs={"min": 1}),
    )
    groups = forms.MultipleChoiceField(
        label="Protection groups", required=False, widget=forms.CheckboxSelectMultiple
    )
    depends_on = forms.TypedMultipleChoiceField(
        label="Starts after these waves ended well",
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
    )
    gate = forms.BooleanField(label="A person must open a gate before it starts", required=False)
    gate_instructions = forms.CharField(
        label="Instructions at the gate",
        required=False,
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self,
        *args: Any,
        groups: Sequence[tuple[str, str]],
        others: Sequence[tuple[int, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        choosing: dict[str, Any] = self.fields
        choosing["groups"].choices = groups
        choosing["depends_on"].choices = others
        if not others:
            del self.fields["depends_on"]

    def spec(self) -> WaveSpec:
        """The wave as the service takes it, of a valid form."""
        said = self.cleaned_data
        return WaveSpec(
            name=said["name"],
            group_ids=tuple(UUID(group) for group in said["groups"]),
            depends_on=tuple(said.get("depends_on", ())),
            gate=said["gate"],
            gate_instructions=said["gate_instructions"],
            time_limit=timedelta(minutes=said["time_limit_minutes"]),
        )


class PlanForm:
    """The form of a plan and of its waves, as one: what the admin's form page needs of a form.

    With `data` it is what was sent; a command among it (`_again`) rearranges the waves first.
    """

    def __init__(
        self,
        plan: RecoveryPlan | None,
        data: QueryDict | None,
        *,
        groups: Sequence[tuple[str, str]],
    ) -> None:
        command = data.get("_again", "") if data is not None else ""
        sent = data if command in {"", "check"} else None
        if data is not None:
            self._drafts = rearranged(drafts_in(data), command)
            self.head = NameForm(data) if sent is not None else NameForm.again(data)
        else:
            self._drafts = drafts_of(plan) if plan else [Draft()]
            self.head = NameForm(initial=_head(plan))
        self._groups = groups
        self.waves = [self._wave(index, sent) for index in range(len(self._drafts))]
        if command == "check":
            self.is_valid()

    def _wave(self, index: int, sent: QueryDict | None) -> WaveForm:
        draft = self._drafts[index]
        others = [
            (position, f"{position} {other.name or 'unnamed'}")
            for position, other in enumerate(self._drafts, start=1)
            if position != index + 1
        ]
        return WaveForm(
            sent,
            prefix=f"waves-{index}",
            groups=self._groups,
            others=others,
            initial={
                "name": draft.name,
                "groups": list(draft.groups),
                "depends_on": list(draft.depends_on),
                "gate": draft.gate,
                "gate_instructions": draft.gate_instructions,
                "time_limit_minutes": draft.time_limit_minutes,
            },
        )

    @property
    def errors(self) -> bool:
        """Whether anything is marked."""
        return any(form.is_bound and form.errors for form in [self.head, *self.waves])

    def non_field_errors(self) -> Any:
        return self.head.non_field_errors()

    def is_valid(self) -> bool:
        """Whether what was sent can be handed to the service. Looks at every part."""
        valid = [form.is_valid() for form in [self.head, *self.waves]]
        return all(valid)

    def refuse(self, error: DomainError) -> None:
        """Show why the service refused, at the wave that it is about."""
        if not isinstance(error, InvalidInput) or not error.errors:
            self.head.refuse(error)
            return
        for complaint in error.errors:
            place = _PLACE.fullmatch(complaint["field"])
            if place and int(place[1]) < len(self.waves):
                field = _FIELD.get(place[2], place[2])
                self.waves[int(place[1])].complain(field, complaint["message"])
            else:
                self.head.complain(complaint["field"], complaint["message"])

    def said(self) -> dict[str, Any]:
        """What the service takes, of a valid form."""
        return {
            "name": self.head.cleaned_data["name"],
            "description": self.head.cleaned_data["description"],
            "waves": [wave.spec() for wave in self.waves],
        }

    def graph(self) -> str:
        """The waves as they are typed, drawn; an empty text while they form a circle."""
        return drawing(
            [
                Box(
                    position,
                    draft.name or "unnamed",
                    under(len(draft.groups), gate=draft.gate),
                    Tone.PLAIN,
                    draft.depends_on,
                )
                for position, draft in enumerate(self._drafts, start=1)
            ]
        )


def under(groups: int, *, gate: bool) -> str:
    """The second line of a wave's box in a plan."""
    counted = f"{groups} group" + ("" if groups == 1 else "s")
    return f"gate, then {counted}" if gate else counted


def _head(plan: RecoveryPlan | None) -> dict[str, Any]:
    if plan is None:
        return {}
    return {"name": plan.name, "description": plan.description, "version": plan.version}
