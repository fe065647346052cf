"""Gates of named people through the API: shown, approved, denied, and refused to all others."""

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from recovery.models import Wave
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState, WaveState
from tests.factories.recovery import ExecutionFactory, WaveFactory, plan_of
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
RULE = {"needed": 1, "people": ["ann"], "roles": ["Deciders"]}


@pytest.fixture
def ann(db):
    Group.objects.create(name="Deciders")
    return UserFactory.create(username="ann")


@pytest.fixture
def waiting(ann):
    execution = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.PAUSED)
    kept = {"needed": 1, "people": ["ann"], "roles": [], "escalate_to": [], "on_expiry": "BLOCK"}
    WaveFactory.create(
        execution=execution,
        gate=True,
        gate_rule=kept | {"expires_minutes": 60, "remind_minutes": 0, "escalate_minutes": 0},
        state=WaveState.WAITING,
        gate_reached_at=timezone.now(),
    )
    return execution


def path(execution, what):
    return f"/api/v1/executions/{execution.pk}/{what}"


def test_a_named_person_with_the_permission_opens_it(client_of, waiting, ann):
    client = client_of(grant(ann, PlanPermission.APPROVE, on=waiting.plan))
    answer = client.post(path(waiting, "approve"), {"position": 1, "comment": "Fine."})
    assert answer.status_code == 202, answer.content
    shown = client.get(f"/api/v1/executions/{waiting.pk}").json()["waves"][0]["gate"]
    assert (shown["waiting"], shown["opened_by"]) == (False, "ann")
    assert (shown["rule"]["needed"], shown["rule"]["people"]) == (1, ["ann"])
    (decision,) = shown["decisions"]
    assert (decision["person"], decision["approved"], decision["comment"]) == ("ann", True, "Fine.")


def test_a_denial_is_one_for_good(client_of, waiting, ann):
    client = client_of(grant(ann, PlanPermission.APPROVE, on=waiting.plan))
    assert client.post(path(waiting, "reject"), {"position": 1}).status_code == 400
    said = {"position": 1, "reason": "Not now."}
    assert client.post(path(waiting, "reject"), said).status_code == 202
    again = client.post(path(waiting, "approve"), {"position": 1})
    assert (again.status_code, again.json()["code"]) == (409, "recovery.gate_is_shut")


@pytest.mark.parametrize(
    ("what", "body", "code"),
    [
        ("resume", {"position": 1}, "recovery.gate_needs_approvals"),
        ("resume", {}, "recovery.gate_needs_approvals"),
        ("approve", {"position": 1}, "recovery.not_an_approver"),
        ("approve", {"position": 2}, "recovery.no_such_wave"),
        ("approve", {}, "recovery.not_awaiting_approval"),
        ("approve", {"position": 1, "override_preflight": True}, "invalid"),
        ("reject", {"position": 1, "reason": "x"}, "recovery.not_an_approver"),
    ],
)
def test_nobody_else_does_not_even_a_superuser(root, waiting, world, what, body, code):
    with world.unchanged():
        answer = root.post(path(waiting, what), body)
    assert answer.status_code in {400, 403, 404, 409}
    assert answer.json()["code"] == code


def test_to_be_named_is_not_to_be_allowed(client_of, waiting, ann, world):
    client = client_of(grant(ann, PlanPermission.STEER, on=waiting.plan))
    with world.unchanged():
        answer = client.post(path(waiting, "approve"), {"position": 1})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert Wave.objects.get().gate_opened_at is None


def test_a_plan_names_them_and_keeps_them(root, ann):
    plan = plan_of()
    group = str(plan.waves.get().groups.get().pk)
    where = f"/api/v1/recovery-plans/{plan.pk}"
    wave = {"name": "one", "group_ids": [group], "gate": True, "gate_rule": RULE}
    answer = root.patch(where, {"waves": [wave]})
    assert answer.status_code == 200, answer.content
    said = root.get(where).json()["waves"][0]["gate_rule"]
    assert said == RULE | {
        "expires_minutes": 0,
        "on_expiry": "WAIT",
        "remind_minutes": 0,
        "escalate_minutes": 0,
        "escalate_to": [],
    }
    (changed,) = root.get(f"{where}/versions/2").json()["changes"]["waves"]
    assert "gate_rule" in {change["field"] for change in changed["changes"]}
    wrong = wave | {"gate_rule": RULE | {"people": ["zoe"]}}
    (error,) = root.patch(where, {"waves": [wrong]}).json()["errors"]
    assert (error["field"], error["code"]) == ("waves[0].gate_rule", "unknown_approver")
    missing = wave | {"gate_rule": {"people": ["ann"]}}
    assert root.patch(where, {"waves": [missing]}).status_code == 400
