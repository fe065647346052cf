"""What DRS, the network and other people do while something is cleaned up."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Call, Failure
from drportal.simulator import jobs as simulated
from drportal.simulator.clock import ManualClock
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.resources import Participant
from drportal.simulator.world import world
from protection.models import TargetAccount
from recovery.models import TerminationJob
from recovery.services import termination_jobs
from recovery.states import InstanceOutcome, JobState, TerminationState
from tests.clean_ups import asked, asked_for, carried_out, outcomes, step, terminate_jobs, there
from tests.worlds import (
    EAST,
    NORTH,
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
def done(aws, driver):
    """A drill that has launched four servers."""
    world_of([server(f"app-{n}") for n in range(4)])
    registered()
    execution = driver.run(drill(plan_of(wave("Applications", group_of("app")))))
    assert len(there()) == 4
    return execution


def fault(kind: Kind, **more) -> None:
    world.faults.add(Fault(kind, **more))


def drs() -> Drs:
    return Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST))


def pass_by(seconds: float) -> None:
    clock = world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(seconds=seconds))


def all_terminated(termination) -> None:
    assert termination.state == TerminationState.COMPLETED
    assert set(outcomes(termination).values()) == {InstanceOutcome.TERMINATED}
    assert there() == set()


@pytest.mark.parametrize("lost", [Kind.TIMEOUT_AFTER, Kind.DROP_AFTER])
def test_the_job_of_a_lost_answer_is_found_and_watched(done, lost):
    fault(lost, operation="TerminateRecoveryInstances", times=1)
    termination = carried_out(asked_for(done))
    all_terminated(termination)
    assert len(asked()) == len(terminate_jobs()) == 1
    assert "answer was lost" in done.events.get(kind="termination.job_started").message


@pytest.mark.parametrize("lost", [Kind.TIMEOUT_BEFORE, Kind.DROP_BEFORE, Kind.SERVER_ERROR])
def test_what_drs_did_not_hear_is_asked_again(done, lost):
    fault(lost, operation="TerminateRecoveryInstances", times=1)
    termination = carried_out(asked_for(done))
    all_terminated(termination)
    assert len(terminate_jobs()) == 1
    assert len(asked()) == 2


def test_nothing_is_asked_again_before_drs_had_time_to_list_it(done):
    fault(Kind.DROP_BEFORE, operation="TerminateRecoveryInstances", times=1)
    termination = asked_for(done)
    step(termination)
    job = termination.jobs.get()
    assert job.state == JobState.INTENDED
    assert "not known" in job.message
    TerminationJob.objects.update(due_at=timezone.now(), asked_at=timezone.now())
    termination_jobs.bring_further(
        TerminationJob.objects.select_related("account").get(), drs(), []
    )
    assert len(asked()) == 1


def test_a_job_that_is_listed_late_is_not_doubled(done):
    fault(Kind.TIMEOUT_AFTER, operation="TerminateRecoveryInstances", times=1)
    fault(Kind.LIST_LATE, seconds=60)
    termination = carried_out(asked_for(done))
    all_terminated(termination)
    assert len(terminate_jobs()) == 1


def test_a_lost_answer_whose_job_has_ended_and_forgotten_its_servers(done):
    """Of a finished job DRS may list no servers: then the instances tell."""
    world.settings.termination_keeps_servers = False
    fault(Kind.TIMEOUT_AFTER, operation="TerminateRecoveryInstances", times=1)
    termination = asked_for(done)
    step(termination, forward=timedelta(minutes=10))
    carried_out(termination)
    assert termination.state == TerminationState.COMPLETED
    assert set(outcomes(termination).values()) == {InstanceOutcome.GONE}
    assert len(terminate_jobs()) == 1


def test_a_job_that_has_forgotten_its_servers_is_told_by_the_instances(done):
    world.settings.termination_keeps_servers = False
    termination = asked_for(done)
    step(termination, forward=timedelta(minutes=10))
    all_terminated(carried_out(termination))


@pytest.mark.parametrize("seed", range(3))
def test_throttling_and_errors_delay_it_and_never_lose_an_instance(done, seed):
    world.seed(seed)
    fault(Kind.THROTTLE, probability=0.3, seconds=0)
    fault(Kind.SERVER_ERROR, probability=0.1, seconds=0)
    termination = carried_out(asked_for(done), most=400)
    assert termination.state == TerminationState.COMPLETED
    assert there() == set()
    assert len(terminate_jobs()) == 1


def test_an_aws_that_does_not_answer_is_told_and_changes_nothing(done):
    termination = asked_for(done)
    step(termination)
    before = list(termination.instances.order_by("pk").values())
    fault(Kind.UNREACHABLE, operation="DescribeJobs")
    for _ in range(4):
        step(termination)
    assert list(termination.instances.order_by("pk").values()) == before
    job = termination.jobs.get()
    assert job.state == JobState.STARTED
    assert "DescribeJobs" in job.message
    assert done.events.filter(kind="aws.silent").count() == 1
    world.faults.clear()
    all_terminated(carried_out(termination))


def test_an_instance_that_somebody_relaunched_is_left_alone(done, driver):  # E-70
    drs().start_recovery([known("app-0").server_id], drill=True)  # somebody, in the console
    pass_by(900)
    listed = {each.instance_id for each in drs().all_recovery_instances()}
    theirs = listed - set(done.servers.values_list("recovery_instance_id", flat=True))
    assert len(theirs) == 1
    termination = carried_out(asked_for(done))
    assert there() == theirs
    row = termination.instances.get(server__name="app-0")
    assert row.state == InstanceOutcome.GONE
    assert theirs.pop() in row.message
    assert "left alone" in row.message
    assert row.message in done.events.get(kind="instance.gone").message


def test_what_another_job_launched_is_left_alone_even_under_the_same_id(done):  # E-70
    mine = done.servers.get(name="app-0").recovery_instance_id
    drs_backends[NORTH][EAST].instances[mine].job_id = "drsjob-00000000000000000"
    termination = carried_out(asked_for(done))
    assert there() == {mine}
    assert outcomes(termination)["app-0"] == InstanceOutcome.LEFT
    assert termination.state == TerminationState.INCOMPLETE
    assert done.servers.get(name="app-0").instance_gone_at is None
    assert mine not in {each for call in terminate_jobs() for each in call}


def test_an_instance_that_drs_lists_for_another_server_is_left_alone(done):
    mine = done.servers.get(name="app-0").recovery_instance_id
    drs_backends[NORTH][EAST].instances[mine].server_id = "s-00000000000000000"
    termination = carried_out(asked_for(done))
    assert outcomes(termination)["app-0"] == InstanceOutcome.LEFT
    assert there() == {mine}


def test_what_somebody_terminated_before_us_is_gone(done):
    mine = list(done.servers.values_list("recovery_instance_id", flat=True))
    drs().terminate_recovery_instances(mine[:1])
    pass_by(900)
    termination = carried_out(asked_for(done))
    assert sorted(outcomes(termination).values()) == ["GONE", *["TERMINATED"] * 3]
    assert termination.state == TerminationState.COMPLETED


def test_what_drs_has_forgotten_and_ec2_keeps_is_not_called_gone(done):
    """Somebody disconnected and deleted it in DRS, which leaves it running in EC2."""
    mine = done.servers.get(name="app-0")
    forgotten = drs_backends[NORTH][EAST].instances.pop(mine.recovery_instance_id)
    termination = carried_out(asked_for(done))
    assert sorted(outcomes(termination).values()) == ["LEFT", *["TERMINATED"] * 3]
    assert termination.state == TerminationState.INCOMPLETE
    assert "EC2 has it (running)" in termination.instances.get(server=mine).message
    mine.refresh_from_db()
    assert mine.instance_gone_at is None

    forgotten.ec2.terminate()
    again = carried_out(asked_for(done))
    assert outcomes(again) == {"app-0": InstanceOutcome.GONE}


def test_drs_is_not_believed_that_it_terminated_what_ec2_still_runs(done, monkeypatch):
    def forget(backend, instance):
        backend.instances.pop(instance.id)

    monkeypatch.setattr("drportal.simulator.instances.remove", forget)
    monkeypatch.setattr("drportal.simulator.ec2.begin_termination", lambda _: None)
    termination = carried_out(asked_for(done))
    assert set(outcomes(termination).values()) == {InstanceOutcome.FAILED}
    assert "still there" in termination.instances.all()[0].message


def test_it_waits_for_a_job_that_somebody_else_started_and_says_so(done):
    mine = done.servers.get(name="app-0").recovery_instance_id
    theirs = drs().terminate_recovery_instances([mine])
    termination = asked_for(done)
    step(termination, forward=timedelta(seconds=1))
    job = termination.jobs.get()
    assert job.state == JobState.QUEUED
    assert theirs.job_id in job.message
    assert len(asked()) == 1
    carried_out(termination)
    assert termination.state == TerminationState.COMPLETED
    assert there() == set()


def test_an_instance_that_goes_between_the_look_and_the_question_keeps_none_back(done, monkeypatch):
    gone = done.servers.get(name="app-0").recovery_instance_id
    ask = Drs.terminate_recovery_instances

    def too_late(self, instance_ids, *, before):
        if there() & {gone}:
            drs_backends[NORTH][EAST].instances.pop(gone).ec2.terminate()
        return ask(self, instance_ids, before=before)

    monkeypatch.setattr(Drs, "terminate_recovery_instances", too_late)
    termination = carried_out(asked_for(done))
    assert sorted(outcomes(termination).values()) == ["GONE", *["TERMINATED"] * 3]


def test_what_drs_keeps_refusing_is_cut_until_the_one_at_fault_stands_alone(done, monkeypatch):
    guilty = done.servers.get(name="app-0").recovery_instance_id
    ask = Drs.terminate_recovery_instances

    def refused(self, instance_ids, *, before):
        if guilty in instance_ids:
            call = Call("TerminateRecoveryInstances", NORTH, EAST)
            raise AwsError(Failure.CONFLICT, "it is used elsewhere", call=call)
        return ask(self, instance_ids, before=before)

    monkeypatch.setattr(Drs, "terminate_recovery_instances", refused)
    termination = carried_out(asked_for(done))
    assert sorted(outcomes(termination).values()) == ["FAILED", *["TERMINATED"] * 3]
    assert there() == {guilty}
    assert "used elsewhere" in termination.instances.get(server__name="app-0").message


def test_a_role_that_may_not_says_so_at_once_and_terminates_nothing(done):
    fault(Kind.ACCESS_DENIED, operation="TerminateRecoveryInstances")
    termination = carried_out(asked_for(done))
    assert set(outcomes(termination).values()) == {InstanceOutcome.FAILED}
    assert termination.state == TerminationState.INCOMPLETE
    assert "AccessDenied" in termination.instances.all()[0].message
    assert len(asked()) == 1
    assert len(there()) == 4
    world.faults.clear()
    all_terminated(carried_out(asked_for(done)))


def test_a_worker_that_stood_still_does_not_ask_any_more(done, monkeypatch):
    ask = Drs.terminate_recovery_instances

    def stood_still(self, instance_ids, *, before):
        return ask(self, instance_ids, before=before - 3600)

    termination = asked_for(done)
    with monkeypatch.context() as patched:
        patched.setattr(Drs, "terminate_recovery_instances", stood_still)
        step(termination)
    assert asked() == []
    assert len(there()) == 4
    all_terminated(carried_out(termination))


def test_two_hundred_and_fifty_instances_become_batches(aws, driver):  # E-73
    world_of([server(f"app-{n}") for n in range(250)])
    registered()
    execution = driver.run(drill(plan_of(wave("Applications", group_of("app")))))
    assert len(there()) == 250
    termination = asked_for(execution)
    assert sorted(job.instances.count() for job in termination.jobs.all()) == [50, 100, 100]
    carried_out(termination)
    all_terminated(termination)
    assert sorted(map(len, terminate_jobs())) == [50, 100, 100]


def test_with_no_place_left_in_the_quotas_it_waits_and_says_why(done):
    backend = drs_backends[NORTH][EAST]
    theirs = [
        simulated.create(
            backend,
            kind="LAUNCH",
            initiated_by="START_DRILL",
            participants=[Participant(f"s-{n:017x}")],
        )
        for n in range(20)
    ]
    termination = asked_for(done)
    step(termination)
    assert "20 of 20 concurrent jobs" in termination.jobs.get().message
    assert asked() == []
    for job in theirs:
        simulated.complete(job, world.clock.now())
    all_terminated(carried_out(termination))


def test_what_has_no_end_in_a_day_is_unknown_and_may_be_asked_for_again(done):
    termination = asked_for(done)
    step(termination, forward=timedelta(0))
    TerminationJob.objects.update(started_at=F("started_at") - timedelta(hours=25))
    step(termination, forward=timedelta(0))
    termination.refresh_from_db()
    assert termination.state == TerminationState.INCOMPLETE
    assert set(outcomes(termination).values()) == {InstanceOutcome.UNKNOWN}
    assert termination.jobs.get().state == JobState.LOST
    all_terminated_later = carried_out(asked_for(done))
    assert there() == set()
    assert all_terminated_later.state == TerminationState.COMPLETED


def test_a_job_that_drs_forgot_is_told_by_the_instances(done):
    termination = asked_for(done)
    step(termination, forward=timedelta(minutes=15))
    assert drs().all_recovery_instances() == []
    job = termination.jobs.get()
    del drs_backends[NORTH][EAST].jobs[job.drs_job_id]
    TerminationJob.objects.update(started_at=F("started_at") - timedelta(hours=2))
    step(termination)
    termination.refresh_from_db()
    assert set(outcomes(termination).values()) == {InstanceOutcome.TERMINATED}
    assert termination.jobs.get().state == JobState.LOST


def test_a_session_that_is_over_is_made_anew(done):
    termination = asked_for(done)
    step(termination, forward=timedelta(hours=2))
    all_terminated(carried_out(termination))
