"""A wave of more servers than a job may hold, in an account and Region where others launch too."""

import pytest

from drportal.simulator import jobs as simulated
from drportal.simulator.models import drs_backends
from drportal.simulator.resources import Participant
from drportal.simulator.world import world
from recovery.states import ExecutionState, JobState, ServerState
from tests.worlds import (
    EAST,
    NORTH,
    drill,
    group_of,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def jobs_of_others(number):
    """Launch jobs of DRS that nobody asked for here, of one server each."""
    backend = drs_backends[NORTH][EAST]
    return [
        simulated.create(
            backend,
            kind="LAUNCH",
            initiated_by="START_DRILL",
            participants=[Participant(f"s-{n:017x}")],
        )
        for n in range(number)
    ]


def test_a_wave_of_250_becomes_three_jobs_that_queue_behind_19_of_others(aws, driver):
    world_of([server(f"app-{n:03}") for n in range(250)])
    registered()
    others = jobs_of_others(19)
    execution = drill(plan_of(wave("Applications", group_of("app"))))

    driver.run(execution, until=lambda found: found.jobs.exclude(drs_job_id="").exists())
    for _ in range(3):
        driver.step(execution)
    first, *queued = execution.jobs.order_by("-state")
    assert first.state == JobState.STARTED
    assert [job.state for job in queued] == [JobState.QUEUED] * 2
    assert len(launches()) == 1, "the twentieth place is one place"
    for job in queued:
        assert "20 of 20 concurrent jobs" in job.message

    for job in others:
        simulated.complete(job, world.clock.now())
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    asked = [call.server_ids for call in launches()]
    assert sorted(map(len, asked)) == [50, 100, 100]
    assert len({one for ids in asked for one in ids}) == 250
    assert set(execution.servers.values_list("state", flat=True)) == {ServerState.LAUNCHED}
