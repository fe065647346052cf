import pytest
from django.utils import timezone

from protection.models import AccountRegion
from recovery.models import Execution, JobWatch, ServerClaim
from recovery.permissions import PlanPermission
from recovery.services import executions
from recovery.states import ExecutionState, JobState, Phase, ServerState, WaveState
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import SuperuserFactory, UserFactory, grant

EXECUTIONS = "/api/v1/executions"
pytestmark = pytest.mark.django_db


def _drill(plan):
    return {"plan_id": str(plan.pk), "kind": "DRILL"}


@pytest.fixture
def waiting():
    """An execution that waits at the gates of two waves."""
    execution = ExecutionFactory.create(state=ExecutionState.PAUSED)
    for position in (1, 2):
        WaveFactory.create(
            execution=execution,
            position=position,
            state=WaveState.WAITING,
            gate=True,
            gate_instructions="Look first.",
            gate_reached_at=timezone.now(),
        )
    return execution


def test_starting_answers_at_once_and_says_where_to_look(root, plan):
    body = {**_drill(plan), "reason": "  The quarter's drill "}
    response = root.post(EXECUTIONS, body)
    assert response.status_code == 202
    said = response.json()
    assert response.headers["Location"].endswith(f"{EXECUTIONS}/{said['id']}")
    assert (said["state"], said["kind"], said["plan_version"]) == ("PENDING", "DRILL", 1)
    assert (said["reason"], said["requested_by"]) == ("The quarter's drill", "root")
    assert said["servers"] == {"total": 1, "launched": 0, "failed": 0, "left_out": 0}
    assert said["correlation_id"] == response.headers["X-Correlation-Id"]
    assert root.get(response.headers["Location"]).json()["id"] == said["id"]


def test_a_plan_that_runs_is_not_started_again(root, plan, world):
    first = root.post(EXECUTIONS, _drill(plan)).json()
    with world.unchanged():
        response = root.post(EXECUTIONS, _drill(plan))
    assert (response.status_code, response.json()["code"]) == (409, "recovery.plan_already_running")
    assert response.json()["context"] == {"execution_id": first["id"]}
    assert first["id"] in response.json()["detail"]


def test_of_two_plans_that_share_a_server_the_second_is_told_who_holds_it(root, world):
    server = SourceServerFactory.create(tags={"Tier": "web"})
    by_hand = ProtectionGroupFactory.create(account=server.account, servers=[server])
    by_tag = ProtectionGroupFactory.create(account=server.account, tags={"Tier": "web"})
    first = root.post(EXECUTIONS, _drill(plan_of(by_hand))).json()
    other = plan_of(by_tag)
    with world.unchanged():
        response = root.post(EXECUTIONS, _drill(other))
    assert (response.status_code, response.json()["code"]) == (409, "recovery.servers_held")
    assert response.json()["context"] == {"execution_ids": [first["id"]]}
    assert server.server_id in response.json()["detail"]


@pytest.mark.parametrize("confirmation", [None, "", "yes", "PLAN"])
def test_a_recovery_needs_the_plans_name(root, world, confirmation):
    plan = plan_of(name="Plan of all plans")
    body = {"plan_id": str(plan.pk), "kind": "RECOVERY"}
    body |= {} if confirmation is None else {"confirmation": confirmation}
    with world.unchanged():
        response = root.post(EXECUTIONS, body)
    assert (response.status_code, response.json()["code"]) == (400, "recovery.confirmation_needed")
    started = root.post(EXECUTIONS, {**body, "confirmation": plan.name})
    assert (started.status_code, started.json()["kind"]) == (202, "RECOVERY")


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"kind": "TEST"}, "kind", "invalid_choice"),
        ({"kind": None}, "kind", "null"),
        ({"plan_id": "plan"}, "plan_id", "invalid"),
        ({"plan_id": 5}, "plan_id", "invalid"),
        ({"reason": "x" * 1001}, "reason", "max_length"),
        ({"dry_run": True}, "dry_run", "unknown_field"),
    ],
)
def test_a_start_that_makes_no_sense(root, plan, world, change, field, code):
    with world.unchanged():
        response = root.post(EXECUTIONS, {**_drill(plan), **change})
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


def test_servers_of_which_nothing_is_known_are_not_started(root, plan, world):
    AccountRegion.objects.update(status="THROTTLED")
    with world.unchanged():
        response = root.post(EXECUTIONS, _drill(plan))
    assert (response.status_code, response.json()["code"]) == (409, "recovery.servers_not_ready")
    assert "do not answer (throttled)" in response.json()["detail"]


def test_who_may_drill_may_not_recover(client_of, plan, world):
    person = UserFactory.create()
    grant(person, PlanPermission.VIEW, PlanPermission.DRILL, on=plan)
    client = client_of(person)
    with world.unchanged():
        body = {"plan_id": str(plan.pk), "kind": "RECOVERY", "confirmation": plan.name}
        assert client.post(EXECUTIONS, body).status_code == 403
    assert client.post(EXECUTIONS, _drill(plan)).status_code == 202


