"""The form of a recovery plan: what it says beside its waves, and a form per wave."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.http import QueryDict

from drportal.adminkit.forms import PortalForm
from drportal.adminkit.widgets import Tone
from drportal.errors import DomainError, InvalidInput
from protection.models import SourceServer
from recovery.admin.check_forms import forms_of
from recovery.admin.drawing import Box, drawing
from recovery.admin.gate_forms import GateFields
from recovery.admin.plan_head import HeadForm, head_of
from recovery.admin.wave_drafts import Draft, drafts_in, drafts_of, rearranged
from recovery.models import RecoveryPlan
from recovery.selectors import servers_by_group
from recovery.services.plans import GroupServers, PlanSpec, WaveSpec

_PLACE = re.compile(r"waves\[(\d+)\]\.(\w+)")
_CHECK = re.compile(r"waves\[(\d+)\]\.checks\[(\d+)\]\.(\w+)")
_FIELD = {"group_ids": "groups", "gate_rule": "gate_people"}  # by the service's name for it
_MINUTE = timedelta(minutes=1)
_MOST_MINUTES = 1_000_000  # the service says how many there may be; this is what can be counted
_MOST_SERVERS = 300  # of a group on the form; those that are ticked are always there


class CopyForm(PortalForm):
    """What a copy is called."""

    name = forms.CharField(label="Name of the copy", max_length=64)


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """A server of a group on the form of a wave. `gone`: the group no longer holds it."""

    value: str
    server_id: str
    name: str
    only: bool
    optional: bool
    gone: bool = False


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """A group of a wave, with its servers to choose from."""

    name: str
    servers: Sequence[ServerChoice]
    left_out: int
    chosen: int
    optional: int


class WaveForm(GateFields):
    """One wave. Its rules are the service's."""

    name = forms.CharField(label="Name of the wave", required=False, max_length=64)
    time_limit_minutes = forms.IntegerField(
        label="Time limit (minutes)",
        help_text="After this the wave counts as timed out.",
        min_value=1,
        max_value=_MOST_MINUTES,
        widget=forms.NumberInput(attrs={"min": 1}),
    )
    success_threshold = forms.IntegerField(
        label="Success threshold (%)",
        help_text="Ends well if every critical server was launched, and at least so many of all.",
        min_value=1,
        max_value=100,
        widget=forms.NumberInput(attrs={"min": 1, "max": 100}),
    )
    wait_minutes = forms.IntegerField(
        label="Timer (minutes)",
        help_text="How long it waits once it could start, after its gate.",
        min_value=0,
        max_value=_MOST_MINUTES,
        widget=forms.NumberInput(attrs={"min": 0}),
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
        draft: Draft,
        groups: Sequence[tuple[str, str]],
        others: Sequence[tuple[int, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.draft = draft
        self.servers: list[GroupChoice] = []
        sent: Any = self.data if self.is_bound else None
        self.checks = forms_of(str(self.prefix), draft.checks, sent)
        choosing: dict[str, Any] = self.fields
        choosing["groups"].choices = groups
        choosing["depends_on"].choices = others
        if not others:
            del self.fields["depends_on"]

    @property
    def has_checks(self) -> bool:
        """Whether any is typed, or marked."""
        return any(check.get("name") or check.get("kind") for check in self.draft.checks)

    def spec(self) -> WaveSpec:
        """The wave as the service takes it, of a valid form."""
        said = self.cleaned_data
        return WaveSpec(
            name=said["name"],
            group_ids=tuple(UUID(group) for group in said["groups"]),
            depends_on=tuple(said.get("depends_on", ())),
            gate=said["gate"],
            gate_instructions=said["gate_instructions"],
            gate_rule=self.gate_rule(),
            time_limit=said["time_limit_minutes"] * _MINUTE,
            wait=said["wait_minutes"] * _MINUTE,
            success_threshold=said["success_threshold"],
            group_servers=tuple(
                entry
                for entry in map(self._servers_in, said["groups"])
                if entry.server_ids or entry.optional_server_ids
            ),
            checks=tuple(form.said() for form in self.checks if form.is_there()),
        )

    def refuse_check(self, place: int, field: str, message: str) -> None:
        """Show what is wrong with a check, counted among those that are there."""
        there = [form for form in self.checks if form.is_there()]
        if place < len(there):
            there[place].complain(field, message)
        else:
            self.complain("", message)

    def _servers_in(self, group: str) -> GroupServers:
        """What is ticked of one group; of a group that is not in the wave nothing counts."""
        only, optional = (
            tuple(value.partition("/")[2] for value in ticked if value.startswith(f"{group}/"))
            for ticked in (self.draft.only, self.draft.optional)
        )
        return GroupServers(UUID(group), only, optional)


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
            self.head = HeadForm(data) if sent is not None else HeadForm.again(data)
        else:
            self._drafts = drafts_of(plan) if plan else [Draft()]
            self.head = HeadForm(initial=head_of(plan))
        self._groups = groups
        self.waves = [self._wave(index, sent) for index in range(len(self._drafts))]
        self.checked = command == "check" and self.is_valid()

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
            draft=draft,
            groups=self._groups,
            others=others,
            initial={
                "name": draft.name,
                "groups": list(draft.groups),
                "depends_on": list(draft.depends_on),
                "gate": draft.gate,
                "gate_instructions": draft.gate_instructions,
                **draft.gate_rule,
                "wait_minutes": draft.wait_minutes,
                "time_limit_minutes": draft.time_limit_minutes,
                "success_threshold": draft.success_threshold,
            },
        )

    def offer_servers(self) -> None:
        """Let each wave's form offer the servers of the groups that are ticked there."""
        names = dict(self._groups)
        ticked = {group for wave in self.waves for group in wave.draft.groups if group in names}
        held = servers_by_group(UUID(group) for group in ticked)
        for wave in self.waves:
            wave.servers = [
                _choice(group, names[group], held.get(UUID(group), ()), wave.draft)
                for group in wave.draft.groups
                if group in ticked
            ]

    @property
    def errors(self) -> bool:
        """Whether anything is marked."""
        return any(form.is_bound and form.errors for form in self._forms())

    def non_field_errors(self) -> Any:
        return self.head.non_field_errors()

    def is_valid(self) -> bool:
        """Whether what was sent can be handed to the service. Looks at every part."""
        valid = [form.is_valid() for form in self._forms()]
        return all(valid)

    def _forms(self) -> list[PortalForm]:
        checks = [check for wave in self.waves for check in wave.checks]
        return [self.head, *self.waves, *checks]

    def refuse(self, error: DomainError) -> None:
        """Show why the service refused, at the wave that it is about."""
        if not isinstance(error, InvalidInput) or not error.errors:
            self.head.refuse(error)
            return
        for complaint in error.errors:
            place = _PLACE.fullmatch(complaint["field"])
            check = _CHECK.fullmatch(complaint["field"])
            if check and int(check[1]) < len(self.waves):
                wave = self.waves[int(check[1])]
                wave.refuse_check(int(check[2]), check[3], complaint["message"])
            elif place and int(place[1]) < len(self.waves):
                field = _FIELD.get(place[2], place[2])
                self.waves[int(place[1])].complain(field, complaint["message"])
            else:
                self.head.complain(complaint["field"].partition("[")[0], complaint["message"])

    def said(self) -> dict[str, Any]:
        """What the service takes, of a valid form."""
        return {**self.head.said(), "waves": tuple(wave.spec() for wave in self.waves)}

    def spec(self) -> PlanSpec:
        """What the checks take, of a valid form."""
        return PlanSpec(**self.said())

    def graph(self) -> str:
        """The waves as they are typed, drawn; an empty text while they form a circle."""
        return drawing(
            [
                Box(
                    position,
                    draft.name or "unnamed",
                    under(
                        len(draft.groups),
                        gate=draft.gate,
                        timer=draft.wait_minutes not in {"", "0"},
                    ),
                    Tone.PLAIN,
                    draft.depends_on,
                )
                for position, draft in enumerate(self._drafts, start=1)
            ]
        )


def under(groups: int, *, gate: bool, timer: bool) -> str:
    """The second line of a wave's box in a plan."""
    counted = f"{groups} group" + ("" if groups == 1 else "s")
    before = [word for word, is_there in (("gate", gate), ("timer", timer)) if is_there]
    return ", ".join([*before, counted])


def _choice(group: str, name: str, held: Sequence[SourceServer], draft: Draft) -> GroupChoice:
    only, optional = (
        {value.partition("/")[2] for value in ticked if value.startswith(f"{group}/")}
        for ticked in (draft.only, draft.optional)
    )
    names: Mapping[str, str] = {server.server_id: server.name for server in held}
    ticked = only | optional
    shown = [pk for place, pk in enumerate(names) if place < _MOST_SERVERS or pk in ticked]
    gone = sorted(ticked - names.keys())
    return GroupChoice(
        name=name,
        servers=[
            ServerChoice(
                value=f"{group}/{pk}",
                server_id=pk,
                name=names.get(pk, "no longer in the group"),
                only=pk in only,
                optional=pk in optional,
                gone=pk not in names,
            )
            for pk in [*gone, *shown]
        ],
        left_out=len(names) - len(shown),
        chosen=len(only),
        optional=len(optional),
    )
