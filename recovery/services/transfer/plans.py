"""Bringing in recovery plans."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from drportal.errors import DomainError, InvalidInput
from protection.models import ProtectionGroup
from recovery import configuration
from recovery.choices import LaunchSettingsPolicy
from recovery.engine import gates
from recovery.errors import GroupWasRefused
from recovery.models import RecoveryPlan
from recovery.services import plans
from recovery.services.transfer.outcome import Fate, What
from recovery.services.transfer.part import Part


def plan(part: Part) -> Fate:
    """Make a plan, or make it what the document says, as its next version."""
    there = RecoveryPlan.objects.filter(name__iexact=part.entry["name"].strip()).first()
    if there is not None:
        left = part.leave(configuration.plans([there.name])[0])
        if left is not None:
            return left
        plans.edit(there, **_said(part), actor=part.actor)
        return Fate.UPDATED
    plans.create(**_said(part), actor=part.actor)
    return Fate.CREATED


def _said(part: Part) -> dict[str, Any]:
    entry = part.entry
    known = _groups(part)
    return {
        "name": entry["name"],
        "description": entry["description"],
        "owner": entry["owner"],
        "rto": _span(entry["rto_seconds"]),
        "rpo": _span(entry["rpo_seconds"]),
        "preflight_before_waves": entry["preflight_before_waves"],
        "launch_settings_policy": LaunchSettingsPolicy(entry["launch_settings_policy"]),
        "drill_every_days": entry["drill_every_days"],
        "notification_addresses": entry["notification_addresses"],
        "tags": entry["tags"],
        "approval_needed": entry["approval_needed"],
        "waves": [_wave(wave, known) for wave in entry["waves"]],
    }


def _groups(part: Part) -> dict[str, UUID]:
    """The ids of the groups that the plan names, by name in lower case."""
    wanted = {
        launched["group"].strip(): f"waves[{place}].groups[{index}]"
        for place, wave in enumerate(part.entry["waves"])
        for index, launched in enumerate(wave["groups"])
    }
    known = {name.lower(): pk for pk, name in ProtectionGroup.objects.values_list("id", "name")}
    for name, place in wanted.items():
        if name.lower() not in known:
            raise _missing(part, name, place)
    return known


def _missing(part: Part, name: str, place: str) -> DomainError:
    if (What.GROUP, name.lower()) in part.standing.refused:
        return GroupWasRefused(name)
    told = f"There is no protection group {name!r}, neither here nor in the document."
    return InvalidInput.field(place, "MISSING_PROTECTION_GROUP", told)


def _wave(entry: dict[str, Any], known: dict[str, UUID]) -> plans.WaveSpec:
    launched = [(known[each["group"].strip().lower()], each) for each in entry["groups"]]
    return plans.WaveSpec(
        name=entry["name"],
        group_ids=tuple(group_id for group_id, _ in launched),
        group_servers=tuple(
            plans.GroupServers(
                group_id=group_id,
                server_ids=tuple(each["server_ids"]),
                optional_server_ids=tuple(each["optional_server_ids"]),
            )
            for group_id, each in launched
            if each["server_ids"] or each["optional_server_ids"]
        ),
        depends_on=tuple(entry["depends_on"]),
        gate=entry["gate"],
        gate_instructions=entry["gate_instructions"],
        gate_rule=gates.of_dict(entry["gate_rule"] or {}),
        wait=timedelta(seconds=entry["wait_seconds"]),
        time_limit=timedelta(seconds=entry["time_limit_seconds"]),
        success_threshold=entry["success_threshold"],
        checks=tuple(entry["checks"]),
    )


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
