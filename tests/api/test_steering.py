"""What people ask of an execution through the API: written down, answered at once."""

from datetime import timedelta

import pytest
from django.utils import timezone

from recovery.states import ExecutionState, ServerState, WaveState
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory

EXECUTIONS = "/api/v1/executions"
pytestmark = pytest.mark.django_db


@pytest.fixture
def running():
    """An execution with a wave that launches, one at its gate and one that waits for it."""
    execution = ExecutionFactory.create(state=ExecutionState.RUNNING)
    WaveFactory.create(execution=execution, state=WaveState.LAUNCHING, started_at=timezone.now())
    WaveFactory.create(execution=execution, position=2, state=WaveState.WAITING, gate=True)
    WaveFactory.create(execution=execution, position=3, depends_on=[2])
    return execution


def test_pausing_answers_at_once_and_says_so_twice(root, running):
    path = f"{EXECUTIONS}/{running.pk}/pause"
    first = root.post(path, {"reason": "  Look first "})
    again = root.post(path)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.headers["Location"].endswith(f"{EXECUTIONS}/{running.pk}")
    said = again.json()
    assert (said["pause_requested_by"], said["pause_reason"]) == ("root", "Look first")
    assert said["pause_requested_at"] == first.json()["pause_requested_at"]
    assert said["state"] == "RUNNING"


def test_resuming_lifts_the_pause_and_opens_no_gate(root, running):
    path = f"{EXECUTIONS}/{running.pk}"
    root.post(f"{path}/pause")
    said = root.post(f"{path}/resume", {"comment": "Go on"}).json()
    assert (said["pause_requested_at"], said["pause_lifted_at"] is None) == (None, False)
    assert running.waves.get(position=2).gate_opened_at is None


def test_of_two_who_lift_one_pause_the_second_opens_no_gate(root, running, world):
    path = f"{EXECUTIONS}/{running.pk}"
    root.post(f"{path}/pause")
    root.post(f"{path}/resume")
    with world.unchanged():
        response = root.post(f"{path}/resume")
    assert response.status_code == 409
    assert response.json()["code"] == "recovery.gate_must_be_named"
    assert root.post(f"{path}/resume", {"position": 2}).status_code == 202
    assert running.waves.get(position=2).gate_opened_by == "root"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"cancel_requested_at": timezone.now()}, "recovery.being_cancelled"),
        ({"state": "FAILED", "finished_at": timezone.now()}, "recovery.execution_ended"),
    ],
)
def test_what_cannot_be_paused(root, running, world, changes, code):
    type(running).objects.filter(pk=running.pk).update(**changes)
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{running.pk}/pause")
    assert (response.status_code, response.json()["code"]) == (409, code)


def test_where_every_wave_has_started_there_is_nothing_to_pause(root, running, world):
    running.waves.exclude(position=1).delete()
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{running.pk}/pause")
    assert (response.status_code, response.json()["code"]) == (409, "recovery.nothing_to_pause")


@pytest.mark.parametrize("body", [{"reason": "x" * 1001}, {"why": "x"}, {"reason": 5}])
def test_a_pause_that_makes_no_sense(root, running, world, body):
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{running.pk}/pause", body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.fixture
def ended():
    """An execution that ended PARTIAL: a server failed, one was launched, one is unknown."""
    execution = ExecutionFactory.create(state=ExecutionState.PARTIAL)
    wave = WaveFactory.create(execution=execution, state=WaveState.PARTIAL)
    account = TargetAccountFactory.create()
    for name, state in (("a", "FAILED"), ("b", "LAUNCHED"), ("c", "UNKNOWN")):
        WaveServerFactory.create(
            wave=wave, name=name, server_id=f"s-{name}", state=state, account_id=account.account_id
        )
    later = WaveFactory.create(
        execution=execution, position=2, depends_on=[1], state=WaveState.BLOCKED
    )
    WaveServerFactory.create(wave=later, state=ServerState.BLOCKED, account_id=account.account_id)
    return execution


