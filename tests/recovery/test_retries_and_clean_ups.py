"""Launching again and cleaning up, of one execution: never both at once, each after the other."""

import pytest

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.errors import ExecutionNotEnded, TerminationUnderWay
from recovery.models import Execution, LaunchJob, Termination, WaveServer
from recovery.services import retries, terminations
from recovery.states import ExecutionState, InstanceOutcome, ServerState
from tests.clean_ups import asked_for, carried_out, outcomes
from tests.worlds import (
    PERSON,
    drill,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    server,
    states,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failed(aws, driver) -> Execution:
    """An execution that ended PARTIAL: one of two databases failed."""
    world_of([server("db-1"), server("db-2")])
    registered()
    plan = plan_of(wave("Databases", group_of("db")))
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution: Execution = driver.run(drill(plan))
    assert execution.state == ExecutionState.PARTIAL
    return execution


def test_nothing_is_launched_again_while_a_clean_up_lives(failed):
    terminations.request(failed, actor=PERSON)
    sent = len(launches())
    with pytest.raises(TerminationUnderWay):
        retries.retry(failed, position=1, actor=PERSON)
    failed.refresh_from_db()
    assert failed.state == ExecutionState.PARTIAL
    assert states(failed) == {"db-1": ServerState.FAILED, "db-2": ServerState.LAUNCHED}
    assert (LaunchJob.objects.count(), len(launches())) == (1, sent)


def test_nothing_is_cleaned_up_while_a_retry_lives(failed):
    retries.retry(failed, position=1, actor=PERSON)
    with pytest.raises(ExecutionNotEnded):
        terminations.request(failed, actor=PERSON)
    assert not Termination.objects.exists()


def test_what_a_retry_launched_is_cleaned_up_with_the_rest(failed, driver):
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED
    carried_out(asked_for(failed))
    assert terminations.standing(failed).left == []
    assert failed.servers.exclude(instance_gone_at=None).count() == 2


def test_after_a_clean_up_what_failed_may_be_launched_and_cleaned_up_again(failed, driver):
    carried_out(asked_for(failed))
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    row = failed.servers.get(name="db-1")
    assert (row.state, row.instance_gone_at) == (ServerState.LAUNCHED, None)
    assert [left.server.name for left in terminations.standing(failed).left] == ["db-1"]
    carried_out(asked_for(failed))
    assert terminations.standing(failed).left == []


def test_what_an_earlier_attempt_may_have_left_is_cleaned_up_too(failed, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    row = failed.servers.get(name="db-1")
    assert (row.state, row.attempt, row.recovery_instance_id) == (ServerState.FAILED, 2, "")
    assert {left.server.name for left in terminations.standing(failed).left} == {"db-1", "db-2"}
    found = carried_out(asked_for(failed))
    assert outcomes(found) == {"db-1": InstanceOutcome.GONE, "db-2": InstanceOutcome.TERMINATED}


def test_every_column_of_a_server_is_either_what_it_is_or_set_anew_by_a_retry():
    """A fact of the last attempt, whichever is added, must not be shown of the next."""
    what_it_is = {"id", "execution", "wave", "account_id", "region", "server_id", "name", "os"}
    what_it_is |= {"group_name", "critical", "in_scope"}
    what_it_is |= {"chosen_point_id", "chosen_point_at"}  # a retry keeps its recovery point
    columns = {field.name for field in WaveServer._meta.concrete_fields}
    assert columns - what_it_is == retries.ANEW.keys() | {"state", "attempt"}
