"""A worker dies at every named point of a clean-up, and no instance is forgotten or asked twice."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import transaction

from drportal.actor import PORTAL
from drportal.simulator import scenario
from drportal.simulator.models import drs_backends
from protection.models import TargetAccount
from protection.services import accounts, groups, inventory
from recovery.models import Execution, Termination
from recovery.services import terminations
from recovery.states import EXECUTION, TERMINATION, InstanceOutcome, TerminationState
from tests.journeys.conftest import REGIONS
from tests.journeys.processes import Worker, wait_for
from tests.worlds import EXTERNAL_ID, HUB, NORTH, PERSON, drill, plan_of, role, server, wave

pytestmark = [pytest.mark.journey, pytest.mark.django_db(transaction=True)]

POINTS = [
    ("termination.leased", "termination.intended"),
    ("termination.looked", "termination.answered"),
    ("termination.adopted", "termination.watched"),
    ("termination.released",),
]
PLACES = REGIONS[: len(POINTS)]


@pytest.fixture
def account(aws) -> TargetAccount:
    """An account with two servers in each of some Regions."""
    scenario.load(
        {
            "accounts": [
                {"id": HUB, "hub": True, "initialized": REGIONS},
                {"id": NORTH, "initialized": REGIONS},
            ],
            "roles": [{"arn": role(NORTH), "trust": [HUB], "externalId": EXTERNAL_ID}],
            "servers": [server(f"db-{n}", region=region) for region in PLACES for n in (1, 2)],
        }
    )
    accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PERSON)
    made = accounts.register(account_id=NORTH, name="north", external_id=EXTERNAL_ID, actor=PERSON)
    inventory.sync(actor=PORTAL)
    return made


@pytest.fixture
def worker(tmp_path, beat) -> Iterator[tuple[Worker, Path]]:
    place = tmp_path / "kills"
    place.mkdir()
    running = Worker(tmp_path / "worker.log", concurrency=4, KILLS=str(place))
    yield running, place
    running.kill()


def launched(account: TargetAccount, region: str) -> Execution:
    group = groups.create(
        name=f"db {region}", account=account, region=region, tags={"Tier": "db"}, actor=PERSON
    )
    return drill(plan_of(wave("Databases", group), name=f"Plan {region}"))


def test_a_worker_dies_at_every_point_of_a_clean_up(account, worker):
    _, kills = worker
    running = [launched(account, region) for region in PLACES]
    live = Execution.objects.filter(state__in=sorted(EXECUTION.active))
    wait_for(lambda: not live.exists(), within=90)
    with transaction.atomic():  # no worker sees them before it is said where to die
        asked = [terminations.request(execution, actor=PERSON) for execution in running]
        wanted = {
            f"{point}|{termination.pk}": True
            for points, termination in zip(POINTS, asked, strict=True)
            for point in points
        }
        (kills / "wanted.json").write_text(json.dumps(wanted))

    left = Termination.objects.filter(state__in=sorted(TERMINATION.active))
    wait_for(lambda: not left.exists(), within=120)
    died = sorted(path.name for path in kills.glob("killed-*"))
    assert died == sorted(f"killed-{name.replace('|', '-')}" for name in wanted)
    for region, termination in zip(PLACES, asked, strict=True):
        termination.refresh_from_db()
        assert termination.state == TerminationState.COMPLETED
        backend = drs_backends[NORTH][region]
        assert backend.instances == {}
        jobs = [job for job in backend.jobs.values() if job.type == "TERMINATE"]
        assert [len(job.participants) for job in jobs] == [2]
        ends = set(termination.instances.values_list("state", flat=True))
        assert ends <= {InstanceOutcome.TERMINATED, InstanceOutcome.GONE}
