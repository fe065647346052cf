"""Failing back after a recovery: when it may be asked for, and the whole way of each origin."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from recovery import tasks
from recovery.errors import (
    FailbackGateNotReached,
    FailbackNotConfirmed,
    FailbackNotReady,
    FailbackTooEarly,
    FailbackUnderWay,
    LaunchedBack,
    NoFailback,
    NotARecovery,
    NothingToFailBack,
    NotInTheFailback,
    ReasonNeeded,
    ServersHeld,
    TerminationUnderWay,
)
from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.models import Execution, Failback, Notice, ServerClaim
from recovery.services import executions, failback_runs, failbacks, retries, terminations
from recovery.states import EXECUTION, ExecutionState, TerminationState
from recovery.states import Kind as ExecutionKind
from tests.factories.recovery import PreflightFactory
from tests.failing_back import (
    abroad,
    asked,
    asked_for,
    at_home,
    connect_clients,
    finished,
    from_aws,
    launch_jobs,
    launched_back,
    ready,
    recovery,
    run,
    states,
    step,
)
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
    WEST,
    drill,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([from_aws("web-1"), from_aws("web-2"), server("prem-1")])
    registered()
    return plan_of(wave("All", group_of("web"), group_of("prem")))


@pytest.fixture
def done(plan, driver):
    """A recovery that has launched everything."""
    execution = driver.run(recovery(plan))
    assert len(abroad()) == 3
    return execution


def test_the_whole_way_back_of_both_origins(done):
    connect_clients(done)
    failback = asked_for(done)
    assert asked("ReverseReplication") == []  # a request asks nothing of AWS
    launched_back(failback)
    assert set(states(failback).values()) == {ReturnState.LAUNCHED}
    assert len(at_home()) == 2
    assert len(abroad()) == 3  # nothing goes before a person says that it works
    assert len(launch_jobs("START_RECOVERY", region=WEST)) == 1
    assert launch_jobs("FAILBACK", region=EAST) == [[done.servers.get(name="prem-1").server_id]]
    failbacks.open_gate(done, gate=Gate.FINISH, comment="they work", actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.COMPLETED
    assert set(states(failback).values()) == {ReturnState.FINISHED}
    assert abroad() == set()
    assert len(at_home()) == 2


def refused(execution, error, **said):
    """The error; and that nothing was written, asked for or held."""

    def kept():
        return (
            Failback.objects.count(),
            AuditRecord.objects.count(),
            execution.events.count(),
            ServerClaim.objects.filter(released_at=None).count(),
        )

    before = kept()
    with pytest.raises(error) as raised:
        asked_for(execution, **said)
    assert kept() == before
    return raised.value


def test_what_was_done_is_told(done):
    connect_clients(done)
    failback = finished(asked_for(done, reason="the fire is out"))
    kinds = list(done.events.filter(kind__startswith="failback").values_list("kind", flat=True))
    assert kinds[0] == "failback.requested"
    assert kinds[-1] == "failback.ended"
    assert kinds.count("failback.reversed") == 2
    assert kinds.count("failback.waiting") == 2
    assert kinds.count("failback.gate_opened") == 2
    requested = AuditRecord.objects.get(event="recovery.failback.requested")
    assert (requested.actor_name, requested.facts["instances"]) == ("pat", 3)
    assert requested.facts["reason"] == "the fire is out"
    assert AuditRecord.objects.filter(event="recovery.failback.gate_opened").count() == 2
    ended = AuditRecord.objects.get(event="recovery.failback.ended")
    assert (ended.outcome, ended.facts["instances"]) == ("SUCCEEDED", {"FINISHED": 3})
    assert Notice.objects.filter(kind="FAILBACK_WAITING").count() == 2
    assert Notice.objects.filter(kind="FAILBACK").count() == 4  # asked for, two gates, ended
    row = failback.instances.get(server__name="web-1")
    assert (row.origin, row.origin_account_id, row.origin_region) == ("AWS", NORTH, WEST)
    assert row.back_instance_id in at_home()
    assert failback.termination is not None
    assert failback.termination.state == TerminationState.COMPLETED
    assert not done.servers.filter(instance_gone_at=None).exists()


def test_only_a_recovery_is_failed_back(plan, driver):
    execution = driver.run(drill(plan))
    refused(execution, NotARecovery)
    assert isinstance(failbacks.standing(execution).refusal, NotARecovery)


def test_it_takes_the_plans_name_and_a_reason(done):
    for name in ("", "plan", "Drill"):
        refused(done, FailbackNotConfirmed, confirmation=name)
    for reason in ("", "  "):
        refused(done, ReasonNeeded, reason=reason)


@pytest.mark.parametrize("state", sorted(EXECUTION.active))
def test_what_has_not_ended_is_not_failed_back(done, state):
    Execution.objects.filter(pk=done.pk).update(state=state, finished_at=None)
    refused(done, FailbackTooEarly)


def test_one_thing_at_a_time(done, plan):
    failback = asked_for(done)
    error = refused(done, FailbackUnderWay)
    assert error.context["failback_id"] == str(failback.pk)
    with pytest.raises(FailbackUnderWay):
        terminations.request(done, confirmation="Plan", actor=PERSON)
    Execution.objects.filter(pk=done.pk).update(state=ExecutionState.PARTIAL)
    with pytest.raises(FailbackUnderWay):
        retries.retry(done, position=1, actor=PERSON)
    Execution.objects.filter(pk=done.pk).update(state=ExecutionState.COMPLETED)
    PreflightFactory.create(plan=plan)
    # A drill would make DRS delete the recovery instances that people work on.
    with pytest.raises(ServersHeld):
        executions.start(plan, kind=ExecutionKind.DRILL, actor=PERSON)
    failbacks.cancel(done, actor=PERSON)
    run(failback)
    assert not ServerClaim.objects.filter(released_at=None).exists()
    drill(plan)


def test_no_failback_beside_a_clean_up_and_none_of_what_another_holds(done, plan):
    termination = terminations.request(done, confirmation="Plan", actor=PERSON)
    refused(done, TerminationUnderWay)
    termination.delete()
    other = drill(plan)
    error = refused(done, ServersHeld)
    assert str(other.pk) in error.detail


def test_the_tick_asks_for_what_is_due(done, monkeypatch):
    sent: list[dict] = []
    monkeypatch.setattr(tasks.fail_back, "apply_async", lambda **message: sent.append(message))
    for other in (tasks.advance, tasks.watch, tasks.terminate):
        monkeypatch.setattr(other, "apply_async", lambda **_: None)
    monkeypatch.setattr("drportal.heartbeats.engine_looked", lambda: None)
    failback = asked_for(done)
    tasks.tick()
    assert [each["kwargs"] for each in sent] == [{"failback_id": str(failback.pk)}]
    tasks.fail_back(**sent[0]["kwargs"])
    assert len(asked("ReverseReplication")) == 2
    Failback.objects.update(due_at=timezone.now() + timedelta(hours=1))
    sent.clear()
    tasks.tick()
    assert sent == []


def test_the_gate_is_shut_until_everything_is_ready_by_a_young_look(done):
    failback = asked_for(done)
    step(failback)

    def shut(match: str) -> None:
        with pytest.raises(FailbackNotReady, match=match):
            failbacks.open_gate(done, gate=Gate.LAUNCH, actor=PERSON)

    failback.refresh_from_db()
    assert failback.state == FailbackState.WATCHING
    shut("prem-1: Nothing replicates back yet. Start the failback client")
    run(failback, until=lambda found: states(found)["web-1"] == ReturnState.READY)
    assert states(failback)["prem-1"] == ReturnState.REPLICATING
    shut("prem-1")
    connect_clients(done)
    ready(failback)
    failback.instances.update(looked_at=timezone.now() - timedelta(hours=1))
    shut("too old")
    with pytest.raises(FailbackGateNotReached):
        failbacks.open_gate(done, gate=Gate.FINISH, actor=PERSON)
    failback.refresh_from_db()
    assert failback.launch_opened_at is None
    assert asked("StartRecovery")[1:] == asked("StartFailbackLaunch") == []
    ready(failback)
    failbacks.open_gate(done, gate=Gate.LAUNCH, comment="go", actor=PERSON)
    opened = failbacks.open_gate(done, gate=Gate.LAUNCH, comment="again", actor=PERSON)
    assert opened.launch_comment == "go"


def test_what_is_left_out_is_kept_and_counts_for_nothing(done):
    failback = asked_for(done)
    step(failback)
    prem = done.servers.get(name="prem-1")
    with pytest.raises(ReasonNeeded):
        failbacks.leave_out(done, server_ids=[prem.server_id], reason=" ", actor=PERSON)
    for strange in (["s-1"], [prem.server_id, "s-1"], []):
        with pytest.raises(NotInTheFailback):
            failbacks.leave_out(done, server_ids=strange, reason="x", actor=PERSON)
    assert states(failback)["prem-1"] == ReturnState.REPLICATING
    failbacks.leave_out(done, server_ids=[prem.server_id], reason="it burnt", actor=PERSON)
    finished(failback)
    assert failback.state == FailbackState.COMPLETED
    row = failback.instances.get(server=prem)
    assert (row.state, row.message) == ("LEFT_OUT", "Left out by pat: it burnt")
    assert abroad() == {prem.recovery_instance_id}
    # What was left out may go back later, and only that.
    connect_clients(done)
    again = finished(asked_for(done))
    assert states(again) == {"prem-1": ReturnState.FINISHED}
    refused(done, NothingToFailBack)


def test_what_is_asked_to_be_launched_cannot_be_left_out(done):
    connect_clients(done)
    failback = launched_back(asked_for(done))
    for name in ("prem-1", "web-1"):
        server_id = done.servers.get(name=name).server_id
        with pytest.raises(LaunchedBack):
            failbacks.leave_out(done, server_ids=[server_id], reason="x", actor=PERSON)
    assert set(states(failback).values()) == {ReturnState.LAUNCHED}


def test_cancelling_while_it_replicates_stops_what_has_begun_and_keeps_everything(done):
    failback = asked_for(done)
    step(failback)
    failbacks.cancel(done, reason="no", actor=PERSON)
    failbacks.cancel(done, reason="again", actor=PERSON)
    run(failback)
    assert (failback.state, failback.cancel_reason) == (FailbackState.CANCELLED, "no")
    assert set(states(failback).values()) == {ReturnState.CANCELLED}
    stopped = {call.params["recoveryInstanceID"] for call in asked("StopFailback")}
    assert len(asked("StopFailback")) == len(stopped) == 2  # prem-1 had not begun
    assert len(abroad()) == 3
    assert asked("DisconnectRecoveryInstance") == []
    with pytest.raises(NoFailback):
        failbacks.cancel(done, actor=PERSON)


def test_cancelling_while_drs_launches_watches_that_to_its_end(done):
    connect_clients(done)
    failback = ready(asked_for(done))
    failbacks.open_gate(done, gate=Gate.LAUNCH, actor=PERSON)
    step(failback)
    assert set(states(failback).values()) == {ReturnState.LAUNCHING}
    failbacks.cancel(done, actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.CANCELLED
    assert set(states(failback).values()) == {ReturnState.KEPT}
    assert len(at_home()) == 2
    assert len(abroad()) == 3
    assert asked("StopFailback") == asked("TerminateRecoveryInstances") == []
    refused(done, NothingToFailBack)  # it is back: never launched a second time


def test_cancelling_before_the_launch_launches_nothing(done):
    connect_clients(done)
    failback = ready(asked_for(done))
    failbacks.open_gate(done, gate=Gate.LAUNCH, actor=PERSON)
    failbacks.cancel(done, actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.CANCELLED
    assert at_home() == set()
    assert asked("StartFailbackLaunch") == []


def test_a_launch_back_that_fails_keeps_its_recovery_instance(done):
    connect_clients(done)
    failback = ready(asked_for(done))
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server="prem-1", raw_error="no answer"))
    failbacks.open_gate(done, gate=Gate.LAUNCH, actor=PERSON)
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)
    failbacks.open_gate(done, gate=Gate.FINISH, actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.PARTIAL
    assert states(failback) == {"web-1": "FINISHED", "web-2": "FINISHED", "prem-1": "FAILED"}
    row = failback.instances.get(server__name="prem-1")
    assert "no answer" in row.message
    assert abroad() == {row.instance_id}
    assert AuditRecord.objects.get(event="recovery.failback.ended").outcome == "FAILED"


def test_an_instance_that_cannot_be_terminated_is_kept_and_said(done):
    held = drs_backends[NORTH][EAST].instances[done.servers.get(name="web-1").recovery_instance_id]
    held.ec2.disable_api_termination = True
    connect_clients(done)
    failback = finished(asked_for(done))
    assert failback.state == FailbackState.PARTIAL
    assert states(failback)["web-1"] == ReturnState.KEPT
    assert "may not be terminated" in failback.instances.get(server__name="web-1").message
    assert abroad() == {held.id}


def test_one_that_somebody_is_at_is_left_to_them(done):
    failback = asked_for(done)
    Failback.objects.update(leased_until=timezone.now() + timedelta(seconds=30))
    failback_runs.carry_out(failback.pk)
    assert asked("ReverseReplication") == []


def test_waiting_for_a_confirmation_holds_no_worker(done):
    connect_clients(done)
    failback = launched_back(asked_for(done))
    assert failback.due_at is None
    assert failback.leased_until is None
