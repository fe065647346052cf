"""Failing back through the API: who may, what is answered, and what a refusal leaves as it was."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from recovery.failback_states import FailbackState, ReturnState
from recovery.models import Execution, Failback
from recovery.permissions import PlanPermission
from recovery.states import Kind
from tests.factories.failbacks import FailbackInstanceFactory, returning
from tests.factories.recovery import WaveServerFactory
from tests.factories.terminations import launched
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db


def address(execution: Execution, what: str = "") -> str:
    return f"/api/v1/executions/{execution.pk}/failback{what}"


def body(execution: Execution) -> dict[str, str]:
    return {"reason": " the fire is out ", "confirmation": execution.plan_name}


def steered(execution: Execution) -> dict[str, dict]:
    """Every path that changes something, with a body that makes sense."""
    server = execution.servers.order_by("name")[0]
    return {
        "": body(execution),
        "/open-gate": {"gate": "LAUNCH"},
        "/leave-out": {"server_ids": [server.server_id], "reason": "x"},
        "/cancel": {},
    }


@pytest.fixture
def execution(db) -> Execution:
    return launched(Kind.RECOVERY)


def test_it_answers_at_once_and_says_where_to_look(root, execution):
    status = root.get(address(execution)).json()
    assert (status["can_fail_back"], status["instances_left"]) == (True, 2)
    response = root.post(address(execution), body(execution))
    assert response.status_code == 202
    said, where = response.json(), response.headers["Location"]
    assert where.endswith(address(execution))
    assert (said["state"], said["reason"]) == ("REVERSING", "the fire is out")
    assert said["counts"]["WAITING"] == len(said["instances"]) == 2
    row = said["instances"][0]
    for unknown in ("origin", "lag_seconds", "replication_state", "looked_at", "eta_at"):
        assert row[unknown] is None, unknown  # what nobody has told is not zero
    status = root.get(where).json()
    assert status["latest"]["id"] == said["id"]
    assert status["why_not"]["code"] == "recovery.failback_under_way"
    assert root.post(address(execution), body(execution)).status_code == 409


def test_it_takes_a_permission_of_its_own(client_of, world, execution):
    others = [held for held in PlanPermission if held != PlanPermission.FAIL_BACK]
    narrow = grant(UserFactory.create(), *others, on=execution.plan)
    assert client_of(narrow).get(address(execution)).status_code == 200
    for path, wanted in steered(execution).items():
        with world.unchanged():
            response = client_of(narrow).post(address(execution, path), wanted)
        assert (response.status_code, response.json()["code"]) == (403, "forbidden"), path
    enough = grant(UserFactory.create(), PlanPermission.FAIL_BACK, on=execution.plan)
    assert client_of(enough).post(address(execution), body(execution)).status_code == 202


def test_what_one_may_not_see_is_not_there(client_of, world, execution):
    person = grant(UserFactory.create(), *PlanPermission, on=launched(Kind.RECOVERY).plan)
    for path, wanted in steered(execution).items():
        with world.unchanged():
            assert client_of(person).post(address(execution, path), wanted).status_code == 404
            assert APIClient().post(address(execution, path), wanted).status_code == 401
    with world.unchanged():
        assert client_of(person).get(address(execution)).status_code == 404


@pytest.mark.parametrize(
    ("wanted", "code", "status"),
    [
        ({"confirmation": "another"}, "recovery.failback_not_confirmed", 400),
        ({"reason": " "}, "invalid", 400),
        ({"force": True}, "invalid", 400),
        ({"reason": 5}, "invalid", 400),
    ],
)
def test_a_request_that_is_not_meant_is_refused(root, world, execution, wanted, code, status):
    with world.unchanged():
        response = root.post(address(execution), body(execution) | wanted)
    assert response.status_code == status
    assert response.json()["code"] == code


def test_a_drill_is_never_failed_back(root, world):
    execution = launched(Kind.DRILL)
    with world.unchanged():
        response = root.post(address(execution), body(execution))
    assert response.json()["code"] == "recovery.failback_after_recovery_only"
    assert root.get(address(execution)).json()["can_fail_back"] is False


def test_the_gate_opens_when_everything_is_ready(root, world, execution):
    failback = returning(execution, FailbackState.WATCHING, app_2=ReturnState.REPLICATING)
    with world.unchanged():
        response = root.post(address(execution, "/open-gate"), {"gate": "LAUNCH"})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.failback_not_ready")
    assert "app-2" in response.json()["detail"]
    failback.instances.update(state=ReturnState.READY)
    assert root.get(address(execution)).json()["latest"]["waits_at"] == "LAUNCH"
    said = root.post(address(execution, "/open-gate"), {"gate": "LAUNCH", "comment": "go"}).json()
    assert (said["launch_opened_by"], said["launch_comment"]) == ("root", "go")
    with world.unchanged():
        response = root.post(address(execution, "/open-gate"), {"gate": "FINISH"})
    assert response.json()["code"] == "recovery.failback_gate_not_reached"


def test_servers_are_left_out_and_the_failback_is_cancelled(root, world, execution):
    returning(execution, FailbackState.WATCHING, app_2=ReturnState.LAUNCHED)
    first, second = execution.servers.order_by("name")
    for ids, code in (
        (["s-1"], "recovery.not_in_the_failback"),
        ([second.server_id], "recovery.launched_back"),
    ):
        with world.unchanged():
            wanted = {"server_ids": ids, "reason": "x"}
            assert root.post(address(execution, "/leave-out"), wanted).json()["code"] == code
    wanted = {"server_ids": [first.server_id], "reason": "it burnt"}
    said = root.post(address(execution, "/leave-out"), wanted).json()
    assert said["counts"]["LEFT_OUT"] == 1
    said = root.post(address(execution, "/cancel"), {"reason": "no"}).json()
    assert (said["cancel_requested_by"], said["cancel_reason"]) == ("root", "no")
    Failback.objects.all().delete()
    with world.unchanged():
        assert root.post(address(execution, "/cancel"), {}).json()["code"] == "recovery.no_failback"


def test_many_instances_cost_as_many_queries_as_few(root):
    few, many = launched(Kind.RECOVERY), launched(Kind.RECOVERY)
    returning(few, FailbackState.WATCHING)
    failback = returning(many, FailbackState.WATCHING)
    for _ in range(30):
        server = WaveServerFactory.create(wave=many.waves.get())
        FailbackInstanceFactory.create(job=None, failback=failback, server=server)
    root.get(address(few))
    with CaptureQueriesContext(connection) as one:
        root.get(address(few))
    with CaptureQueriesContext(connection) as thirty:
        root.get(address(many))
    assert len(one) == len(thirty)
