"""What people asked of an execution outlives the portal."""

import pytest

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.models import Execution
from recovery.services import plans, retries, steering, wave_overrides
from recovery.services.plan_documents import spec_of
from recovery.states import ExecutionState, ServerState
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.mirror.test_restore_in_flight import lost_and_rebuilt
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
def plan(aws):
    world_of([server("db-0"), server("web-0"), server("web-1")])
    made = Store()
    registered()
    yield plan_of(wave("first", group_of("db")), wave("second", group_of("web"), depends_on=(1,)))
    made.close()


def plan_said(plan):
    spec = spec_of(plan)
    return {"name": spec.name, "waves": spec.waves}


def paused(found):
    return found.state == ExecutionState.PAUSED


def test_a_pause_holds_after_a_restore_and_can_be_lifted(plan, driver):
    execution = drill(plan)
    steering.pause(execution, reason="Look first.", actor=PERSON)
    steering.leave_out(
        execution,
        position=2,
        server_ids=[known("web-1").server_id],
        reason="It is retired.",
        actor=PERSON,
    )
    driver.run(execution, until=paused)
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    assert (execution.pause_requested_by, execution.pause_reason) == ("pat", "Look first.")
    for _ in range(3):
        driver.step(execution)
    execution.refresh_from_db()
    assert (execution.state, launches()) == (ExecutionState.PAUSED, [])
    steering.lift_pause(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    left_out = execution.servers.get(name="web-1")
    assert (left_out.state, left_out.message) == ("LEFT_OUT", "Left out by pat: It is retired.")
    drain_all()
    both_sides_equal()


def test_what_was_overridden_before_a_wave_is_so_after_a_restore(plan, driver):
    plan = plans.edit(plan, **{**plan_said(plan), "preflight_before_waves": True}, actor=PERSON)
    execution = drill(plan)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs"))
    driver.step(execution)
    wave_overrides.override(execution, position=1, reason="It is lost.", actor=PERSON)
    drain_all()
    world.faults.clear()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    assert execution.preflight_before_waves
    row = execution.waves.get(position=1).preflight
    assert (row.overridden, row.overridden_by) == (["held", "quotas"], "pat")
    assert (row.override_reason, row.asked_at) == ("It is lost.", None)
    driver.run(execution)
    assert len(launches()) == 2
    drain_all()
    both_sides_equal()


def test_a_retry_is_carried_out_after_a_restore_and_launches_once(plan, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-0").server_id, times=1))
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.FAILED
    retries.retry(execution, position=1, actor=PERSON)
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    assert execution.servers.get(name="db-0").attempt == 2
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert set(states(execution).values()) == {ServerState.LAUNCHED}
    assert sum(known("db-0").server_id in call.server_ids for call in launches()) == 2
    assert sum(known("web-0").server_id in call.server_ids for call in launches()) == 1


def test_a_retry_that_the_mirror_saw_queued_only_is_not_repeated(plan, driver):
    """DRS has started it, even ended it; the mirror had not been told."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-0").server_id, times=1))
    execution = drill(plan)
    driver.run(execution)
    retries.retry(execution, position=1, actor=PERSON)
    drain_all()
    driver.run(execution, until=lambda _: len(launches()) == 2)
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert sum(known("db-0").server_id in call.server_ids for call in launches()) == 2