def test_trying_again_answers_at_once_and_shows_the_attempt(root, ended):
    path = f"{EXECUTIONS}/{ended.pk}"
    response = root.post(f"{path}/retry", {"position": 1, "reason": " Room again "})
    assert response.status_code == 202
    assert (response.json()["state"], response.json()["finished_at"]) == ("RUNNING", None)
    first, second = root.get(path).json()["waves"]
    assert (first["state"], second["state"]) == ("LAUNCHING", "PENDING")
    assert [(row["name"], row["state"], row["attempt"]) for row in first["servers"]] == [
        ("a", "PENDING", 2),
        ("b", "LAUNCHED", 1),
        ("c", "UNKNOWN", 1),
    ]
    ((job,),) = [first["jobs"]]
    assert job["server_ids"] == ["s-a"]
    told = root.get(f"{path}/events").json()["results"]
    assert any(event["message"].endswith("as root asked: Room again") for event in told)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"position": 1, "server_ids": ["s-c"]}, 409, "recovery.outcome_unknown"),
        ({"position": 1, "server_ids": ["s-b"]}, 409, "recovery.not_retriable"),
        ({"position": 1, "server_ids": ["s-a", "s-z"]}, 409, "recovery.not_retriable"),
        ({"position": 2}, 409, "recovery.wave_not_ended"),
        ({"position": 3}, 404, "recovery.no_such_wave"),
        ({}, 400, "invalid"),
        ({"position": 0}, 400, "invalid"),
        ({"position": 1, "server_ids": []}, 400, "invalid"),
        ({"position": 1, "server_ids": "s-a"}, 400, "invalid"),
        ({"position": 1, "servers": ["s-a"]}, 400, "invalid"),
        ({"position": 1, "reason": "x" * 1001}, 400, "invalid"),
    ],
)
def test_a_retry_that_cannot_be(root, ended, world, body, status, code):
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{ended.pk}/retry", body)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_leaving_out_answers_at_once_and_says_by_whom_and_why(root, running):
    servers = [WaveServerFactory.create(wave=w) for w in running.waves.all()]
    path = f"{EXECUTIONS}/{running.pk}"
    body = {"position": 3, "server_ids": [servers[2].server_id], "reason": " Retired "}
    response = root.post(f"{path}/skip", body)
    assert response.status_code == 202
    assert response.json()["servers"] == {"total": 3, "launched": 0, "failed": 0, "left_out": 1}
    *_, third = root.get(path).json()["waves"]
    assert (third["state"], third["message"]) == ("LEFT_OUT", "Left out by root: Retired")
    assert third["servers"][0]["state"] == "LEFT_OUT"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"position": 1}, 409, "recovery.wave_has_started"),
        ({"position": 4}, 404, "recovery.no_such_wave"),
        ({"position": 3, "server_ids": ["s-z"]}, 409, "recovery.not_in_the_wave"),
        ({"position": 3, "reason": None}, 400, "invalid"),
        ({"position": 3, "reason": " "}, 400, "invalid"),
        ({"position": 3, "server_ids": []}, 400, "invalid"),
    ],
)
def test_what_cannot_be_left_out(root, running, world, body, status, code):
    for wave in running.waves.all():
        WaveServerFactory.create(wave=wave)
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{running.pk}/skip", {"reason": "x", **body})
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_more_time_is_given_and_shown(root, running):
    soon = timezone.now() + timedelta(minutes=1)
    running.waves.filter(position=1).update(deadline_at=soon)
    path = f"{EXECUTIONS}/{running.pk}"
    body = {"position": 1, "minutes": 30, "reason": "Large snapshots"}
    assert root.post(f"{path}/extend", body).status_code == 202
    assert running.waves.get(position=1).deadline_at == soon + timedelta(minutes=30)
    (told, *_) = root.get(f"{path}/events").json()["results"]
    assert (told["kind"], told["actor"], told["wave"]) == ("wave.extended", "root", 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"position": 2}, 409, "recovery.time_is_up"),
        ({"position": 1}, 409, "recovery.time_is_up"),
        ({"position": 7}, 404, "recovery.no_such_wave"),
        ({"position": 1, "minutes": 0}, 400, "invalid"),
        ({"position": 1, "minutes": 1441}, 400, "invalid"),
        ({"position": 1, "minutes": "30"}, 400, "invalid"),
        ({"position": 1, "reason": ""}, 400, "invalid"),
    ],
)
def test_what_cannot_be_extended(root, running, world, body, status, code):
    """Of wave 1, which launches, the time is up."""
    running.waves.filter(position=1).update(deadline_at=timezone.now() - timedelta(minutes=1))
    with world.unchanged():
        wanted = {"minutes": 30, "reason": "x", **body}
        response = root.post(f"{EXECUTIONS}/{running.pk}/extend", wanted)
    assert (response.status_code, response.json()["code"]) == (status, code)
