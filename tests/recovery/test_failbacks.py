"""Failing back after a recovery: when it may be asked for, and the whole way of each origin."""

import pytest

from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.services import failbacks
from tests.failing_back import (
    abroad,
    asked,
    asked_for,
    at_home,
    connect_clients,
    from_aws,
    launch_jobs,
    launched_back,
    recovery,
    run,
    states,
)
from tests.worlds import EAST, PERSON, WEST, group_of, plan_of, registered, server, wave, world_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([from_aws("web-1"), from_aws("web-2"), server("prem-1")])
    registered()
    return plan_of(wave("All", group_of("web"), group_of("prem")))


@pytest.fixture
def done(plan, driver):
    """A recovery that has launched everything."""
    execution = driver.run(recovery(plan))
    assert len(abroad()) == 3
    return execution


def test_the_whole_way_back_of_both_origins(done):
    connect_clients(done)
    failback = asked_for(done)
    assert asked("ReverseReplication") == []  # a request asks nothing of AWS
    launched_back(failback)
    assert set(states(failback).values()) == {ReturnState.LAUNCHED}
    assert len(at_home()) == 2
    assert len(abroad()) == 3  # nothing goes before a person says that it works
    assert len(launch_jobs("START_RECOVERY", region=WEST)) == 1
    assert launch_jobs("FAILBACK", region=EAST) == [[done.servers.get(name="prem-1").server_id]]
    failbacks.open_gate(done, gate=Gate.FINISH, comment="they work", actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.COMPLETED
    assert set(states(failback).values()) == {ReturnState.FINISHED}
    assert abroad() == set()
    assert len(at_home()) == 2
