"""Cleaning up after an execution: when it may be asked for, and that all of it goes and no more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.errors import AccountInUse
from protection.models import TargetAccount
from protection.services import accounts
from recovery import tasks
from recovery.errors import (
    ExecutionNotEnded,
    LaunchesStillRun,
    NothingToTerminate,
    ServersHeld,
    TerminationNotConfirmed,
    TerminationUnderWay,
)
from recovery.models import Execution, LaunchJob, Notice, Termination, Wave
from recovery.services import executions, termination_runs, terminations
from recovery.states import (
    EXECUTION,
    ExecutionState,
    InstanceOutcome,
    JobState,
    ServerState,
    TerminationState,
)
from recovery.states import Kind as ExecutionKind
from tests.clean_ups import asked, asked_for, carried_out, outcomes, step, terminate_jobs, there
from tests.factories.recovery import PreflightFactory
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
    SOUTH,
    drill,
    group_of,
    known,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([server(f"db-{n}") for n in (1, 2, 3)] + [server("web-1", account=SOUTH)])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Web", group_of("web", account=SOUTH), depends_on=(1,)),
    )


@pytest.fixture
def done(plan, driver) -> Execution:
    """A drill that has launched everything."""
    execution: Execution = driver.run(drill(plan))
    assert len(there()) == 3
    assert len(there(SOUTH)) == 1
    return execution


def refused(execution, error, **said):
    """The error; and that nothing was written."""
    before = Termination.objects.count(), AuditRecord.objects.count()
    with pytest.raises(error) as raised:
        asked_for(execution, **said)
    assert (Termination.objects.count(), AuditRecord.objects.count()) == before
    return raised.value


def test_everything_that_a_drill_launched_goes_and_each_is_accounted_for(done):
    termination = asked_for(done, reason="The drill is over.")
    assert asked() == []  # a request asks nothing of AWS
    step(termination)
    assert set(outcomes(termination).values()) == {InstanceOutcome.TERMINATING}
    termination.refresh_from_db()
    assert termination.state == TerminationState.RUNNING
    carried_out(termination)
    assert termination.state == TerminationState.COMPLETED
    assert there() == there(SOUTH) == set()
    assert set(outcomes(termination).values()) == {InstanceOutcome.TERMINATED}
    assert len(asked()) == 2  # one for each account and Region
    assert not done.servers.filter(instance_gone_at=None).exists()
    for job in termination.jobs.all():
        assert (job.state, job.account, job.drs_status) == (JobState.ENDED, None, "COMPLETED")
    kinds = list(done.events.filter(kind__startswith="termination.").values_list("kind", flat=True))
    assert kinds[0] == "termination.requested"
    assert kinds[-1] == "termination.ended"
    assert kinds.count("termination.job_started") == kinds.count("termination.job_ended") == 2
    requested = AuditRecord.objects.get(event="recovery.termination.requested")
    assert (requested.actor_name, requested.facts["instances"]) == ("pat", 4)
    assert requested.facts["reason"] == "The drill is over."
    ended = AuditRecord.objects.get(event="recovery.termination.ended")
    assert (ended.outcome, ended.facts["instances"]) == ("SUCCEEDED", {"TERMINATED": 4})
    notice = Notice.objects.select_related("event").get(kind="CLEANED_UP")
    assert notice.event
    assert notice.event.message == "Clean-up ended: completed (4 terminated)."


def test_the_tick_asks_for_what_is_due(done, monkeypatch):
    sent: list[dict] = []
    monkeypatch.setattr(tasks.terminate, "apply_async", lambda **message: sent.append(message))
    monkeypatch.setattr(tasks.advance, "apply_async", lambda **_: None)
    monkeypatch.setattr(tasks.watch, "apply_async", lambda **_: None)
    monkeypatch.setattr("drportal.heartbeats.engine_looked", lambda: None)
    termination = asked_for(done)
    tasks.tick()
    assert [each["kwargs"] for each in sent] == [{"termination_id": str(termination.pk)}]
    tasks.terminate(**sent[0]["kwargs"])
    assert len(asked()) == 2
    Termination.objects.update(due_at=timezone.now() + timedelta(hours=1))
    sent.clear()
    tasks.tick()
    assert sent == []


@pytest.mark.parametrize("state", [ExecutionState.RUNNING, ExecutionState.PAUSED])
def test_what_is_live_is_not_cleaned_up(plan, driver, state):  # E-70
    execution = drill(plan)
    driver.run(execution, until=lambda found: found.servers.filter(state="LAUNCHED").exists())
    Execution.objects.filter(pk=execution.pk).update(state=state)
    refused(execution, ExecutionNotEnded)
    assert asked() == []


def test_every_end_can_be_cleaned_up_and_only_those(plan):
    execution = drill(plan)
    for state in ExecutionState:
        execution.state = state
        refusal = terminations.standing(execution).refusal
        expected = NothingToTerminate if state in EXECUTION.terminal else ExecutionNotEnded
        assert isinstance(refusal, expected), state


def test_it_waits_for_launches_that_outlive_their_execution(plan, driver):
    world.faults.add(Fault(Kind.NEVER_FINISH, server=known("db-3").server_id))
    execution = drill(plan)
    for _ in range(20):
        driver.step(execution)
    Wave.objects.filter(execution=execution, position=1).update(deadline_at=timezone.now())
    driver.run(execution)
    live = LaunchJob.objects.get(state=JobState.STARTED)
    error = refused(execution, LaunchesStillRun)
    assert live.drs_job_id in error.detail


def test_failed_and_cancelled_waves_are_cleaned_up_too(plan, driver):  # E-71
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id))
    execution = driver.run(drill(plan))
    first = execution.waves.get(position=1)
    assert (first.state, execution.state) == ("PARTIAL", ExecutionState.PARTIAL)
    Wave.objects.filter(pk=first.pk).update(state="FAILED")
    termination = carried_out(asked_for(execution))
    assert outcomes(termination) == {"db-2": "TERMINATED", "db-3": "TERMINATED"}
    assert there() == set()

    world.faults.clear()
    second = drill(execution.plan)
    driver.step(second)
    executions.cancel(second, actor=PERSON)
    driver.run(second)
    assert second.state == ExecutionState.CANCELLED
    assert len(there()) == 3
    carried_out(asked_for(second))
    assert there() == set()


def test_an_instance_of_a_server_that_failed_goes_as_well(done):  # E-71
    row = done.servers.get(name="db-1")
    done.servers.filter(pk=row.pk).update(state=ServerState.FAILED)
    carried_out(asked_for(done))
    assert row.recovery_instance_id not in there()


def test_an_instance_stays_known_when_its_server_was_asked_for_again_and_refused(done):  # E-71
    row = done.servers.get(name="db-1")
    first = row.launch_job
    again = LaunchJob.objects.create(
        execution=done,
        wave=row.wave,
        account=first.account,
        aws_account_id=first.aws_account_id,
        account_name=first.account_name,
        region=first.region,
        kind=first.kind,
        server_ids=[row.server_id],
        state=JobState.REFUSED,
    )
    done.servers.filter(pk=row.pk).update(launch_job=again, state=ServerState.FAILED)
    termination = carried_out(asked_for(done))
    assert outcomes(termination)["db-1"] == InstanceOutcome.TERMINATED
    assert there() == set()


def test_an_instance_that_drs_never_named_is_found_by_its_job(done):
    done.servers.filter(name="db-1").update(recovery_instance_id="")
    termination = carried_out(asked_for(done))
    assert termination.state == TerminationState.COMPLETED
    assert there() == set()
    assert done.servers.get(name="db-1").recovery_instance_id


def test_a_recovery_asks_for_its_name(plan, driver):  # E-70
    PreflightFactory.create(plan=plan)
    execution = executions.start(
        plan, kind=ExecutionKind.RECOVERY, confirmation="Plan", actor=PERSON
    )
    driver.run(execution)
    for said in ({}, {"confirmation": ""}, {"confirmation": "plan"}, {"confirmation": "Drill"}):
        refused(execution, TerminationNotConfirmed, **said)
    assert len(there()) == 3
    termination = carried_out(asked_for(execution, confirmation=" Plan "))
    assert termination.state == TerminationState.COMPLETED


def test_one_at_a_time_and_then_nothing_is_left(done):
    first = asked_for(done)
    error = refused(done, TerminationUnderWay)
    assert error.context["termination_id"] == str(first.pk)
    carried_out(first)
    refused(done, NothingToTerminate)
    assert len(asked()) == 2


def test_what_is_left_may_be_asked_for_again_and_the_first_record_stays(done):  # E-74
    backend = drs_backends[NORTH][EAST]
    held = backend.instances[done.servers.get(name="db-1").recovery_instance_id]
    held.ec2.disable_api_termination = True
    first = carried_out(asked_for(done))
    assert first.state == TerminationState.INCOMPLETE
    assert outcomes(first)["db-1"] == InstanceOutcome.FAILED
    row = first.instances.get(server__name="db-1")
    assert "may not be terminated" in row.message
    assert done.servers.get(name="db-1").instance_gone_at is None
    ended = AuditRecord.objects.get(event="recovery.termination.ended")
    assert ended.outcome == "FAILED"
    kept = list(first.instances.order_by("pk").values())

    held.ec2.disable_api_termination = False
    second = carried_out(asked_for(done))
    assert outcomes(second) == {"db-1": "TERMINATED"}
    assert list(first.instances.order_by("pk").values()) == kept
    assert len(terminate_jobs()) == 2


def test_servers_that_another_execution_holds_are_not_terminated(done, plan):
    other = drill(plan)
    error = refused(done, ServersHeld)
    assert str(other.pk) in error.detail


def test_a_recovery_may_start_while_a_drill_is_cleaned_up_and_keeps_its_instances(
    done, plan, driver
):
    termination = asked_for(done)
    other = executions.start(plan, kind=ExecutionKind.RECOVERY, confirmation="Plan", actor=PERSON)
    step(termination)  # all is held by the recovery by now
    assert set(outcomes(termination).values()) == {InstanceOutcome.LEFT}
    assert str(other.pk) in termination.instances.all()[0].message
    driver.run(other)
    assert other.state == ExecutionState.COMPLETED
    assert asked() == []

    again = carried_out(asked_for(done))
    assert set(outcomes(again).values()) == {InstanceOutcome.GONE}
    assert there() == set(
        other.servers.filter(account_id=NORTH).values_list("recovery_instance_id", flat=True)
    )


def test_a_launch_waits_for_the_job_that_terminates_its_server(done, plan, driver):
    termination = asked_for(done)
    step(termination, forward=timedelta(seconds=1))
    other = drill(plan)
    driver.step(other, forward=timedelta(seconds=1))
    waiting = LaunchJob.objects.get(execution=other)
    assert waiting.state == JobState.QUEUED
    assert termination.jobs.get(aws_account_id=NORTH).drs_job_id in waiting.message
    driver.run(other)
    assert other.state == ExecutionState.COMPLETED
    carried_out(termination)
    assert len(there()) == 3


def test_an_account_stays_while_something_is_terminated_in_it(done):
    termination = asked_for(done)
    account = TargetAccount.objects.get(account_id=SOUTH)
    done.plan.delete()
    for group in account.groups.all():
        group.delete()
    with pytest.raises(AccountInUse, match="clean-up"):
        accounts.delete(account, actor=PERSON)
    carried_out(termination)
    accounts.delete(account, actor=PERSON)
    assert termination.jobs.filter(aws_account_id=SOUTH, account=None).exists()


def test_where_the_account_is_gone_nobody_can_tell(done):
    account = TargetAccount.objects.get(account_id=SOUTH)
    done.plan.delete()
    for group in account.groups.all():
        group.delete()
    accounts.delete(account, actor=PERSON)
    done.refresh_from_db()
    termination = carried_out(asked_for(done))
    assert termination.state == TerminationState.INCOMPLETE
    assert outcomes(termination)["web-1"] == InstanceOutcome.UNKNOWN
    assert "no longer registered" in termination.instances.get(server__name="web-1").message
    assert len(there(SOUTH)) == 1


def test_one_that_somebody_is_at_is_left_to_them(done):
    termination = asked_for(done)
    until = timezone.now() + timedelta(seconds=30)
    Termination.objects.update(leased_until=until)
    termination_runs.carry_out(termination.pk)
    assert asked() == []
