"""What was approved, and what waits to be, outlives the portal."""

import pytest

from recovery.errors import OwnExecution
from recovery.models import Execution, RecoveryPlan
from recovery.services import approvals, executions, plans
from recovery.states import ExecutionState, Kind
from tests.factories.recovery import PreflightFactory
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.mirror.test_restore_in_flight import lost_and_rebuilt
from tests.recovery.test_approvals import SECOND
from tests.worlds import (
    PERSON,
    group_of,
    launches,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([server("db-0")])
    made = Store()
    registered()
    plan = plans.create(name="Plan", waves=[wave("first", group_of("db"))], actor=PERSON)
    PreflightFactory.create(plan=plan)
    yield plan
    made.close()


@pytest.mark.parametrize("approved", [False, True])
def test_a_restored_portal_waits_for_what_was_not_given_and_keeps_what_was(plan, driver, approved):
    execution = executions.start(plan, kind=Kind.RECOVERY, confirmation=plan.name, actor=PERSON)
    if approved:
        approvals.approve(execution, comment="Go.", actor=SECOND)
    drain_all()
    lost_and_rebuilt()
    assert RecoveryPlan.objects.get().approval_needed
    execution = Execution.objects.get()
    if not approved:
        for _ in range(3):
            driver.step(execution)
        execution.refresh_from_db()
        assert (execution.state, launches()) == (ExecutionState.AWAITING, [])
        with pytest.raises(OwnExecution):
            approvals.approve(execution, actor=PERSON)
        PreflightFactory.create(plan=execution.plan)
        approvals.approve(execution, comment="Go.", actor=SECOND)
    driver.run(execution)
    assert (execution.state, len(launches())) == (ExecutionState.COMPLETED, 1)
    assert (execution.approved_by, execution.approval_comment) == ("sam", "Go.")
    drain_all()
    both_sides_equal()
