"""A random plan or two, carried out and cleaned up by processes that die: one walk of `chaos`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from django.conf import settings
from django.utils import timezone

from drportal.aws.roles import forget_sessions
from drportal.aws.session import forget_clients
from drportal.errors import DomainError
from drportal.simulator import jobs as simulated
from drportal.simulator.clock import Clock
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from recovery.errors import NothingToTerminate
from recovery.models import Execution, JobWatch, LaunchJob, RecoveryPlan, Termination
from recovery.services import advance, executions, steering, termination_runs, terminations, watch
from recovery.states import EXECUTION, JOB, TERMINATION, WaveState
from recovery.states import Kind as ExecutionKind
from tests.factories.recovery import PreflightFactory
from tests.performance._storm import Storm
from tests.performance._truth import Place, Verdict, judge
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
    SOUTH,
    WEST,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

PLACES = [(account, region) for account in (NORTH, SOUTH) for region in (EAST, WEST)]
SPEED = 8.0
STORM_ROUNDS, CALM_ROUNDS = 60, 200
LOST = (Kind.DROP_BEFORE, Kind.DROP_AFTER, Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER)
# A job must not be over before DRS lists it: that is what the engine relies on (docs/adr/0003).
FAST_ENDS, SLOW_ENDS = (Kind.SKIP, Kind.SNAPSHOT_FAIL), (Kind.CONVERSION_FAIL, Kind.LAUNCH_FAIL)
ORDERS = ("StartRecovery", "TerminateRecoveryInstances")


@dataclass
class Walk:
    """What a walk came to."""

    deaths: int
    stalls: int
    lost_before: int
    lost_after: int
    throttled: int
    executions: int
    servers: int
    errors: list[str]
    verdict: Verdict = field(default_factory=Verdict)


def walk(seed: str) -> Walk:
    """Go one walk in an empty database, on simulated AWS in this process. The same seed gives the
    same plans and the same weather; threads may still take another order.
    """
    forget_sessions()  # of an earlier world
    forget_clients()
    random = Random(seed)
    storm = Storm(random)
    shapes = [_shape(random, number) for number in range(random.choice([1, 1, 2]))]
    world_of(entry for shape in shapes for entry in _servers(shape))
    world.clock = Clock(SPEED)
    world.seed(random.getrandbits(32))
    registered()
    plans = [_plan(number, shape) for number, shape in enumerate(shapes)]
    with storm.raging():
        _weather(random)
        people = People(random)
        for plan in plans:
            _start(random, plan)
        _until(storm, people, _all_ended)
        for execution in Execution.objects.all():
            try:
                terminations.request(execution, confirmation=execution.plan_name, actor=PERSON)
            except NothingToTerminate:
                continue
        _weather(random)
        _until(storm, people, _all_cleaned_up)
        return _told(storm)


@dataclass(frozen=True, slots=True)
class Shape:
    """A wave of a plan: its tier tag, its servers' places, and what it waits for."""

    tier: str
    places: tuple[tuple[str, str, int], ...]  # account, Region, servers
    needs: tuple[int, ...]
    gate: bool
    threshold: int


def _shape(random: Random, number: int) -> list[Shape]:
    return [
        Shape(
            tier=f"p{number}w{position}",
            places=tuple(
                (*place, random.randint(1, 3))
                for place in random.sample(PLACES, random.randint(1, 3))
            ),
            needs=tuple(n for n in range(1, position) if random.random() < 0.5),
            gate=random.random() < 0.2,
            threshold=random.choice([100, 100, 50]),
        )
        for position in range(1, random.randint(1, 4) + 1)
    ]


def _servers(shape: list[Shape]) -> list[dict[str, Any]]:
    return [
        server(f"{each.tier}-{account[-1]}{region[-1]}{n}", account=account, region=region)
        | {"tags": {"Tier": each.tier, "Name": f"{each.tier}-{account[-1]}{region}{n}"}}
        for each in shape
        for account, region, count in each.places
        for n in range(count)
    ]


def _plan(number: int, shape: list[Shape]) -> RecoveryPlan:
    waves = [
        wave(
            each.tier,
            *(
                group_of(each.tier, account=account, region=region)
                for account, region, _ in each.places
            ),
            depends_on=each.needs,
            gate=each.gate,
            success_threshold=each.threshold,
        )
        for each in shape
    ]
    plan = plan_of(*waves, name=f"Plan {number}")
    PreflightFactory.create(plan=plan)
    return plan


