"""Gates that named people open: who counts, what opens them, and what becomes of them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core import management
from django.utils import timezone

from audit.models import AuditRecord
from drportal.actor import Actor, ActorKind, Door
from drportal.errors import InvalidInput
from recovery.engine.gates import GateRule
from recovery.errors import (
    ApproversGone,
    GateIsShut,
    GateNeedsApprovals,
    GateNeedsNoApprovals,
    GateNotReached,
    NotAnApprover,
    ReasonNeeded,
)
from recovery.models import Execution, Notice, Wave
from recovery.permissions import PlanPermission
from recovery.services import advance, deliveries, gates, plan_checks, plans, reminders, steering
from recovery.services.plan_documents import spec_of
from recovery.states import ExecutionState, WaveState
from tests.factories.protection import ProtectionGroupFactory
from tests.factories.recovery import ExecutionFactory, PreflightFactory, WaveFactory
from tests.factories.users import UserFactory, grant
from tests.worlds import PERSON, drill

pytestmark = pytest.mark.django_db


def actor_of(person):
    return Actor.of(person, door=Door.ADMIN)


@pytest.fixture
def people():
    """Two who are named, one who has a role that is, and one who is a stranger."""
    role = Group.objects.create(name="Deciders")
    found = {
        name: UserFactory.create(username=name, email=f"{name}@example.com")
        for name in ("ann", "bob", "cat", "eve")
    }
    found["cat"].groups.add(role)
    return found


def rule(**more):
    return GateRule(**{"needed": 2, "people": ("ann", "bob"), "roles": ("Deciders",), **more})


def waiting(rule_=None, **more):
    """An execution whose only wave waits at its gate."""
    execution = ExecutionFactory.create(state=ExecutionState.PAUSED, started_at=timezone.now())
    WaveFactory.create(
        execution=execution,
        gate=True,
        gate_rule=(rule_ or rule()).as_dict(),
        state=WaveState.WAITING,
        **{"gate_reached_at": timezone.now(), **more},
    )
    return execution


def test_enough_of_the_named_people_open_it_each_counting_once(people):
    execution = waiting()
    for _ in range(2):
        gates.approve(execution, position=1, comment="Fine.", actor=actor_of(people["ann"]))
    wave = Wave.objects.get()
    assert (wave.gate_opened_at, wave.decisions.count()) == (None, 1)
    gates.approve(execution, position=1, actor=actor_of(people["cat"]))  # by her role
    wave.refresh_from_db()
    assert wave.gate_opened_at is not None
    assert wave.gate_opened_by == "ann, cat"
    told = list(execution.events.values_list("message", flat=True))
    assert told == [
        "Gate before wave 1 (wave 1) approved by ann, 1 of 2: Fine.",
        "Gate before wave 1 (wave 1) approved by cat, 2 of 2.",
        "Gate before wave 1 (wave 1) is open: approved by ann, cat.",
    ]
    records = AuditRecord.objects.filter(event="recovery.gate.approved").order_by("pk")
    assert [row.actor_name for row in records] == ["ann", "cat"]
    with pytest.raises(GateNotReached):
        gates.approve(execution, position=1, actor=actor_of(people["bob"]))


def test_strangers_clients_and_whoever_may_steer_open_nothing(people):
    execution = waiting()
    before = Wave.objects.values().get()
    for actor in (
        actor_of(people["eve"]),
        Actor(ActorKind.API_CLIENT, "ann", Door.API),  # called like one of them, but nobody
    ):
        with pytest.raises(NotAnApprover):
            gates.approve(execution, position=1, actor=actor)
        with pytest.raises(NotAnApprover):
            gates.deny(execution, position=1, reason="x", actor=actor)
    for position in (1, None):
        for person in ("eve", "ann"):
            with pytest.raises(GateNeedsApprovals):
                steering.resume(execution, position=position, actor=actor_of(people[person]))
    assert Wave.objects.values().get() == before
    assert not execution.events.exists()


def test_resuming_all_opens_those_that_need_nobodys_approval(people):
    execution = waiting()
    free = WaveFactory.create(execution=execution, position=2, gate=True, state=WaveState.WAITING)
    steering.resume(execution, actor=PERSON)
    opened = set(Wave.objects.exclude(gate_opened_at=None).values_list("pk", flat=True))
    assert opened == {free.pk}
    Wave.objects.update(gate_opened_at=None)
    with pytest.raises(GateNeedsNoApprovals):
        gates.approve(execution, position=2, actor=actor_of(people["ann"]))


def test_who_is_gone_never_counts_also_not_for_what_they_approved(people):
    execution = waiting()
    gates.approve(execution, position=1, actor=actor_of(people["ann"]))
    people["ann"].is_active = False
    people["ann"].save()
    with pytest.raises(NotAnApprover):
        gates.approve(execution, position=1, actor=actor_of(people["ann"]))
    gates.approve(execution, position=1, actor=actor_of(people["bob"]))
    assert Wave.objects.get().gate_opened_at is None
    gates.approve(execution, position=1, actor=actor_of(people["cat"]))
    assert Wave.objects.get().gate_opened_by == "bob, cat"


@pytest.mark.parametrize(
    ("on_expiry", "execution_state", "wave_state"),
    [
        ("WAIT", ExecutionState.FAILED, WaveState.BLOCKED),
        ("BLOCK", ExecutionState.FAILED, WaveState.BLOCKED),
        ("CANCEL", ExecutionState.CANCELLED, WaveState.CANCELLED),
    ],
)
def test_one_denial_shuts_it(people, on_expiry, execution_state, wave_state):
    execution = waiting(rule(on_expiry=on_expiry, expires_minutes=60))
    gates.approve(execution, position=1, actor=actor_of(people["ann"]))
    with pytest.raises(ReasonNeeded):
        gates.deny(execution, position=1, reason=" ", actor=actor_of(people["ann"]))
    gates.deny(execution, position=1, reason="Not now.", actor=actor_of(people["ann"]))
    with pytest.raises(GateIsShut):
        gates.approve(execution, position=1, actor=actor_of(people["cat"]))
    advance.advance(execution.pk)
    execution.refresh_from_db()
    wave = Wave.objects.get()
    assert (execution.state, wave.state) == (execution_state, wave_state)
    assert "Denied by ann: Not now." in (execution.cancel_reason or wave.message)
    assert wave.gate_opened_at is None
    assert Notice.objects.filter(kind="GATE_SHUT").count() == 1


@pytest.mark.parametrize("on_expiry", ["WAIT", "BLOCK", "CANCEL"])
def test_what_nobody_opens_in_time_has_the_chosen_consequence_and_never_opens(people, on_expiry):
    late = timezone.now() - timedelta(minutes=61)
    execution = waiting(rule(on_expiry=on_expiry, expires_minutes=60), gate_reached_at=late)
    if on_expiry != "WAIT":
        with pytest.raises(GateIsShut):
            gates.approve(execution, position=1, actor=actor_of(people["ann"]))
    advance.advance(execution.pk)
    execution.refresh_from_db()
    wave = Wave.objects.get()
    expected = {"WAIT": "WAITING", "BLOCK": "BLOCKED", "CANCEL": "CANCELLED"}[on_expiry]
    assert (wave.state, wave.gate_opened_at) == (expected, None)
    if on_expiry == "WAIT":
        assert (execution.state, execution.due_at) == (ExecutionState.PAUSED, None)
    else:
        told = execution.cancel_reason or wave.message
        assert "Within 60 minutes it got 0 of 2 approvals." in told
        assert AuditRecord.objects.filter(event="recovery.gate.shut").count() == 1


def test_a_gate_that_expires_is_looked_at_again_just_then(people):
    execution = waiting(rule(on_expiry="BLOCK", expires_minutes=60))
    advance.advance(execution.pk)
    execution.refresh_from_db()
    reached = Wave.objects.get().gate_reached_at
    assert (execution.state, execution.leased_until) == (ExecutionState.PAUSED, None)
    assert reached is not None
    assert execution.due_at == reached + timedelta(minutes=60)


def plan_with(rule_, **more):
    group = ProtectionGroupFactory.create()
    wave = plans.WaveSpec("one", (group.pk,), gate=True, gate_rule=rule_, **more)
    return plans.create(name="Plan", waves=[wave], approval_needed=False, actor=PERSON)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"people": ("ann", "zoe")}, "unknown_approver"),
        ({"roles": ("Nobodies",)}, "unknown_approver"),
        ({"people": (), "roles": ()}, "nobody_named"),
        ({"needed": 4}, "too_few_approvers"),
        ({"on_expiry": "BLOCK"}, "invalid"),
        ({"on_expiry": "OPEN", "expires_minutes": 5}, "invalid"),
        ({"escalate_minutes": 5}, "invalid"),
        ({"escalate_to": ("nobody at all",)}, "unknown_address"),
    ],
)
def test_a_rule_that_makes_no_sense_is_not_saved(people, wrong, code):
    with pytest.raises(InvalidInput) as refusal:
        plan_with(rule(**wrong))
    assert [(error["field"], error["code"]) for error in refusal.value.errors] == [
        ("waves[0].gate_rule", code)
    ]


def test_a_plan_whose_people_are_gone_says_so_and_is_not_started(people):
    plan = plan_with(rule(roles=(), escalate_minutes=30, escalate_to=("ann", "x@example.com")))
    said = spec_of(plan).waves[0].gate_rule
    assert said is not None
    assert said.people == ("ann", "bob")
    PreflightFactory.create(plan=plan)
    people["bob"].delete()
    checked = plan_checks.check(spec_of(plan), plan=plan, user=people["ann"])
    found = {row.code for look in checked.waves for row in look.findings}
    assert {"approvers_gone", "gate_cannot_open"} <= found
    with pytest.raises(ApproversGone, match="needs 2 approvals"):
        drill(plan)
    assert not Execution.objects.exists()


def test_the_people_are_told_reminded_by_their_own_interval_and_others_after_a_while(people):
    late = timezone.now() - timedelta(minutes=11)
    told = rule(remind_minutes=5, escalate_minutes=10, escalate_to=("eve", "boss@example.com"))
    execution = waiting(told, gate_reached_at=late)
    for person in people.values():
        grant(person, PlanPermission.VIEW)
    for _ in range(2):
        reminders.remind()
    deliveries.address_new()
    sent = {
        notice.kind: sorted(notice.deliveries.values_list("address", flat=True))
        for notice in Notice.objects.all()
    }
    assert sent == {
        "WAITING": ["ann@example.com", "bob@example.com", "cat@example.com"],
        "ESCALATED": ["boss@example.com", "eve@example.com"],
    }
    assert Notice.objects.get(kind="WAITING").number == 2
    assert execution.pk


def test_by_command_with_the_wave(people):
    execution = waiting(rule(needed=1))
    command = ("executions", "approve", str(execution.pk), "--as", "ann", "--wave", "1")
    with pytest.raises(management.CommandError):
        management.call_command(*command)
    assert Wave.objects.get().gate_opened_at is None
    grant(people["ann"], PlanPermission.APPROVE)
    management.call_command(*command)
    assert Wave.objects.get().gate_opened_by == "ann"
