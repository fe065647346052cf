"""Recovery plans: making, editing, copying, restoring and deleting them. Every change is a new
version.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import NotFound
from drportal.mirror.services import mark
from recovery.choices import LaunchSettingsPolicy
from recovery.engine.checks import completed
from recovery.errors import PlanChanged, PlanIsRunning, PlanNameTaken
from recovery.models import (
    DrillOccurrence,
    Execution,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
)
from recovery.services import plan_rules
from recovery.services.plan_differences import differences
from recovery.services.plan_documents import document, spec_in, spec_of
from recovery.services.plan_rules import (
    DEFAULT_LIMIT,
    LONGEST_LIMIT,
    MOST_WAVES,
    GroupServers,
    PlanSpec,
    WaveSpec,
)

__all__ = [
    "DEFAULT_LIMIT",
    "LONGEST_LIMIT",
    "MOST_WAVES",
    "GroupServers",
    "PlanSpec",
    "WaveSpec",
    "copy",
    "create",
    "delete",
    "document",
    "edit",
    "restore",
]


def create(
    *,
    name: str,
    waves: Sequence[WaveSpec],
    description: str = "",
    owner: str = "",
    rto: timedelta | None = None,
    rpo: timedelta | None = None,
    preflight_before_waves: bool = True,
    launch_settings_policy: LaunchSettingsPolicy = LaunchSettingsPolicy.BLOCK,
    drill_every_days: int | None = None,
    notification_addresses: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    approval_needed: bool = True,
    actor: Actor,
) -> RecoveryPlan:
    """Make a plan. Raises InvalidInput (a cycle, an unknown group, a server that is not in its
    group, ...) and PlanNameTaken; then nothing is written.
    """
    said = PlanSpec(
        name=name,
        waves=tuple(waves),
        description=description,
        owner=owner,
        rto=rto,
        rpo=rpo,
        preflight_before_waves=preflight_before_waves,
        launch_settings_policy=launch_settings_policy,
        drill_every_days=drill_every_days,
        notification_addresses=tuple(notification_addresses),
        tags=dict(tags or {}),
        approval_needed=approval_needed,
    )
    return _save(RecoveryPlan(), said, actor=actor, what="created")


def edit(
    plan: RecoveryPlan,
    *,
    name: str,
    waves: Sequence[WaveSpec],
    description: str = "",
    owner: str = "",
    rto: timedelta | None = None,
    rpo: timedelta | None = None,
    preflight_before_waves: bool = True,
    launch_settings_policy: LaunchSettingsPolicy = LaunchSettingsPolicy.BLOCK,
    drill_every_days: int | None = None,
    notification_addresses: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    approval_needed: bool = True,
    version: int | None = None,
    actor: Actor,
) -> RecoveryPlan:
    """Change a plan into its next version, which says this and nothing else. With `version`, only
    if that is still its version.

    Raises what `create` raises, and PlanChanged. Executions under way are not touched: they are
    snapshots.
    """
    said = PlanSpec(
        name=name,
        waves=tuple(waves),
        description=description,
        owner=owner,
        rto=rto,
        rpo=rpo,
        preflight_before_waves=preflight_before_waves,
        launch_settings_policy=launch_settings_policy,
        drill_every_days=drill_every_days,
        notification_addresses=tuple(notification_addresses),
        tags=dict(tags or {}),
        approval_needed=approval_needed,
    )
    with transaction.atomic():
        return _save(_next(plan, version), said, actor=actor, what="edited")


def copy(plan: RecoveryPlan, *, name: str, actor: Actor) -> RecoveryPlan:
    """Make a plan that says what `plan` says, under another name. Raises what `create` raises: a
    server that the plan names may have left its group meanwhile.
    """
    said = replace(spec_of(plan), name=name)
    facts = {"copy_of": str(plan.pk), "copied_version": plan.version}
    return _save(RecoveryPlan(), said, actor=actor, what="copied", **facts)


def restore(
    plan: RecoveryPlan, number: int, *, version: int | None = None, actor: Actor
) -> RecoveryPlan:
    """Let a plan say again what its version `number` said: that is a new version too, under the
    same rules. Raises NotFound if there is no such version, and what `edit` raises.
    """
    kept = plan.versions.filter(number=number).first()
    if kept is None:
        raise NotFound(f"{plan} has no version {number}.")
    said = spec_in(kept.document)
    with transaction.atomic():
        plan = _next(plan, version)
        return _save(plan, said, actor=actor, what="restored", restored_version=number)


def delete(plan: RecoveryPlan, *, actor: Actor) -> None:
    """Delete a plan. What it did stays readable, and the record keeps what it said. Raises
    PlanIsRunning during an execution.
    """
    with transaction.atomic():
        plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
        if Execution.objects.active().filter(plan=plan).exists():
            raise PlanIsRunning(plan)
        facts = {"name": plan.name, "version": plan.version, "said": document(plan)}
        record("recovery.plan.deleted", actor=actor, subject=plan, **facts)
        mark("RecoveryPlans", plan.pk)
        mark("RecoveryPlanVersions", *plan.versions.values_list("pk", flat=True))
        mark("NoticeChannels", *plan.notice_channels.values_list("pk", flat=True))
        _mark_schedules(plan)
        plan.delete()


def _mark_schedules(plan: RecoveryPlan) -> None:
    """Its drill schedules go with it, and what became of each of their times."""
    mark("DrillSchedules", *plan.drill_schedules.values_list("pk", flat=True))
    occurrences = DrillOccurrence.objects.filter(schedule__plan=plan)
    mark("DrillOccurrences", *occurrences.values_list("pk", flat=True))


def _next(plan: RecoveryPlan, version: int | None) -> RecoveryPlan:
    """The plan, locked, on its way to its next version."""
    plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
    if version is not None and version != plan.version:
        raise PlanChanged(plan, expected=version, current=plan.version)
    plan.version += 1
    plan.updated_at = timezone.now()
    return plan


def _save(
    plan: RecoveryPlan, said: PlanSpec, *, actor: Actor, what: str, **facts: Any
) -> RecoveryPlan:
    plan_rules.must_be_valid(said)
    before = plan.versions.order_by("-number").first() if plan.version > 1 else None
    _set(plan, said)
    try:
        with transaction.atomic():
            plan.save()
            plan.waves.all().delete()
            _add_waves(plan, said.waves)
            says = document(plan)
            version = PlanVersion.objects.create(
                plan=plan,
                number=plan.version,
                document=says,
                created_by_id=actor.user_id,
                created_by=actor.name,
            )
            facts |= {"name": plan.name, "version": plan.version, "waves": says["waves"]}
            if before is not None:
                facts["changed"] = _changed(before.document, says)
            record(f"recovery.plan.{what}", actor=actor, subject=plan, **facts)
            mark("RecoveryPlans", plan.pk)
            mark("RecoveryPlanVersions", version.pk)
    except IntegrityError as error:
        if "recovery_plan_name_is_unique" in str(error):
            raise PlanNameTaken(plan.name) from error
        raise
    return plan


def _set(plan: RecoveryPlan, said: PlanSpec) -> None:
    plan.name, plan.description, plan.owner = said.name.strip(), said.description, said.owner
    plan.rto, plan.rpo = said.rto, said.rpo
    plan.preflight_before_waves = said.preflight_before_waves
    plan.launch_settings_policy = said.launch_settings_policy
    plan.drill_every_days = said.drill_every_days
    plan.notification_addresses = list(said.notification_addresses)
    plan.tags = dict(said.tags)
    plan.approval_needed = said.approval_needed


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The names of what is different, for the record; the versions say how."""
    found = differences(before, after)
    waves = [f"wave {change.position} {change.what.lower()}" for change in found.waves]
    return [*(change.field for change in found.plan), *waves]


def _add_waves(plan: RecoveryPlan, waves: Sequence[WaveSpec]) -> None:
    made = PlanWave.objects.bulk_create(
        PlanWave(
            plan=plan,
            position=position,
            name=wave.name.strip(),
            depends_on=sorted(set(wave.depends_on)),
            gate=wave.gate,
            gate_instructions=wave.gate_instructions,
            gate_rule=wave.gate_rule.as_dict() if wave.gate_rule else {},
            wait=wave.wait,
            time_limit=wave.time_limit,
            success_threshold=wave.success_threshold,
            checks=[completed(check) for check in wave.checks],
        )
        for position, wave in enumerate(waves, start=1)
    )
    PlanWaveGroup.objects.bulk_create(
        PlanWaveGroup(
            wave=row,
            group_id=entry.group_id,
            server_ids=sorted(set(entry.server_ids)),
            optional_server_ids=sorted(set(entry.optional_server_ids)),
        )
        for row, wave in zip(made, waves, strict=True)
        for entry in map(wave.servers_of, wave.group_ids)
    )