def test_a_person_with_one_plan_sees_and_starts_that_one(client_of, plan, world):
    other = plan_of()
    person = UserFactory.create()
    grant(person, PlanPermission.VIEW, PlanPermission.DRILL, on=plan)
    client = client_of(person)
    plans = client.get("/api/v1/recovery-plans").json()["results"]
    assert [row["id"] for row in plans] == [str(plan.pk)]
    with world.unchanged():
        assert client.post(EXECUTIONS, _drill(other)).status_code == 404
    assert client.post(EXECUTIONS, _drill(plan)).status_code == 202
    seen = client.get(EXECUTIONS).json()["results"]
    assert [row["plan_id"] for row in seen] == [str(plan.pk)]


def test_cancelling_asks_once_and_says_so_twice(root, waiting):
    path = f"{EXECUTIONS}/{waiting.pk}/cancel"
    first = root.post(path, {"reason": "Enough seen"})
    again = root.post(path)
    assert (first.status_code, again.status_code) == (202, 202)
    said = again.json()
    assert (said["cancel_requested_by"], said["cancel_reason"]) == ("root", "Enough seen")
    assert said["cancel_requested_at"] == first.json()["cancel_requested_at"]
    assert said["state"] == "PAUSED"


@pytest.mark.parametrize("action", ["cancel", "resume"])
def test_what_has_ended_is_not_steered(root, world, action):
    execution = ExecutionFactory.create(state=ExecutionState.COMPLETED)
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{execution.pk}/{action}", {})
    assert (response.status_code, response.json()["code"]) == (409, "recovery.execution_ended")


def test_resuming_opens_the_gate_that_is_named(root, waiting):
    path = f"{EXECUTIONS}/{waiting.pk}"
    response = root.post(f"{path}/resume", {"position": 2, "comment": "Looks good"})
    assert response.status_code == 202
    first, second = root.get(path).json()["waves"]
    assert first["gate"]["waiting"] is True
    assert second["gate"]["waiting"] is False
    assert second["gate"]["opened_by"] == "root"
    assert second["gate"]["comment"] == "Looks good"
    assert second["gate"]["instructions"] == "Look first."


def test_resuming_without_a_position_opens_every_gate(root, waiting):
    root.post(f"{EXECUTIONS}/{waiting.pk}/resume")
    assert waiting.waves.filter(gate_opened_at=None).count() == 0


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"position": 3}, 409, "recovery.no_wave_waiting"),
        ({"position": 0}, 400, "invalid"),
        ({"position": "2"}, 400, "invalid"),
        ({"position": 2.0}, 400, "invalid"),
        ({"wave": 2}, 400, "invalid"),
    ],
)
def test_a_gate_that_cannot_be_opened(root, waiting, world, body, status, code):
    with world.unchanged():
        response = root.post(f"{EXECUTIONS}/{waiting.pk}/resume", body)
    assert (response.status_code, response.json()["code"]) == (status, code)


def test_one_execution_shows_everything_in_it(root):
    execution = ExecutionFactory.create(state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution, state=WaveState.LAUNCHING)
    job = LaunchJobFactory.create(
        wave=wave, state=JobState.STARTED, drs_job_id="drsjob-1", drs_status="STARTED"
    )
    WaveServerFactory.create(
        wave=wave,
        name="a",
        launch_job=job,
        state=ServerState.LAUNCHED,
        phase=Phase.DONE,
        recovery_instance_id="i-1",
        private_ip="10.0.0.5",
    )
    for name, state in (("b", ServerState.FAILED), ("c", ServerState.SKIPPED)):
        WaveServerFactory.create(wave=wave, name=name, state=state, message="DRS said no")
    WaveServerFactory.create(wave=wave, name="d", state=ServerState.UNKNOWN)
    WaveServerFactory.create(wave=wave, name="e", state=ServerState.LAUNCHING)
    said = root.get(f"{EXECUTIONS}/{execution.pk}").json()
    assert said["servers"] == {"total": 5, "launched": 1, "failed": 3, "left_out": 0}
    (shown,) = said["waves"]
    assert shown["counts"] == {"total": 5, "launched": 1, "failed": 3, "left_out": 0}
    assert shown["gate"] is None
    assert shown["time_limit_seconds"] == 3600
    assert [server["name"] for server in shown["servers"]] == ["a", "b", "c", "d", "e"]
    launched, failed, *_, going = shown["servers"]
    assert (launched["phase"], launched["recovery_instance_id"]) == ("DONE", "i-1")
    assert (launched["job_id"], launched["private_ip"]) == (str(job.pk), "10.0.0.5")
    assert (failed["state"], failed["message"]) == ("FAILED", "DRS said no")
    assert (going["recovery_instance_id"], going["launch_status"]) == (None, None)
    (told,) = shown["jobs"]
    assert (told["drs_job_id"], told["state"]) == ("drsjob-1", "STARTED")
    assert told["account_id"] == job.aws_account_id


