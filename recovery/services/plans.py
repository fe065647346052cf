"""Recovery plans: making, editing and deleting them. Every change is a new version."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from protection.models import ProtectionGroup
from recovery.engine import graph
from recovery.errors import PlanChanged, PlanIsRunning, PlanNameTaken
from recovery.models import Execution, PlanVersion, PlanWave, PlanWaveGroup, RecoveryPlan

SHORTEST_LIMIT, LONGEST_LIMIT = timedelta(minutes=1), timedelta(days=7)
DEFAULT_LIMIT = timedelta(minutes=60)
MOST_WAVES = 50


@dataclass(frozen=True, slots=True)
class WaveSpec:
    """A wave as somebody wants it. Its position is its place in the list, from 1."""

    name: str
    group_ids: tuple[UUID, ...]
    depends_on: tuple[int, ...] = ()
    gate: bool = False
    gate_instructions: str = ""
    time_limit: timedelta = field(default=DEFAULT_LIMIT)


def create(
    *, name: str, waves: Sequence[WaveSpec], description: str = "", actor: Actor
) -> RecoveryPlan:
    """Make a plan. Raises InvalidInput (a cycle, an unknown group, a wave without a group, ...)
    and PlanNameTaken; then nothing is written.
    """
    plan = RecoveryPlan(name=_name(name), description=description)
    return _save(plan, waves, actor=actor, what="created")


def edit(
    plan: RecoveryPlan,
    *,
    name: str,
    waves: Sequence[WaveSpec],
    description: str = "",
    version: int | None = None,
    actor: Actor,
) -> RecoveryPlan:
    """Change a plan into its next version. With `version`, only if that is still its version.

    Raises what `create` raises, and PlanChanged. Executions under way are not touched: they are
    snapshots.
    """
    with transaction.atomic():
        plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
        if version is not None and version != plan.version:
            raise PlanChanged(plan, plan.version)
        plan.name, plan.description = _name(name), description
        plan.version += 1
        plan.updated_at = timezone.now()
        return _save(plan, waves, actor=actor, what="edited")


def delete(plan: RecoveryPlan, *, actor: Actor) -> None:
    """Delete a plan. What it did stays readable. Raises PlanIsRunning during an execution."""
    with transaction.atomic():
        plan = RecoveryPlan.objects.select_for_update().get(pk=plan.pk)
        if Execution.objects.active().filter(plan=plan).exists():
            raise PlanIsRunning(plan)
        record("recovery.plan.deleted", actor=actor, subject=plan, name=plan.name)
        mark("RecoveryPlans", plan.pk)
        plan.delete()


def document(plan: RecoveryPlan) -> dict[str, Any]:
    """What a plan says, as its version keeps it. Three queries."""
    waves = plan.waves.order_by("position").prefetch_related("groups")
    return {
        "name": plan.name,
        "description": plan.description,
        "waves": [
            {
                "position": wave.position,
                "name": wave.name,
                "depends_on": wave.depends_on,
                "gate": wave.gate,
                "gate_instructions": wave.gate_instructions,
                "time_limit_seconds": int(wave.time_limit.total_seconds()),
                "groups": [{"id": str(g.pk), "name": g.name} for g in wave.groups.all()],
            }
            for wave in waves
        ],
    }


def _save(
    plan: RecoveryPlan, waves: Sequence[WaveSpec], *, actor: Actor, what: str
) -> RecoveryPlan:
    _must_be_valid(waves)
    try:
        with transaction.atomic():
            plan.save()
            plan.waves.all().delete()
            _add_waves(plan, waves)
            said = document(plan)
            PlanVersion.objects.create(
                plan=plan,
                number=plan.version,
                document=said,
                created_by_id=actor.user_id,
                created_by=actor.name,
            )
            facts = {"name": plan.name, "version": plan.version, "waves": said["waves"]}
            record(f"recovery.plan.{what}", actor=actor, subject=plan, **facts)
            mark("RecoveryPlans", plan.pk)
    except IntegrityError as error:
        if "recovery_plan_name_is_unique" in str(error):
            raise PlanNameTaken(plan.name) from error
        raise
    return plan


def _add_waves(plan: RecoveryPlan, waves: Sequence[WaveSpec]) -> None:
    made = PlanWave.objects.bulk_create(
        PlanWave(
            plan=plan,
            position=position,
            name=wave.name.strip(),
            depends_on=sorted(set(wave.depends_on)),
            gate=wave.gate,
            gate_instructions=wave.gate_instructions,
            time_limit=wave.time_limit,
        )
        for position, wave in enumerate(waves, start=1)
    )
    PlanWaveGroup.objects.bulk_create(
        PlanWaveGroup(wave=row, group_id=group_id)
        for row, wave in zip(made, waves, strict=True)
        for group_id in wave.group_ids
    )


def _must_be_valid(waves: Sequence[WaveSpec]) -> None:
    errors = [*_count_errors(waves)]
    for position, wave in enumerate(waves, start=1):
        errors += _wave_errors(position, wave)
    errors += _group_errors(waves)
    errors += _graph_errors(waves)
    if errors:
        raise InvalidInput("The plan is not valid.", errors=errors)


def _count_errors(waves: Sequence[WaveSpec]) -> Iterable[dict[str, str]]:
    if not waves:
        yield _error("waves", "no_waves", "A plan has at least one wave.")
    if len(waves) > MOST_WAVES:
        yield _error("waves", "too_many", f"A plan has at most {MOST_WAVES} waves.")


def _wave_errors(position: int, wave: WaveSpec) -> Iterable[dict[str, str]]:
    where = f"waves[{position - 1}]"
    if not 1 <= len(wave.name.strip()) <= 64:  # noqa: PLR2004  # the field's own length
        yield _error(f"{where}.name", "invalid", "A name has 1 to 64 characters.")
    if not wave.group_ids:
        yield _error(f"{where}.group_ids", "no_groups", "A wave launches at least one group.")
    if not SHORTEST_LIMIT <= wave.time_limit <= LONGEST_LIMIT:
        yield _error(
            f"{where}.time_limit_minutes", "invalid", "A time limit is 1 minute to 7 days."
        )
    if len(wave.gate_instructions) > 1000:  # noqa: PLR2004  # the field's own length
        yield _error(f"{where}.gate_instructions", "too_long", "At most 1000 characters.")


def _group_errors(waves: Sequence[WaveSpec]) -> Iterable[dict[str, str]]:
    wanted = {group_id for wave in waves for group_id in wave.group_ids}
    known = set(ProtectionGroup.objects.filter(pk__in=wanted).values_list("pk", flat=True))
    taken: set[UUID] = set()
    for position, wave in enumerate(waves):
        where = f"waves[{position}].group_ids"
        for group_id in wave.group_ids:
            if group_id not in known:
                yield _error(where, "unknown_group", f"There is no protection group {group_id}.")
            elif group_id in taken:
                yield _error(where, "group_twice", f"Group {group_id} is in the plan already.")
            taken.add(group_id)


def _graph_errors(waves: Sequence[WaveSpec]) -> Iterable[dict[str, str]]:
    needs = {position: set(wave.depends_on) for position, wave in enumerate(waves, start=1)}
    for position, missing in graph.unknown(needs).items():
        named = ", ".join(map(str, missing))
        yield _error(
            f"waves[{position - 1}].depends_on", "unknown_wave", f"There is no wave {named}."
        )
    around = graph.cycle(needs)
    if around:
        path = " → ".join(map(str, around))
        yield _error("waves", "cycle", f"The waves wait for each other in a circle: {path}.")


def _name(name: str) -> str:
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= 64:  # noqa: PLR2004  # the field's own length
        raise InvalidInput.field("name", "invalid", "A name has 1 to 64 characters.")
    return trimmed


def _error(field_name: str, code: str, message: str) -> dict[str, str]:
    return {"field": field_name, "code": code, "message": message}
