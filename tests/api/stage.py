"""One of everything that the API serves, and what requests about it send."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from protection.models import ProtectionGroup, SourceServer, TargetAccount
from recovery.models import DrillSchedule, Execution, RecoveryPlan, ServerCheck
from recovery.states import ExecutionState, ServerCheckState, ServerState, WaveState
from tests.factories.checks import ServerCheckFactory
from tests.factories.drills import DrillScheduleFactory
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory, plan_of


@dataclass
class Stage:
    """One of everything, and another of each that nothing is granted on."""

    account: TargetAccount
    spare: TargetAccount
    server: SourceServer
    group: ProtectionGroup
    unused: ProtectionGroup
    plan: RecoveryPlan
    idle: RecoveryPlan
    execution: Execution
    schedule: DrillSchedule
    paths: dict[str, object] = field(default_factory=dict)


def made() -> Stage:
    """A stage in the database."""
    account = TargetAccountFactory.create()
    server, other = SourceServerFactory.create_batch(2, account=account)
    group = ProtectionGroupFactory.create(account=account, servers=[server])
    unused = ProtectionGroupFactory.create(account=account, servers=[other])
    plan, idle = plan_of(group), plan_of(group)
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.PAUSED)
    WaveFactory.create(execution=execution, state=WaveState.WAITING, gate=True)
    failed = WaveFactory.create(execution=execution, position=2, state=WaveState.FAILED)
    WaveServerFactory.create(wave=failed, state=ServerState.FAILED)
    launching = {"state": WaveState.LAUNCHING, "deadline_at": timezone.now() + timedelta(hours=1)}
    third = WaveFactory.create(execution=execution, position=3, **launching)
    launched = {"state": ServerState.FAILED, "launched_at": timezone.now()}
    ServerCheckFactory.create(
        server=WaveServerFactory.create(wave=third, **launched), state=ServerCheckState.FAILED
    )
    return Stage(
        account,
        TargetAccountFactory.create(),
        server,
        group,
        unused,
        plan,
        idle,
        execution,
        DrillScheduleFactory.create(plan=plan),
    )


def group_edit(stage: Stage) -> dict[str, Any]:
    return {"name": "renamed", "server_ids": [str(stage.server.pk)]}


def owner(_: Stage) -> dict[str, Any]:
    return {"owner": "ops"}


def first_version(_: Stage) -> dict[str, Any]:
    return {"number": 1}


def plan_edit(stage: Stage) -> dict[str, Any]:
    return {"name": "renamed", "waves": [{"name": "one", "group_ids": [str(stage.group.pk)]}]}


def plan_patch(_: Stage) -> dict[str, Any]:
    return {"name": "renamed"}


def restore(_: Stage) -> dict[str, Any]:
    return {"number": 1}


def second_wave(_: Stage) -> dict[str, Any]:
    return {"position": 2}


def first_wave(_: Stage) -> dict[str, Any]:
    return {"position": 1, "reason": "It is retired."}


def third_wave(_: Stage) -> dict[str, Any]:
    return {"position": 3, "minutes": 30, "reason": "Large snapshots."}


def schedule(_: Stage) -> dict[str, Any]:
    return {"repeats": "WEEKLY", "first_on": "2030-01-07", "at": "09:00", "zone": "UTC"}


def new_schedule(stage: Stage) -> dict[str, Any]:
    return schedule(stage) | {"plan_id": str(stage.plan.pk)}


def reason(_: Stage) -> dict[str, Any]:
    return {"reason": "It is frozen."}


def third_wave_again(_: Stage) -> dict[str, Any]:
    return {"position": 3}


def its_check(stage: Stage) -> dict[str, Any]:
    check = ServerCheck.objects.get(server__execution=stage.execution)
    return {"check_id": str(check.pk), "reason": "I looked."}


def kind(_: Stage) -> dict[str, Any]:
    return {"kind": "DRILL"}


def real(stage: Stage) -> dict[str, Any]:
    return {"kind": "RECOVERY", "confirmation": stage.idle.name}


def drill(stage: Stage) -> dict[str, Any]:
    return {"plan_id": str(stage.idle.pk), "kind": "DRILL"}


def recovery(stage: Stage) -> dict[str, Any]:
    return {"plan_id": str(stage.idle.pk), "kind": "RECOVERY", "confirmation": stage.idle.name}


def account_edit(_: Stage) -> dict[str, Any]:
    return {"name": "renamed"}


def nothing(_: Stage) -> None:
    return None
