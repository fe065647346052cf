"""A worker dies at every named point of an execution, and nothing is lost, doubled or stuck."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

from drportal.actor import PORTAL
from drportal.simulator import scenario
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.models import GroupHold, TargetAccount
from protection.services import accounts, groups, inventory
from recovery.models import Execution, JobWatch, LaunchJob, ServerClaim
from recovery.services import executions
from recovery.states import EXECUTION, JOB, ExecutionState, ServerState, WaveState
from tests.journeys.conftest import REGIONS
from tests.journeys.processes import Worker, wait_for
from tests.worlds import (
    EXTERNAL_ID,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    drill,
    plan_of,
    role,
    server,
    wave,
)

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

PLACES = [(account, region) for account in (NORTH, SOUTH) for region in REGIONS]
POINTS = [
    "advance.leased",
    "step.Begin",
    "step.LaunchWave",
    "launch.intended",
    "launch.asking",
    "launch.answered",
    "launch.adopted",
    "advance.released",
    "watch.leased",
    "watch.seen",
    "watch.written",
    "watch.released",
    "step.EndWave",
    "step.ReachGate",
    "step.Pause",
    "step.Finish",
    "step.StartTimer",
]
LONGEST_COST = 15.0


def batched(points: list[str], size: int) -> list[list[str]]:
    return [points[first : first + size] for first in range(0, len(points), size)]


def about(point: str, execution: Execution) -> str:
    """The key under which `point` is passed for this execution; see `kills.key_of`."""
    if not point.startswith("watch."):
        return str(execution.pk)
    row = execution.servers.all()[0]
    account = TargetAccount.objects.get(account_id=row.account_id)
    watch, _ = JobWatch.objects.get_or_create(account=account, region=row.region)
    return f"watch-{watch.pk}"


@pytest.fixture
def places(aws) -> dict[tuple[str, str], TargetAccount]:
    """An account and Region of its own for every execution: two servers in each of two tiers."""
    scenario.load(
        {
            "accounts": [
                {"id": account, "hub": account == HUB, "initialized": REGIONS}
                for account in (HUB, NORTH, SOUTH)
            ],
            "roles": [
                {"arn": role(account), "trust": [HUB], "externalId": EXTERNAL_ID}
                for account in (NORTH, SOUTH)
            ],
            "servers": [
                server(f"{tier}-{n}", account=account, region=region)
                for account, region in PLACES
                for tier in ("db", "web")
                for n in (1, 2)
            ],
        }
    )
    accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PERSON)
    made = {
        account: accounts.register(
            account_id=account, name=account, external_id=EXTERNAL_ID, actor=PERSON
        )
        for account in (NORTH, SOUTH)
    }
    inventory.sync(actor=PORTAL)
    return {(account, region): made[account] for account, region in PLACES}


@pytest.fixture
def kills(tmp_path) -> Path:
    place: Path = tmp_path / "kills"
    place.mkdir()
    return place


@pytest.fixture
def worker(tmp_path, aws, beat, kills) -> Iterator[Worker]:
    running = Worker(tmp_path / "worker.log", concurrency=4, KILLS=str(kills))
    wait_for(_worker_answers, within=60)
    yield running
    running.kill()


def _worker_answers() -> Any:
    return current_app.control.ping(timeout=1)


def start(places, number: int) -> Execution:
    """A drill of two waves, the second behind a gate and a timer, alone in its account and
    Region.
    """
    place = PLACES[number]
    account, region = places[place], place[1]
    tiers = [
        groups.create(
            name=f"{tier} {number}",
            account=account,
            region=region,
            tags={"Tier": tier},
            actor=PERSON,
        )
        for tier in ("db", "web")
    ]
    plan = plan_of(
        wave("Databases", tiers[0]),
        wave("Web", tiers[1], depends_on=(1,), gate=True, wait=timedelta(seconds=1)),
        name=f"Plan {number}",
    )
    return drill(plan)


def run_to_end(running: list[Execution], *, within: float) -> None:
    """Open every gate that is waited at, until all have ended. Not before the execution says that
    it waits: a gate that is opened at once needs no pause, and none could be killed in it.
    """

    def ended() -> bool:
        for execution in running:
            waiting = execution.waves.filter(
                state=WaveState.WAITING,
                gate_opened_at=None,
                execution__state=ExecutionState.PAUSED,
            )
            if waiting.exists():
                executions.resume(execution, actor=PERSON)
        left = Execution.objects.active().filter(pk__in=[execution.pk for execution in running])
        return not left.exists()

    def which() -> str:
        left = Execution.objects.filter(state__in=sorted(EXECUTION.active))
        return "; ".join(
            f"{execution.plan_name} {execution.state} {execution.message} "
            f"{list(execution.jobs.values_list('state', 'message'))}"
            for execution in left
        )

    wait_for(ended, within=within, what=which)


def nothing_lost_or_doubled(running: list[Execution]) -> None:
    for execution in running:
        execution.refresh_from_db()
        assert execution.state == ExecutionState.COMPLETED
        assert set(execution.servers.values_list("state", flat=True)) == {ServerState.LAUNCHED}
    assert not LaunchJob.objects.filter(state__in=sorted(JOB.active)).exists()
    assert not ServerClaim.objects.filter(released_at=None).exists()
    assert not GroupHold.objects.filter(released_at=None).exists()
    launched = Counter(
        (account, region, frozenset(entry.server_id for entry in job.participants))
        for account, region in PLACES
        for job in drs_backends[account][region].jobs.values()
    )
    intents = {
        (job.aws_account_id, job.region, frozenset(job.server_ids))
        for job in LaunchJob.objects.all()
    }
    assert set(launched) == intents
    assert set(launched.values()) == {1}


def costs(kills: Path) -> dict[str, float]:
    """By kill, the seconds from the death to the next sign of life about the same thing."""
    seen = [json.loads(line) for line in (kills / "seen.jsonl").read_text().splitlines()]
    found = {}
    for name in json.loads((kills / "wanted.json").read_text()):
        point, key = name.split("|")
        at = next(line["at"] for line in seen if (line["point"], line["key"]) == (point, key))
        later = [line["at"] for line in seen if line["key"] == key and line["at"] > at]
        found[name] = min(later, default=at) - at
    return found


@pytest.mark.parametrize("points", batched(POINTS, 4), ids=",".join)
def test_a_worker_dies_at_every_point(places, kills, tmp_path, beat, points):
    """Four executions at a time, each killed once: more would measure the machine, not us."""
    running = [start(places, number) for number in range(len(points))]
    wanted = {
        f"{point}|{about(point, execution)}": True
        for point, execution in zip(points, running, strict=True)
    }
    (kills / "wanted.json").write_text(json.dumps(wanted))

    worker = Worker(tmp_path / "worker.log", concurrency=4, KILLS=str(kills))
    try:
        run_to_end(running, within=150)
    finally:
        worker.kill()
    nothing_lost_or_doubled(running)
    died = sorted(path.name for path in kills.glob("killed-*"))
    assert died == sorted(f"killed-{name.replace('|', '-')}" for name in wanted)
    taken = costs(kills)
    print({name.split("|")[0]: round(seconds, 1) for name, seconds in taken.items()})  # noqa: T201
    assert max(taken.values()) < LONGEST_COST


@pytest.mark.parametrize(
    "lost", [Kind.DROP_BEFORE, Kind.DROP_AFTER, Kind.TIMEOUT_BEFORE, Kind.TIMEOUT_AFTER]
)
def test_the_answer_to_a_launch_is_lost(places, kills, tmp_path, beat, lost):
    world.settings.hold_seconds = 20
    world.faults.add(Fault(lost, operation="StartRecovery", times=1))
    running = Worker(tmp_path / "w.log", KILLS=str(kills), AWS_READ_TIMEOUT_SECONDS="3")
    try:
        execution = start(places, 0)
        run_to_end([execution], within=90)
        nothing_lost_or_doubled([execution])
    finally:
        running.kill()


def test_the_whole_worker_is_lost_and_another_takes_over(places, kills, tmp_path, beat):
    first = Worker(tmp_path / "first.log", KILLS=str(kills))
    second = None
    try:
        execution = start(places, 0)
        wait_for(lambda: LaunchJob.objects.exclude(drs_job_id="").exists(), within=60)
        second = Worker(tmp_path / "second.log", KILLS=str(kills))
        wait_for(lambda: len(_worker_answers() or ()) == 2, within=60)
        first.kill()
        died_at = time.time()
        run_to_end([execution], within=90)
        nothing_lost_or_doubled([execution])
        seen = [json.loads(line) for line in (kills / "seen.jsonl").read_text().splitlines()]
        again = min(line["at"] for line in seen if line["at"] > died_at)
        assert again - died_at < LONGEST_COST
    finally:
        first.kill()
        if second is not None:
            second.kill()


def test_redis_is_flushed_in_mid_run(places, worker):
    import redis
    from django.conf import settings

    running = [start(places, number) for number in range(3)]
    wait_for(lambda: LaunchJob.objects.exclude(drs_job_id="").exists(), within=60)
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    run_to_end(running, within=90)
    nothing_lost_or_doubled(running)
