"""Cleaning up through the API: who may, what is answered, and what a refusal leaves as it was."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from recovery.models import Execution
from recovery.permissions import PlanPermission
from recovery.states import (
    EXECUTION,
    InstanceOutcome,
    JobState,
    Kind,
    ServerState,
)
from tests.factories.recovery import LaunchJobFactory, WaveServerFactory
from tests.factories.terminations import TerminationInstanceFactory, ended, launched
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
NEEDED = {Kind.DRILL: PlanPermission.TERMINATE, Kind.RECOVERY: PlanPermission.TERMINATE_RECOVERY}


def address(execution: Execution, what: str) -> str:
    return f"/api/v1/executions/{execution.pk}/{what}"


def body(execution: Execution) -> dict[str, str]:
    return {"confirmation": execution.plan_name} if execution.kind == Kind.RECOVERY else {}


@pytest.mark.parametrize("path", ["terminate", "terminate-instances"])
def test_it_answers_at_once_and_says_where_to_look(root, path):
    execution = launched()
    response = root.post(address(execution, path), {"reason": " over "})
    assert response.status_code == 202
    said = response.json()
    where = response.headers["Location"]
    assert where.endswith(address(execution, "termination-status"))
    assert (said["state"], said["reason"], said["requested_by"]) == ("RUNNING", "over", "root")
    assert (said["instances"]["total"], said["instances"]["waiting"]) == (2, 2)
    assert {each["state"] for each in said["outcomes"]} == {"WAITING"}
    status = root.get(where).json()
    assert status["latest"]["id"] == said["id"]
    assert (status["can_terminate"], status["instances_left"]) == (False, 2)
    assert status["why_not"]["code"] == "recovery.termination_under_way"


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_has_a_permission_of_its_own(client_of, world, kind):
    execution = launched(kind)
    others = [held for held in PlanPermission if held != NEEDED[kind]]
    narrow = grant(UserFactory.create(), *others, on=execution.plan)
    for path in ("terminate", "terminate-instances"):
        with world.unchanged():
            response = client_of(narrow).post(address(execution, path), body(execution))
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")
    enough = grant(UserFactory.create(), NEEDED[kind], on=execution.plan)
    response = client_of(enough).post(address(execution, "terminate"), body(execution))
    assert response.status_code == 202


@pytest.mark.parametrize("what", ["terminate", "termination-status", "recovery-instances"])
def test_what_one_may_not_see_is_not_there(client_of, world, what):
    execution = launched()
    person = grant(UserFactory.create(), *PlanPermission, on=launched().plan)
    method = "post" if what == "terminate" else "get"
    with world.unchanged():
        assert getattr(client_of(person), method)(address(execution, what)).status_code == 404
        assert getattr(APIClient(), method)(address(execution, what)).status_code == 401


def test_after_its_plan_is_gone_only_the_wide_permission_counts(client_of, world):
    execution = launched()
    narrow = grant(UserFactory.create(), PlanPermission.TERMINATE, on=execution.plan)
    Execution.objects.update(plan=None)
    seeing = grant(narrow, "recovery.view_execution")
    with world.unchanged():
        assert client_of(seeing).post(address(execution, "terminate"), {}).status_code == 403
    wide = grant(seeing, PlanPermission.TERMINATE)
    assert client_of(wide).post(address(execution, "terminate"), {}).status_code == 202


@pytest.mark.parametrize("said", [None, "", "yes", "PLAN"])
def test_a_recovery_needs_the_plans_name(root, world, said):
    execution = launched(Kind.RECOVERY)
    wanted = {} if said is None else {"confirmation": said}
    with world.unchanged():
        response = root.post(address(execution, "terminate"), wanted)
    assert response.status_code == 400
    assert response.json()["code"] == "recovery.termination_not_confirmed"
    assert execution.plan_name in response.json()["detail"]


@pytest.mark.parametrize("state", sorted(EXECUTION.active))
def test_what_has_not_ended_is_refused(root, world, state):
    execution = launched(state=state)
    with world.unchanged():
        response = root.post(address(execution, "terminate"), {})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.execution_not_ended")
    status = root.get(address(execution, "termination-status")).json()
    assert (status["can_terminate"], status["latest"]) == (False, None)


@pytest.mark.parametrize("state", sorted(EXECUTION.terminal))
def test_every_end_can_be_cleaned_up(root, state):
    assert root.post(address(launched(state=state), "terminate"), {}).status_code == 202


def test_launches_that_still_run_and_nothing_left_are_refused(root, world):
    execution = launched()
    job = LaunchJobFactory.create(wave=execution.waves.get(), state=JobState.QUEUED)
    with world.unchanged():
        response = root.post(address(execution, "terminate"), {})
    assert response.json()["code"] == "recovery.launches_still_run"
    job.delete()
    execution.servers.update(instance_gone_at=timezone.now())
    with world.unchanged():
        response = root.post(address(execution, "terminate"), {})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.nothing_to_terminate")


def test_a_second_request_names_the_one_that_lives(root, world):
    execution = launched()
    first = root.post(address(execution, "terminate"), {}).json()
    with world.unchanged():
        response = root.post(address(execution, "terminate"), {})
    assert response.status_code == 409
    assert response.json()["context"] == {"termination_id": first["id"]}


def test_the_status_says_what_became_of_each_and_keeps_what_was_before(root):  # E-72, E-74
    execution = launched()
    first = ended(execution)
    status = root.get(address(execution, "termination-status")).json()
    assert (status["can_terminate"], status["instances_left"]) == (True, 1)
    assert status["why_not"] is None
    assert status["earlier"] == []
    told = {each["server_name"]: each for each in status["latest"]["outcomes"]}
    assert told["app-1"]["state"] == InstanceOutcome.TERMINATED
    assert (told["app-2"]["state"], told["app-2"]["message"]) == ("FAILED", "it is protected")
    counts = status["latest"]["instances"]
    assert (counts["total"], counts["terminated"], counts["failed"]) == (2, 1, 1)
    second = root.post(address(execution, "terminate"), {}).json()
    assert [each["server_name"] for each in second["outcomes"]] == ["app-2"]
    status = root.get(address(execution, "termination-status")).json()
    assert status["latest"]["id"] == second["id"]
    assert [each["id"] for each in status["earlier"]] == [str(first.pk)]


def test_what_was_launched_is_listed_gone_or_not(root):
    execution = launched()
    ended(execution)
    found = root.get(address(execution, "recovery-instances")).json()["results"]
    assert [each["server_name"] for each in found] == ["app-1", "app-2"]
    assert [each["instance_gone_at"] is None for each in found] == [False, True]
    assert {each["wave"] for each in found} == {1}
    assert found[0]["drs_job_id"].startswith("drsjob-")
    whole = root.get(address(execution, "").rstrip("/")).json()["waves"][0]["servers"]
    assert [each["instance_gone_at"] is None for each in whole] == [False, True]


def test_many_instances_cost_as_many_queries_as_few(root):

    few, many = launched(), launched()
    ended(few)
    termination = ended(many)
    wave, job = many.waves.get(), many.jobs.get()
    for _ in range(30):
        row = WaveServerFactory.create(wave=wave, launch_job=job, state=ServerState.LAUNCHED)
        TerminationInstanceFactory.create(job=termination.jobs.get(), server=row)
        job.server_ids.append(row.server_id)
    job.save()
    for what in ("termination-status", "recovery-instances"):
        root.get(address(few, what))
        with CaptureQueriesContext(connection) as one:
            root.get(address(few, what))
        with CaptureQueriesContext(connection) as thirty:
            root.get(address(many, what))
        assert len(one) == len(thirty)


@pytest.mark.parametrize(
    ("wanted", "field"), [({"force": True}, "force"), ({"reason": 5}, "reason")]
)
def test_a_request_that_makes_no_sense(root, world, wanted, field):
    execution = launched()
    with world.unchanged():
        response = root.post(address(execution, "terminate"), wanted)
    assert response.status_code == 400
    assert response.json()["errors"][0]["field"] == field


def test_an_execution_cannot_be_deleted(root, world):  # E-75
    execution = launched()
    with world.unchanged():
        assert root.delete(address(execution, "").rstrip("/")).status_code == 405
        assert root.delete("/api/v1/executions").status_code == 405
