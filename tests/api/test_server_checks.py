"""Checks after launch through the API: in plans, in executions, and what people say of them."""

import pytest

from recovery.models import RecoveryPlan
from recovery.states import ServerCheckState, ServerState
from tests.factories.checks import failed_by_its_check
from tests.factories.protection import ProtectionGroupFactory

EXECUTIONS, PLANS = "/api/v1/executions", "/api/v1/recovery-plans"
TCP = {"name": "Port", "kind": "TCP", "port": 5432}
SSM = {"name": "Ping", "kind": "SSM", "parameters": {"commands": ["true"]}, "repeatable": True}
pytestmark = pytest.mark.django_db


def plan_with(*checks):
    group = ProtectionGroupFactory.create()
    return {
        "name": "Payroll",
        "waves": [{"name": "Databases", "group_ids": [str(group.pk)], "checks": list(checks)}],
    }


def test_a_plan_shows_its_checks_whole_and_keeps_them_in_its_versions(root):
    made = root.post(PLANS, plan_with(TCP, SSM)).json()
    first, second = made["waves"][0]["checks"]
    assert (first["port"], first["attempts"], first["required"]) == (5432, 60, True)
    assert (second["parameters"], second["repeatable"]) == ({"commands": ["true"]}, True)
    version = root.get(f"{PLANS}/{made['id']}/versions/1").json()
    assert version["document"]["waves"][0]["checks"] == [first, second]


@pytest.mark.parametrize(
    ("check", "field", "code"),
    [
        ({**TCP, "path": "/"}, "waves[0].checks[0].path", "unknown_field"),
        ({**SSM, "document": "no such!"}, "waves[0].checks[0].document", "invalid"),
        (
            {**TCP, "time_limit_seconds": 7200},
            "waves[0].checks[0].time_limit_seconds",
            "longer_than_wave",
        ),
    ],
)
def test_what_a_check_may_not_say_is_refused_where_it_stands(root, world, check, field, code):
    said = plan_with(check)
    with world.unchanged():
        response = root.post(PLANS, said)
    assert response.status_code == 400, response.json()
    error = response.json()["errors"][0]
    assert (error["field"], error["code"]) == (field, code)
    assert not RecoveryPlan.objects.exists()


def test_an_execution_tells_of_the_checks_of_each_server(root):
    execution, server = failed_by_its_check()
    wave = root.get(f"{EXECUTIONS}/{execution.pk}").json()["waves"][0]
    assert wave["checks"][0]["kind"] == "TCP"
    (check,) = wave["servers"][0]["checks"]
    assert (check["state"], check["attempts"], check["attempts_allowed"]) == ("FAILED", 3, 60)
    assert wave["servers"][0]["launched_at"] is not None
    assert server.checks.count() == 1


def test_checking_again_and_passing_by_hand_answer_at_once(root):
    execution, server = failed_by_its_check()
    path = f"{EXECUTIONS}/{execution.pk}"
    response = root.post(f"{path}/check-again", {"position": 1, "reason": "Open now"})
    assert (response.status_code, response.json()["state"]) == (202, "RUNNING")
    check = server.checks.get()
    assert check.state == ServerCheckState.WAITING
    body = {"check_id": str(check.pk), "reason": "I logged in"}
    assert root.post(f"{path}/pass-check", body).status_code == 202
    server.refresh_from_db()
    assert server.state == ServerState.READY
    again = root.post(f"{path}/pass-check", body)
    assert (again.status_code, again.json()["code"]) == (409, "recovery.check_has_passed")


def test_what_runs_is_not_launched_by_a_retry(root, world):
    execution, _ = failed_by_its_check()
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{execution.pk}/retry", {"position": 1})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.instance_runs")
