"""Approving and rejecting through the API: who may, when, and that a refusal changes nothing."""

import pytest
from django.utils import timezone

from recovery.models import Execution, Preflight
from recovery.permissions import PlanPermission
from recovery.services import advance, executions
from recovery.states import ExecutionState, Kind
from tests.factories.recovery import PreflightFactory, plan_of
from tests.factories.users import UserFactory, grant
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting():
    """A recovery that somebody else has asked for."""
    plan = plan_of(name="Plan", approval_needed=True)
    return executions.start(plan, kind=Kind.RECOVERY, confirmation="Plan", actor=PERSON)


def path(execution, what):
    return f"/api/v1/executions/{execution.pk}/{what}"


def test_an_approval_is_shown_and_lets_it_begin(client_of, waiting):
    person = grant(UserFactory.create(username="sam"), PlanPermission.APPROVE, on=waiting.plan)
    client = client_of(person)
    shown = client.get(path(waiting, "").rstrip("/")).json()
    assert (shown["state"], shown["approval_needed"], shown["approved_at"]) == (
        "AWAITING",
        True,
        None,
    )
    answer = client.post(path(waiting, "approve"), {"comment": "Go."})
    assert answer.status_code == 202, answer.content
    assert answer.headers["Location"].endswith(f"/executions/{waiting.pk}")
    said = answer.json()
    assert (said["approved_by"], said["approval_comment"]) == ("sam", "Go.")
    advance.advance(waiting.pk)
    waiting.refresh_from_db()
    assert waiting.state == ExecutionState.RUNNING


def test_the_starter_does_not_approve_not_even_a_superuser(root, world):
    plan = plan_of(name="Mine", approval_needed=True)
    body = {"plan_id": str(plan.pk), "kind": "RECOVERY", "confirmation": "Mine"}
    started = root.post("/api/v1/executions", body).json()
    assert started["state"] == "AWAITING"
    execution = Execution.objects.get()
    for what, said in (("approve", {}), ("reject", {"reason": "x"})):
        with world.unchanged():
            answer = root.post(path(execution, what), said)
        assert (answer.status_code, answer.json()["code"]) == (403, "recovery.own_execution")


@pytest.mark.parametrize("what", ["approve", "reject"])
@pytest.mark.parametrize(
    "permission", [PlanPermission.STEER, PlanPermission.RECOVER, PlanPermission.CHANGE]
)
def test_other_permissions_do_not_decide(client_of, waiting, world, what, permission):
    client = client_of(grant(UserFactory.create(), permission, on=waiting.plan))
    with world.unchanged():
        answer = client.post(path(waiting, what), {"reason": "x"} if what == "reject" else {})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_an_old_preflight_and_who_may_override_it(client_of, waiting, world):
    person = grant(UserFactory.create(), PlanPermission.APPROVE, on=waiting.plan)
    Preflight.objects.all().delete()
    with world.unchanged():
        old = client_of(person).post(path(waiting, "approve"))
        both = {"override_preflight": True, "comment": "AWS is away."}
        over = client_of(person).post(path(waiting, "approve"), both)
    assert (old.status_code, old.json()["code"]) == (409, "recovery.preflight_needed")
    assert (over.status_code, over.json()["code"]) == (403, "forbidden")
    person = grant(person, PlanPermission.OVERRIDE_PREFLIGHT, on=waiting.plan)
    assert client_of(person).post(path(waiting, "approve"), both).status_code == 202


def test_a_rejection_needs_a_reason_and_what_does_not_wait_is_refused(root, waiting, world):
    with world.unchanged():
        assert root.post(path(waiting, "reject"), {}).status_code == 400
        assert root.post(path(waiting, "approve"), {"who": "x"}).status_code == 400
    assert root.post(path(waiting, "reject"), {"reason": "Not now."}).status_code == 202
    waiting.refresh_from_db()
    assert waiting.cancel_reason == "Rejected: Not now."
    Execution.objects.update(state="RUNNING", approved_at=timezone.now(), approved_by="x")
    Execution.objects.update(cancel_requested_at=None)
    with world.unchanged():
        answer = root.post(path(waiting, "approve"))
    assert (answer.status_code, answer.json()["code"]) == (409, "recovery.not_awaiting_approval")


def test_a_plan_says_whether_its_recoveries_need_one(root):
    plan = plan_of()
    where = f"/api/v1/recovery-plans/{plan.pk}"
    assert root.get(where).json()["approval_needed"] is False
    assert root.patch(where, {"approval_needed": True}).json()["approval_needed"] is True
    assert root.patch(where, {"owner": "ops"}).json()["approval_needed"] is True
    changes = root.get(f"{where}/versions/2").json()["changes"]["plan"]
    assert {"field": "approval_needed", "before": False, "after": True} in changes
    PreflightFactory.create(plan=type(plan).objects.get())
    body = {"plan_id": str(plan.pk), "kind": "RECOVERY", "confirmation": plan.name}
    assert root.post("/api/v1/executions", body).json()["state"] == "AWAITING"


def test_what_one_may_not_see_is_not_there(client_of, waiting, world):
    client = client_of(grant(UserFactory.create(), PlanPermission.APPROVE, on=plan_of()))
    with world.unchanged():
        assert client.post(path(waiting, "approve")).status_code == 404
        assert client.post(path(waiting, "reject"), {"reason": "x"}).status_code == 404
