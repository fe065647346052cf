"""What checks found outlives the portal, and no command is sent twice by its loss."""

from datetime import timedelta

import pytest

from drportal.simulator.world import world
from recovery.models import Execution, ServerCheck
from recovery.states import ExecutionState, ServerCheckState, ServerState
from tests.checking import CheckingDriver, look, sent
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.mirror.test_restore_in_flight import lost_and_rebuilt
from tests.worlds import drill, group_of, plan_of, registered, server, wave, world_of

pytestmark = pytest.mark.django_db(transaction=True)
SSM = {"name": "Ping", "kind": "SSM"}
STATUS = {"name": "EC2", "kind": "EC2_STATUS"}


@pytest.fixture
def plan(aws):
    world_of([server("db-0")])
    world.guests.add("db-0", initializing=timedelta(minutes=15), outcome="InProgress")
    made = Store()
    registered()
    yield plan_of(wave("first", group_of("db"), checks=[SSM, STATUS]))
    made.close()


@pytest.mark.parametrize("told", [True, False], ids=["the mirror knows", "the mirror is behind"])
def test_a_command_that_was_sent_is_found_after_a_restore_and_not_sent_again(plan, told):
    execution = drill(plan)
    driver = CheckingDriver()
    if not told:
        drain_all()
    driver.run(execution, until=lambda _: sent() == 1)
    if told:
        drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    world.guests.add("db-0")
    driver.run(execution)
    assert (execution.state, sent()) == (ExecutionState.COMPLETED, 1)
    assert execution.servers.get().state == ServerState.READY
    assert set(ServerCheck.objects.values_list("state", flat=True)) == {ServerCheckState.PASSED}
    look()
    drain_all()
    both_sides_equal()