@pytest.mark.parametrize(
    ("state", "failures", "answered", "trouble"),
    [
        (JobState.STARTED, 0, True, None),
        (JobState.STARTED, 2, True, "Rate exceeded"),
        (JobState.ENDED, 2, False, None),
    ],
)
def test_a_job_says_when_drs_last_told_of_it(root, state, failures, answered, trouble):
    execution = ExecutionFactory.create(state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution, state=WaveState.LAUNCHING)
    job = LaunchJobFactory.create(wave=wave, state=state, drs_job_id="drsjob-1")
    polled_at = timezone.now()
    assert job.account
    JobWatch.objects.create(
        account=job.account,
        region=job.region,
        polled_at=polled_at,
        failures=failures,
        message="Rate exceeded",
    )
    ((told,),) = [wave["jobs"] for wave in root.get(f"{EXECUTIONS}/{execution.pk}").json()["waves"]]
    assert (told["drs_answered_at"] is not None) == answered
    assert told["drs_trouble"] == trouble


def test_the_timeline_is_told_newest_first(root):
    execution = ExecutionFactory.create()
    wave = WaveFactory.create(execution=execution)
    ExecutionEventFactory.create(execution=execution, message="first")
    ExecutionEventFactory.create(execution=execution, wave=wave, message="second")
    ExecutionEventFactory.create(message="of another execution")
    told = root.get(f"{EXECUTIONS}/{execution.pk}/events").json()["results"]
    assert [(event["message"], event["wave"]) for event in told] == [("second", 1), ("first", None)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("active=true", {"running"}),
        ("active=false", {"done", "recovered"}),
        ("state=COMPLETED", {"done", "recovered"}),
        ("kind=RECOVERY", {"recovered"}),
        ("created_after=2026-06-01T00:00:00Z&active=false", {"done"}),
        ("created_before=2026-06-01T00:00:00Z", {"recovered"}),
        ("plan_id=00000000-0000-0000-0000-000000000000", set()),
    ],
)
def test_filters_of_executions(root, query, expected):
    ExecutionFactory.create(plan__name="running", state=ExecutionState.RUNNING)
    ExecutionFactory.create(plan__name="done", state=ExecutionState.COMPLETED)
    old = ExecutionFactory.create(
        plan__name="recovered", kind="RECOVERY", state=ExecutionState.COMPLETED
    )
    Execution.objects.filter(pk=old.pk).update(created_at="2026-01-01T00:00:00Z")
    found = root.get(f"{EXECUTIONS}?{query}").json()["results"]
    assert {row["plan_name"] for row in found} == expected


def test_the_executions_of_one_plan(root):
    wanted, _ = ExecutionFactory.create(), ExecutionFactory.create()
    (found,) = root.get(f"{EXECUTIONS}?plan_id={wanted.plan_id}").json()["results"]
    assert found["id"] == str(wanted.pk)


@pytest.mark.django_db(transaction=True)
def test_eight_at_once_start_one(client_of, at_once):
    plan = plan_of()
    clients = [client_of(SuperuserFactory.create()) for _ in range(8)]
    answers = at_once([lambda c=c: c.post(EXECUTIONS, _drill(plan)) for c in clients])
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    execution = Execution.objects.get()
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "recovery.plan_already_running"
            assert answer.json()["context"]["execution_id"] == str(execution.pk)
    assert ServerClaim.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_plans_with_one_server_start_one(client_of, at_once):
    # Groups with equal tags cannot be; eight that choose the server by another tag each can.
    server = SourceServerFactory.create(tags={f"Tier {n}": "web" for n in range(8)})
    plans = [
        plan_of(ProtectionGroupFactory.create(account=server.account, tags={key: "web"}))
        for key in server.tags
    ]
    client = [client_of(SuperuserFactory.create()) for _ in plans]
    answers = at_once(
        [lambda c=c, p=p: c.post(EXECUTIONS, _drill(p)) for c, p in zip(client, plans, strict=True)]
    )
    assert sorted(answer.status_code for answer in answers) == [202, *[409] * 7]
    execution = Execution.objects.get()
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["code"] == "recovery.servers_held"
            assert answer.json()["context"]["execution_ids"] == [str(execution.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_start_that_breaks_off_leaves_nothing(client_of, plan, world, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(executions, "wake", broken)
    client = client_of(SuperuserFactory.create())
    with world.unchanged():
        response = client.post(EXECUTIONS, _drill(plan), HTTP_IDEMPOTENCY_KEY="k")
        assert response.status_code == 500
