"""Plans and executions, as rows: no service is asked, and no engine runs."""

from datetime import timedelta
from typing import Any

from django.utils import timezone
from factory.declarations import LazyAttribute, LazyFunction, SelfAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory
from factory.helpers import post_generation

from protection.models import ProtectionGroup
from recovery.engine.options import StartOptions
from recovery.engine.preflight import Check
from recovery.models import (
    Execution,
    ExecutionEvent,
    LaunchJob,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    Preflight,
    RecoveryPlan,
    ServerClaim,
    Wave,
    WaveServer,
)
from recovery.services.plans import document
from recovery.services.preflight_facts import known_of
from recovery.states import (
    EXECUTION,
    WAVE,
    CheckOutcome,
    ExecutionState,
    Kind,
    PreflightState,
    WaveState,
)
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)


class RecoveryPlanFactory(DjangoModelFactory[RecoveryPlan]):
    """A plan without waves; `plan_of` makes one that can be started."""

    class Meta:
        model = RecoveryPlan

    name = Sequence(lambda n: f"plan {n:03}")
    approval_needed = False


class PlanWaveFactory(DjangoModelFactory[PlanWave]):
    """A wave of one group, unless `groups=[...]` says otherwise."""

    class Meta:
        model = PlanWave
        skip_postgeneration_save = True

    plan = SubFactory(RecoveryPlanFactory)
    position = 1
    name = LazyAttribute(lambda wave: f"wave {wave.position}")
    time_limit = timedelta(minutes=60)

    @post_generation  # type: ignore[untyped-decorator]  # factory_boy leaves it untyped
    def groups(self: Any, create: bool, given: Any, **_: Any) -> None:
        if create:
            PlanWaveGroup.objects.bulk_create(
                PlanWaveGroup(wave=self, group=group)
                for group in given or [ProtectionGroupFactory()]
            )


def plan_of(*groups: ProtectionGroup, gates: tuple[int, ...] = (), **fields: Any) -> RecoveryPlan:
    """A plan whose waves launch `groups` one after the other (one group of one ready server if
    none is given), with a gate before the positions in `gates`, its first version, and a preflight
    that lets it start.
    """
    plan = RecoveryPlanFactory.create(**fields)
    for position, group in enumerate(groups or (ProtectionGroupFactory.create(),), start=1):
        PlanWaveFactory.create(
            plan=plan,
            position=position,
            depends_on=[position - 1] if position > 1 else [],
            gate=position in gates,
            groups=[group],
        )
    PlanVersion.objects.create(
        plan=plan, number=plan.version, document=document(plan), created_by="somebody"
    )
    PreflightFactory.create(plan=plan)
    return plan


class PreflightFactory(DjangoModelFactory[Preflight]):
    """A preflight that has just found all as it must be, of the servers that its plan has now."""

    class Meta:
        model = Preflight

    plan = SubFactory(RecoveryPlanFactory)
    plan_version = SelfAttribute("plan.version")
    state = PreflightState.DONE
    requested_by = "somebody"
    started_at = LazyFunction(timezone.now)
    finished_at = LazyFunction(timezone.now)
    outcome = CheckOutcome.PASSED
    score = 100
    options = LazyFunction(dict)
    checks = LazyFunction(lambda: [Check("servers", CheckOutcome.PASSED, "All is well.").as_dict()])
    digest = LazyAttribute(
        lambda preflight: known_of(preflight.plan, StartOptions.of_dict(preflight.options)).digest
    )


class ExecutionFactory(DjangoModelFactory[Execution]):
    """A drill that has just been asked for. A state that is an end brings its time along."""

    class Meta:
        model = Execution

    plan = SubFactory(RecoveryPlanFactory)
    plan_name = LazyAttribute(lambda execution: execution.plan.name)
    plan_version = 1
    kind = Kind.DRILL
    requested_by = "somebody"
    state = ExecutionState.PENDING
    finished_at = LazyAttribute(
        lambda execution: timezone.now() if execution.state in EXECUTION.terminal else None
    )


class WaveFactory(DjangoModelFactory[Wave]):
    """A wave that has not begun."""

    class Meta:
        model = Wave

    execution = SubFactory(ExecutionFactory)
    position = 1
    name = LazyAttribute(lambda wave: f"wave {wave.position}")
    time_limit = timedelta(minutes=60)
    state = WaveState.PENDING
    finished_at = LazyAttribute(
        lambda wave: timezone.now() if wave.state in WAVE.terminal else None
    )


class WaveServerFactory(DjangoModelFactory[WaveServer]):
    """A server that waits for its wave."""

    class Meta:
        model = WaveServer

    wave = SubFactory(WaveFactory)
    execution = SelfAttribute("wave.execution")
    account_id = "100000000000"
    region = "us-east-1"
    server_id = Sequence(lambda n: f"s-f{n:016x}")
    name = Sequence(lambda n: f"server-{n:04}")
    group_name = "group"


class LaunchJobFactory(DjangoModelFactory[LaunchJob]):
    """A launch job that waits for its turn."""

    class Meta:
        model = LaunchJob

    wave = SubFactory(WaveFactory)
    execution = SelfAttribute("wave.execution")
    account = SubFactory(TargetAccountFactory)
    aws_account_id = SelfAttribute("account.account_id")
    account_name = SelfAttribute("account.name")
    region = "us-east-1"
    kind = SelfAttribute("execution.kind")
    server_ids = LazyFunction(lambda: ["s-00000000000000000"])


class ServerClaimFactory(DjangoModelFactory[ServerClaim]):
    """That an execution holds a server."""

    class Meta:
        model = ServerClaim

    execution = SubFactory(ExecutionFactory)
    account_id = "100000000000"
    region = "us-east-1"
    server_id = Sequence(lambda n: f"s-f{n:016x}")


class ExecutionEventFactory(DjangoModelFactory[ExecutionEvent]):
    """A line of a timeline."""

    class Meta:
        model = ExecutionEvent

    execution = SubFactory(ExecutionFactory)
    kind = "execution.requested"
    message = "Drill requested."
    actor = "somebody"


def servers_of(plan: RecoveryPlan, count: int) -> ProtectionGroup:
    """A group of `count` ready servers, as one more wave of `plan`."""
    account = TargetAccountFactory.create()
    servers = SourceServerFactory.create_batch(count, account=account)
    group = ProtectionGroupFactory.create(account=account, servers=servers)
    PlanWaveFactory.create(plan=plan, position=plan.waves.count() + 1, groups=[group])
    return group
