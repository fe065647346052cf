"""Small simulated worlds for tests, and a driver that carries an execution out in one process.

`world_of` loads a scenario of a hub and two target accounts with as many servers as a test wants.
`Driver` does what beat and the workers do, without waiting: it makes everything due, and moves
the simulated clock by hand.
"""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from drportal.actor import PORTAL, Actor, ActorKind, Door
from drportal.simulator import scenario
from drportal.simulator.clock import ManualClock
from drportal.simulator.world import world
from protection.models import ProtectionGroup, SourceServer, TargetAccount
from protection.services import accounts, groups, inventory
from recovery.models import Execution, JobWatch, LaunchJob, RecoveryPlan, WavePreflight
from recovery.services import advance, executions, plans, watch
from recovery.states import EXECUTION, JobState, Kind
from tests.factories.recovery import PreflightFactory

HUB = "123456789012"
NORTH, SOUTH = "210000000001", "210000000002"
EAST, WEST = "us-east-1", "us-west-2"
EXTERNAL_ID = "a-shared-word"
PERSON = Actor(kind=ActorKind.PERSON, name="pat", door=Door.API)


def role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/DRSOrchestrationRole"


def server(name: str, *, account: str = NORTH, region: str = EAST, **more: Any) -> dict[str, Any]:
    """One source server of a scenario. Its tier tag is what stands before the last hyphen."""
    return {
        "account": account,
        "region": region,
        "hostname": name,
        "os": "Ubuntu 22.04.4 LTS",
        "tags": {"Name": name, "Tier": name.rsplit("-", 1)[0]},
        **more,
    }


def world_of(servers: Iterable[dict[str, Any]], **more: Any) -> None:
    """Load a world of these servers, on a clock that stands still until it is moved."""
    regions = [EAST, WEST]
    scenario.load(
        {
            "accounts": [
                {"id": HUB, "name": "hub", "hub": True, "initialized": regions},
                {"id": NORTH, "name": "north", "initialized": regions},
                {"id": SOUTH, "name": "south", "initialized": regions},
            ],
            "roles": [
                {"arn": role(account), "trust": [HUB], "externalId": EXTERNAL_ID}
                for account in (NORTH, SOUTH)
            ],
            "servers": list(servers),
            **more,
        }
    )
    world.clock = ManualClock(timezone.now())


def registered() -> dict[str, TargetAccount]:
    """The world's accounts, registered and listed."""
    made = {HUB: accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PERSON)}
    for account, name in ((NORTH, "north"), (SOUTH, "south")):
        made[account] = accounts.register(
            account_id=account,
            name=name,
            role_arn=role(account),
            external_id=EXTERNAL_ID,
            actor=PERSON,
        )
    inventory.sync(actor=PORTAL)
    return made


def group_of(tier: str, *, account: str = NORTH, region: str = EAST) -> ProtectionGroup:
    """A group of the servers with one tier tag."""
    return groups.create(
        name=f"{tier} {account[-1]} {region}",
        account=TargetAccount.objects.get(account_id=account),
        region=region,
        tags={"Tier": tier},
        actor=PERSON,
    )


def plan_of(*waves: plans.WaveSpec, name: str = "Plan", asks: bool = False) -> RecoveryPlan:
    """A plan of these waves, whose recoveries need no approval. Unless it `asks`, AWS is not asked
    anew before each of them: most tests are of something else, and would pay for that with their
    time.
    """
    return plans.create(
        name=name,
        waves=waves,
        approval_needed=False,
        preflight_before_waves=asks,
        actor=PERSON,
    )


def wave(name: str, *groups_: ProtectionGroup, **more: Any) -> plans.WaveSpec:
    return plans.WaveSpec(name=name, group_ids=tuple(group.pk for group in groups_), **more)


def drill(plan: RecoveryPlan) -> Execution:
    """A drill that a preflight lets start, whatever one would find."""
    PreflightFactory.create(plan=plan)
    return executions.start(plan, kind=Kind.DRILL, actor=PERSON)


def launches() -> list[Any]:
    """Every StartRecovery that was sent, in order."""
    return world.calls.matching(operation="StartRecovery")


class Driver:
    """Beat and the workers, without waiting."""

    def step(self, execution: Execution, *, forward: timedelta = timedelta(seconds=60)) -> None:
        """One look of everybody at everything, then time passes in AWS."""
        now = timezone.now()
        waiting = LaunchJob.objects.filter(state__in=[JobState.QUEUED, JobState.INTENDED])
        waiting.update(due_at=now)
        # The settling time of what was asked passes.
        waiting.exclude(asked_at=None).update(asked_at=F("asked_at") - timedelta(minutes=1))
        WavePreflight.objects.exclude(due_at=None).update(due_at=now)
        Execution.objects.active().update(due_at=now, leased_until=None)
        advance.advance(execution.pk)
        JobWatch.objects.update(due_at=now, leased_until=None)
        for pk in JobWatch.objects.values_list("pk", flat=True):
            watch.poll(pk)
        clock = world.clock
        assert isinstance(clock, ManualClock)
        clock.advance(forward)

    def run(
        self,
        execution: Execution,
        *,
        until: Callable[[Execution], bool] = lambda found: found.state in EXECUTION.terminal,
        most: int = 200,
    ) -> Execution:
        """Steps until `until`; a world in which that never comes fails the test."""
        for _ in range(most):
            execution.refresh_from_db()
            if until(execution):
                return execution
            self.step(execution)
        raise AssertionError(f"{execution} is still {execution.state}: {execution.message}")


def states(execution: Execution) -> dict[str, str]:
    """The states of an execution's servers, by name."""
    return dict(execution.servers.values_list("name", "state"))


def known(name: str) -> SourceServer:
    return SourceServer.objects.get(name=name)
