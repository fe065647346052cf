"""Plans as documents: what a version keeps, and a plan made of one again."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from recovery.choices import LaunchSettingsPolicy
from recovery.engine import gates
from recovery.models import PlanWave, RecoveryPlan
from recovery.services.plan_rules import GroupServers, PlanSpec, WaveSpec


def document(plan: RecoveryPlan) -> dict[str, Any]:
    """What a plan says, as its version keeps it. Two queries."""
    return {
        "name": plan.name,
        "description": plan.description,
        "owner": plan.owner,
        "rto_seconds": _seconds(plan.rto),
        "rpo_seconds": _seconds(plan.rpo),
        "preflight_before_waves": plan.preflight_before_waves,
        "launch_settings_policy": str(plan.launch_settings_policy),
        "drill_every_days": plan.drill_every_days,
        "notification_addresses": list(plan.notification_addresses),
        "tags": dict(plan.tags),
        "approval_needed": plan.approval_needed,
        "waves": [_wave(wave) for wave in _waves(plan)],
    }


def spec_of(plan: RecoveryPlan) -> PlanSpec:
    """What a plan says now, as one would ask for it. Two queries."""
    return spec_in(document(plan))


def spec_in(said: dict[str, Any]) -> PlanSpec:
    """What a document says. Documents of older versions lack what there was not at the time."""
    return PlanSpec(
        name=said["name"],
        description=said["description"],
        owner=said.get("owner", ""),
        rto=_span(said.get("rto_seconds")),
        rpo=_span(said.get("rpo_seconds")),
        preflight_before_waves=said.get("preflight_before_waves", True),
        launch_settings_policy=LaunchSettingsPolicy(said.get("launch_settings_policy", "BLOCK")),
        drill_every_days=said.get("drill_every_days"),
        notification_addresses=tuple(said.get("notification_addresses", ())),
        tags=dict(said.get("tags", {})),
        approval_needed=said.get("approval_needed", True),
        waves=tuple(_wave_in(wave) for wave in said["waves"]),
    )


def _waves(plan: RecoveryPlan) -> Iterable[PlanWave]:
    return plan.waves.order_by("position").prefetch_related("entries__group")


def _wave(wave: PlanWave) -> dict[str, Any]:
    entries = sorted(wave.entries.all(), key=lambda entry: (entry.group.name, entry.group_id))
    return {
        "position": wave.position,
        "name": wave.name,
        "depends_on": wave.depends_on,
        "gate": wave.gate,
        "gate_instructions": wave.gate_instructions,
        "gate_rule": wave.gate_rule or None,
        "wait_seconds": _seconds(wave.wait),
        "time_limit_seconds": _seconds(wave.time_limit),
        "success_threshold": wave.success_threshold,
        "checks": list(wave.checks),
        "groups": [
            {
                "id": str(entry.group_id),
                "name": entry.group.name,
                "server_ids": list(entry.server_ids),
                "optional_server_ids": list(entry.optional_server_ids),
            }
            for entry in entries
        ],
    }


def _wave_in(said: dict[str, Any]) -> WaveSpec:
    entries = [
        GroupServers(
            UUID(group["id"]),
            tuple(group.get("server_ids", ())),
            tuple(group.get("optional_server_ids", ())),
        )
        for group in said["groups"]
    ]
    return WaveSpec(
        name=said["name"],
        group_ids=tuple(entry.group_id for entry in entries),
        depends_on=tuple(said["depends_on"]),
        gate=said["gate"],
        gate_instructions=said["gate_instructions"],
        gate_rule=gates.of_dict(said.get("gate_rule") or {}),
        time_limit=timedelta(seconds=said["time_limit_seconds"]),
        wait=timedelta(seconds=said.get("wait_seconds", 0)),
        success_threshold=said.get("success_threshold", 100),
        checks=tuple(said.get("checks", ())),
        group_servers=tuple(
            entry for entry in entries if entry.server_ids or entry.optional_server_ids
        ),
    )


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
