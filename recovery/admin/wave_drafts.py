"""Waves as they are being typed: nothing about them need be right yet.

They are added, removed and moved by buttons that send the whole form back without saving it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from django.http import QueryDict

from recovery.admin.check_forms import Typed, typed_in, typed_of
from recovery.admin.gate_forms import texts_in, texts_of
from recovery.models import RecoveryPlan
from recovery.services.plan_documents import spec_of
from recovery.services.plans import DEFAULT_LIMIT, MOST_WAVES, WaveSpec

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Draft:
    """A wave. `only` and `optional` name servers as "group/server", each by its id."""

    name: str = ""
    groups: tuple[str, ...] = ()
    depends_on: tuple[int, ...] = ()
    gate: bool = False
    gate_instructions: str = ""
    wait_minutes: str = "0"
    time_limit_minutes: str = str(DEFAULT_LIMIT // _MINUTE)
    success_threshold: str = "100"
    only: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    checks: tuple[Typed, ...] = ()
    gate_rule: Mapping[str, str] = field(default_factory=dict)


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
    """The waves of a plan. Three queries."""
    return [_draft_of(wave) for wave in spec_of(plan).waves]


def _draft_of(wave: WaveSpec) -> Draft:
    said = wave.group_servers
    return Draft(
        name=wave.name,
        groups=tuple(str(group_id) for group_id in wave.group_ids),
        depends_on=wave.depends_on,
        gate=wave.gate,
        gate_instructions=wave.gate_instructions,
        gate_rule=texts_of(wave.gate_rule),
        wait_minutes=str(wave.wait // _MINUTE),
        time_limit_minutes=str(wave.time_limit // _MINUTE),
        success_threshold=str(wave.success_threshold),
        only=tuple(f"{entry.group_id}/{pk}" for entry in said for pk in entry.server_ids),
        optional=tuple(
            f"{entry.group_id}/{pk}" for entry in said for pk in entry.optional_server_ids
        ),
        checks=tuple(typed_of(check) for check in wave.checks),
    )


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
        gate_rule=texts_in(data, prefix),
        wait_minutes=data.get(f"{prefix}wait_minutes", ""),
        time_limit_minutes=data.get(f"{prefix}time_limit_minutes", ""),
        success_threshold=data.get(f"{prefix}success_threshold", ""),
        only=tuple(data.getlist(f"{prefix}only")),
        optional=tuple(data.getlist(f"{prefix}optional")),
        checks=typed_in(data, prefix),
    )