def _start(random: Random, plan: RecoveryPlan) -> Execution:
    kind = random.choice(list(ExecutionKind))
    return executions.start(plan, kind=kind, confirmation=plan.name, actor=PERSON)


def _weather(random: Random) -> None:
    """Throttling and lost answers; a few servers that do not launch."""
    world.faults.clear()
    for operation in ORDERS:
        for kind in LOST:
            world.faults.add(Fault(kind, operation=operation, probability=0.12))
    world.faults.add(Fault(Kind.SERVER_ERROR, probability=0.05, seconds=0))
    world.faults.add(Fault(Kind.THROTTLE, probability=0.3, seconds=0))
    late = random.choice([2, 6, 20])
    world.faults.add(Fault(Kind.LIST_LATE, probability=0.1, seconds=late))
    for kind in SLOW_ENDS if late > settings.LAUNCH_SETTLE_SECONDS else FAST_ENDS + SLOW_ENDS:
        world.faults.add(Fault(kind, probability=0.02))


class People:
    """They open gates; now and then they pause, go on again, or cancel."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.calm = False

    def act(self) -> None:
        for execution in Execution.objects.active():
            try:
                self._act(execution)
            except DomainError:
                continue  # it was not the moment for that

    def _act(self, execution: Execution) -> None:
        chance = self._random.random()
        if execution.pause_requested_at is not None:
            if self.calm or chance < 0.3:
                steering.resume(execution, actor=PERSON)
        elif not self.calm and chance < 0.02:
            steering.pause(execution, actor=PERSON)
        elif not self.calm and chance < 0.03:
            executions.cancel(execution, actor=PERSON)
        elif self.calm or chance < 0.5:
            for each in execution.waves.filter(state=WaveState.WAITING, gate_opened_at=None):
                executions.resume(execution, position=each.position, actor=PERSON)


def _until(storm: Storm, people: People, done: Callable[[], bool]) -> None:
    """Rounds in the storm, then in calm, until it is `done` or should have been."""
    for number in range(STORM_ROUNDS + CALM_ROUNDS):
        if done():
            return
        people.calm = number >= STORM_ROUNDS
        if people.calm:
            world.faults.clear()
        people.act()
        storm.pass_time(storm.random.choice([1, 3, 10, 10, 30]))
        for work in _due(storm.random):
            storm.run(work, meanwhile=partial(_meanwhile, storm), mortal=not people.calm)


def _due(random: Random) -> list[Callable[[], None]]:
    now = timezone.now()
    found: list[Callable[[], None]] = [partial(watch.poll, pk) for pk in watch.due(now)]
    found += [partial(advance.advance, pk) for pk in advance.due(now)]
    found += [partial(termination_runs.carry_out, pk) for pk in termination_runs.due(now)]
    random.shuffle(found)
    return found


def _meanwhile(storm: Storm) -> None:
    """Longer than a lease lasts passes, and others do what is due."""
    for _ in range(2):
        storm.pass_time(20)
        for work in _due(storm.random):
            storm.surviving(work)


def _all_ended() -> bool:
    live = LaunchJob.objects.filter(state__in=sorted(JOB.active))
    watched = JobWatch.objects.exclude(due_at=None)
    return not (Execution.objects.active().exists() or live.exists() or watched.exists())


def _all_cleaned_up() -> bool:
    return not Termination.objects.filter(state__in=sorted(TERMINATION.active)).exists()


def _told(storm: Storm) -> Walk:
    lost = [call for call in world.calls.matching() if call.outcome in {"held", "dropped"}]
    ended = Execution.objects.filter(state__in=sorted(EXECUTION.terminal))
    return Walk(
        deaths=sum(storm.deaths.values()),
        stalls=storm.stalls,
        lost_before=sum(not call.effect for call in lost),
        lost_after=sum(call.effect for call in lost),
        throttled=world.calls.count(error="ThrottlingException"),
        executions=ended.count(),
        servers=sum(each.servers.count() for each in ended),
        errors=storm.errors,
        verdict=judge(_jobs(), _instances()),
    )


def _jobs() -> list[dict[str, Any]]:
    found = []
    for account, region in PLACES:
        backend = drs_backends[account][region]
        backend.agenda.settle(world.clock.now())
        place = {"account": account, "region": region}
        found += [place | simulated.described(backend, job) for job in backend.jobs.values()]
    return found


def _instances() -> dict[Place, str]:
    return {
        (account, region, instance.id): instance.server_id
        for account, region in PLACES
        for instance in drs_backends[account][region].instances.values()
    }
