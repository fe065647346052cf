"""What was approved, and what waits to be, outlives the portal."""

import pytest
from django.contrib.auth.models import User

from drportal.actor import Actor, Door
from recovery.engine.gates import GateRule
from recovery.errors import OwnExecution
from recovery.models import Execution, GateDecision, RecoveryPlan
from recovery.services import approvals, executions, gates, plans
from recovery.services.plan_documents import spec_of
from recovery.states import ExecutionState, Kind
from tests.factories.recovery import PreflightFactory
from tests.factories.users import UserFactory
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.mirror.test_restore_in_flight import lost_and_rebuilt
from tests.recovery.test_approvals import SECOND
from tests.worlds import (
    PERSON,
    drill,
    group_of,
    launches,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def actor_of(person):
    return Actor.of(person, door=Door.ADMIN)


def gates_of(plan):
    return spec_of(plan).waves[0].gate_rule


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


def test_a_gate_keeps_its_rule_and_what_was_decided_and_people_count_by_name(plan, driver):
    ann, bob = (UserFactory.create(username=name) for name in ("ann", "bob"))
    rule = GateRule(needed=2, people=("ann", "bob"))
    said = wave("first", plan.waves.get().groups.get(), gate=True, gate_rule=rule)
    plans.edit(plan, name="Plan", waves=[said], approval_needed=False, actor=PERSON)
    execution = drill(RecoveryPlan.objects.get())
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    gates.approve(execution, position=1, comment="Fine.", actor=actor_of(ann))
    drain_all()
    lost_and_rebuilt()
    User.objects.all().delete()
    UserFactory.create_batch(3)
    ann, bob = (UserFactory.create(username=name) for name in ("ann", "bob"))
    execution = Execution.objects.get()
    assert gates_of(RecoveryPlan.objects.get()) == rule
    (kept,) = GateDecision.objects.all()
    assert (kept.person, kept.approved, kept.comment) == ("ann", True, "Fine.")
    gates.approve(execution, position=1, actor=actor_of(ann))  # still once
    driver.step(execution)
    assert launches() == []
    gates.approve(execution, position=1, actor=actor_of(bob))
    driver.run(execution)
    assert (execution.state, len(launches())) == (ExecutionState.COMPLETED, 1)
    drain_all()
    both_sides_equal()
