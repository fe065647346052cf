"""What a poll costs: as much for many launch jobs as for one, and little for what has changed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drportal.simulator.clock import ManualClock
from drportal.simulator.world import world
from recovery.models import JobWatch, LaunchJob, WaveServer
from recovery.services import advance, watch
from recovery.states import JobState, ServerState
from tests.worlds import drill, group_of, plan_of, registered, server, wave, world_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def estate(aws, db) -> None:
    """Groups a to d of one account and Region, of 1, 3, 2 and 20 servers."""
    sizes = {"a": 1, "b": 3, "c": 2, "d": 20}
    world_of(server(f"{tier}-{each}") for tier, size in sizes.items() for each in range(size))
    registered()


def launch(*tiers: str) -> None:
    """A drill of each of these groups, as far as DRS's having begun."""
    for tier in tiers:
        advance.advance(drill(plan_of(wave("One", group_of(tier)), name=tier)).pk)


def poll(*, reads_logs: bool = True) -> int:
    """Poll the one account and Region, and count the statements."""
    now = timezone.now()
    JobWatch.objects.update(due_at=now, leased_until=None)
    LaunchJob.objects.update(log_read_at=None if reads_logs else now)
    with CaptureQueriesContext(connection) as queries:
        watch.poll(JobWatch.objects.get().pk)
    return len(queries)


@pytest.mark.parametrize("reads_logs", [True, False])
def test_a_poll_that_sees_nothing_new_costs_the_same_for_any_number_of_jobs(estate, reads_logs):
    launch("a")
    poll()  # what is new since the launch
    of_one = poll(reads_logs=reads_logs)
    launch("b", "c", "d")
    poll()
    assert poll(reads_logs=reads_logs) == of_one <= 10
    assert LaunchJob.objects.filter(state=JobState.STARTED).count() == 4


def test_what_a_poll_writes_of_a_job_does_not_grow_with_its_servers(estate):
    launch("d")
    costs = []
    while LaunchJob.objects.filter(state=JobState.STARTED).exists():
        assert isinstance(world.clock, ManualClock)
        world.clock.advance(timedelta(seconds=60))
        costs.append(poll())
    assert set(WaveServer.objects.values_list("state", flat=True)) == {ServerState.LAUNCHED}
    assert not WaveServer.objects.filter(facts_at=None).exists()
    assert WaveServer.objects.count() == 20
    assert max(costs) < 40
