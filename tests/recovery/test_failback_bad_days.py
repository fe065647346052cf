"""What DRS, the network and dying workers do to a failback: it is delayed, and nothing is asked
twice, lost or taken for good.
"""

import logging
from datetime import timedelta

import pytest
from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.aws.failback import FailbackDrs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.models import TargetAccount
from recovery.errors import FailbackNotReady, NothingToFailBack
from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.models import Failback, FailbackJob, JobWatch, ServerClaim
from recovery.services import failback_runs, failbacks
from recovery.states import JobState
from recovery.states import Kind as ExecutionKind
from tests.factories.failbacks import returning
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import ExecutionFactory, WaveServerFactory
from tests.factories.terminations import launched
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
    make_due,
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
    SOUTH,
    WEST,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def done(aws, driver):
    """A recovery of one server of each origin."""
    world_of([from_aws("web-1"), server("prem-1")])
    registered()
    return driver.run(recovery(plan_of(wave("All", group_of("web"), group_of("prem")))))


@pytest.fixture
def of_aws(aws, driver):
    """A recovery of two servers that came from AWS."""
    world_of([from_aws("web-1"), from_aws("web-2")])
    registered()
    return driver.run(recovery(plan_of(wave("All", group_of("web")))))


@pytest.fixture
def three(aws, driver):
    """A recovery of servers of both origins, in two jobs on their way back."""
    world_of([from_aws("web-1"), from_aws("web-2"), server("prem-1")])
    registered()
    return driver.run(recovery(plan_of(wave("All", group_of("web"), group_of("prem")))))


def fault(kind: Kind, **more) -> None:
    world.faults.add(Fault(kind, **more))


def reversed_servers() -> int:
    """How many servers the reversals really made where the instances came from."""
    return len(drs_backends[NORTH][WEST].servers)


def once_and_well(failback: Failback, *, on_premises: bool = True) -> None:
    """It came back, all of it, and DRS did everything once."""
    assert failback.state == FailbackState.COMPLETED
    assert set(states(failback).values()) == {ReturnState.FINISHED}
    assert abroad() == set()
    assert reversed_servers() == len(at_home()) == failback.instances.filter(origin="AWS").count()
    assert len(launch_jobs("START_RECOVERY", region=WEST)) == 1
    assert len(launch_jobs("FAILBACK", region=EAST)) == (1 if on_premises else 0)


OPERATIONS = (
    "ReverseReplication",
    "StartRecovery",
    "StartFailbackLaunch",
    "DisconnectRecoveryInstance",
)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("lost", [Kind.TIMEOUT_AFTER, Kind.DROP_BEFORE])
def test_lost_answers_are_looked_for_and_nothing_is_done_twice(done, operation, lost):
    fault(lost, operation=operation, times=1)
    connect_clients(done)
    failback = finished(asked_for(done))
    once_and_well(failback)
    heard = lost == Kind.TIMEOUT_AFTER
    before = 1 if operation == "StartRecovery" else 0  # the recovery's own
    rows = 2 if operation == "DisconnectRecoveryInstance" else 1
    assert len(asked(operation)) == before + rows + (0 if heard else 1)


def test_a_lost_launch_is_not_asked_again_before_drs_had_time_to_list_it(of_aws):
    failback = ready(asked_for(of_aws))
    fault(Kind.DROP_BEFORE, operation="StartRecovery", times=1)
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    before = len(asked("StartRecovery"))
    step(failback)
    job = FailbackJob.objects.get()
    assert job.state == JobState.INTENDED
    assert "not known" in job.message
    now = timezone.now()
    FailbackJob.objects.update(due_at=now, asked_at=now)
    Failback.objects.update(due_at=now)
    failback_runs.carry_out(failback.pk)
    assert len(asked("StartRecovery")) == before + 1


def test_throttling_and_errors_delay_it_and_nothing_more(done):
    connect_clients(done)
    for operation in OPERATIONS:
        fault(Kind.THROTTLE, operation=operation, times=2, seconds=0)
        fault(Kind.SERVER_ERROR, operation=operation, times=1, seconds=0)
    once_and_well(finished(asked_for(done)))


def test_silence_is_shown_and_never_taken_for_ready(of_aws):
    failback = ready(asked_for(of_aws))
    fault(Kind.UNREACHABLE, service="drs", region=WEST)
    step(failback)
    assert set(states(failback).values()) == {ReturnState.REPLICATING}
    row = failback.instances.first()
    assert row is not None
    assert "AWS does not tell" in row.message
    failback.refresh_from_db()
    assert failback.message
    with pytest.raises(FailbackNotReady, match="AWS does not tell"):
        failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    world.faults.clear()
    ready(failback)
    assert failback.message == ""


def test_what_is_not_ready_any_more_waits_and_is_not_launched(of_aws):
    failback = ready(asked_for(of_aws))
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    before = len(asked("StartRecovery"))
    fault(Kind.REPLICATION_STALLED, region=WEST)
    step(failback)
    step(failback)
    job = FailbackJob.objects.get()
    assert job.state == JobState.QUEUED
    assert "not ready any more" in job.message
    assert len(asked("StartRecovery")) == before
    # What waits may still be left out, and the rest goes.
    world.faults.clear()
    row = failback.instances.get(server__name="web-1")
    failbacks.leave_out(of_aws, server_ids=[row.source_server_id], reason="x", actor=PERSON)
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)
    assert states(failback) == {"web-1": "LEFT_OUT", "web-2": "LAUNCHED"}
    assert [len(job) for job in launch_jobs("START_RECOVERY", region=WEST)] == [1]


@pytest.mark.parametrize("kind", [Kind.ACCESS_DENIED, Kind.UNINITIALIZED])
def test_a_refusal_to_reverse_is_told_for_that_instance_and_the_others_go(done, kind):
    fault(kind, operation="ReverseReplication")
    connect_clients(done)
    failback = launched_back(asked_for(done))
    assert states(failback) == {"web-1": "FAILED", "prem-1": "LAUNCHED"}
    assert "DRS refused to reverse" in failback.instances.get(server__name="web-1").message
    assert len(asked("ReverseReplication")) == 3  # a refusal is met with another look, twice
    assert len(abroad()) == 2


def test_one_that_was_reversed_at_the_console_is_adopted(of_aws):
    row = of_aws.servers.get(name="web-1")
    scope = TargetAccount.objects.get(account_id=NORTH).scope(EAST)
    arn = FailbackDrs(scope).reverse_replication(row.recovery_instance_id)
    failback = asked_for(of_aws)
    step(failback)
    assert failback.instances.get(server=row).reversed_arn == arn
    assert len(asked("ReverseReplication")) == 2
    assert reversed_servers() == 2
    once_and_well(finished(failback), on_premises=False)


def test_an_origin_that_the_portal_does_not_know_blocks_and_names_the_remedy(aws, driver):
    world_of([from_aws("web-1", account=SOUTH, region=WEST)])
    registered()
    done = driver.run(recovery(plan_of(wave("All", group_of("web")))))
    south = TargetAccount.objects.get(account_id=SOUTH)
    kept = {"name": south.name, "role_arn": south.role_arn, "external_id": south.external_id}
    south.delete()
    failback = asked_for(done)
    step(failback)
    row = failback.instances.get()
    assert row.state == ReturnState.WAITING
    assert f"Account {SOUTH} is not registered" in row.message
    assert asked("ReverseReplication") == []
    TargetAccount.objects.create(account_id=SOUTH, **kept)
    finished(failback)
    assert failback.state == FailbackState.COMPLETED
    assert len(at_home(SOUTH)) == 1


def test_an_instance_that_is_another_jobs_is_not_touched(of_aws):
    row = of_aws.servers.get(name="web-1")
    drs_backends[NORTH][EAST].instances[row.recovery_instance_id].job_id = "drsjob-another"
    failback = asked_for(of_aws)
    step(failback)
    assert states(failback)["web-1"] == ReturnState.FAILED
    assert "drsjob-another launched it" in failback.instances.get(server=row).message
    assert len(asked("ReverseReplication")) == 1


def test_one_that_cannot_be_launched_keeps_no_other_down(of_aws):
    failback = ready(asked_for(of_aws))
    row = failback.instances.get(server__name="web-1")
    backend = drs_backends[NORTH][WEST]
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    fault(Kind.LAUNCH_FAIL, region=WEST, server=row.reversed_server_id, raw_error="no room")
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)
    assert states(failback) == {"web-1": "FAILED", "web-2": "LAUNCHED"}
    assert "no room" in failback.instances.get(pk=row.pk).message
    assert len(backend.instances) == 1


def test_a_foreign_job_that_has_a_server_delays_the_launch_and_says_so(of_aws):
    failback = ready(asked_for(of_aws))
    scope = TargetAccount.objects.get(account_id=NORTH).scope(WEST)
    mine = failback.instances.first()
    assert mine is not None
    foreign = Drs(scope).start_recovery([mine.reversed_server_id], drill=True)
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    step(failback, forward=timedelta(seconds=1))
    job = FailbackJob.objects.get()
    assert job.state == JobState.QUEUED
    assert foreign.job_id in job.message
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)
    assert set(states(failback).values()) == {ReturnState.LAUNCHED}


def test_a_server_that_another_execution_holds_at_home_is_not_launched(of_aws):
    failback = ready(asked_for(of_aws))
    row = failback.instances.first()
    assert row is not None
    held = {"account_id": NORTH, "region": WEST, "server_id": row.reversed_server_id}
    ServerClaim.objects.create(execution=ExecutionFactory.create(), **held)
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    before = len(asked("StartRecovery"))
    step(failback)
    assert "is held by execution" in FailbackJob.objects.get().message
    assert len(asked("StartRecovery")) == before
    ServerClaim.objects.filter(server_id=row.reversed_server_id).update(released_at=timezone.now())
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)


def test_a_job_that_drs_does_not_list_any_more_leaves_its_servers_unknown_and_kept(of_aws):
    failback = ready(asked_for(of_aws))
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    step(failback, forward=timedelta(seconds=1))
    drs_backends[NORTH][WEST].jobs.clear()
    FailbackJob.objects.update(started_at=timezone.now() - timedelta(hours=2))
    run(failback)
    assert failback.state == FailbackState.FAILED
    assert set(states(failback).values()) == {ReturnState.UNKNOWN}
    assert len(abroad()) == 2
    with pytest.raises(NothingToFailBack):  # nobody knows, so not a second time
        asked_for(of_aws)


def test_a_job_that_was_never_asked_for_waits_out_any_silence(of_aws):
    failback = ready(asked_for(of_aws))
    fault(Kind.REPLICATION_STALLED, region=WEST)
    failbacks.open_gate(of_aws, gate=Gate.LAUNCH, actor=PERSON)
    step(failback)
    FailbackJob.objects.update(created_at=timezone.now() - timedelta(days=3))
    fault(Kind.UNREACHABLE, service="drs", region=WEST)
    step(failback)
    assert FailbackJob.objects.get().state == JobState.QUEUED
    world.faults.clear()
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)


def test_many_servers_become_as_many_jobs_as_drs_wants(db):
    execution = launched(ExecutionKind.RECOVERY)
    wave_ = execution.waves.get()
    account = TargetAccountFactory.create()
    for _ in range(148):
        WaveServerFactory.create(wave=wave_)
    failback = returning(execution, FailbackState.LAUNCHING)
    place = {"origin_account_id": account.account_id, "origin_region": WEST}
    failback.instances.update(**place)
    failback_runs._queue_jobs(failback)
    failback_runs._queue_jobs(failback)
    sizes = sorted(job.instances.count() for job in failback.jobs.all())
    assert sizes == [50, 100]
    assert not failback.instances.filter(job=None).exists()


@pytest.mark.parametrize("lost", [Kind.TIMEOUT_AFTER, Kind.DROP_BEFORE])
def test_stopping_is_asked_once_and_what_is_not_known_is_said(of_aws, lost):
    failback = asked_for(of_aws)
    step(failback)
    fault(lost, operation="StopFailback")
    failbacks.cancel(of_aws, actor=PERSON)
    run(failback)
    assert failback.state == FailbackState.CANCELLED
    assert len(asked("StopFailback")) == 2  # once for each
    said = set(failback.instances.values_list("message", flat=True))
    if lost == Kind.TIMEOUT_AFTER:
        assert said == {"Its failback is stopped."}
    else:
        assert all("is not known" in each for each in said)


class Killed(BaseException):
    """As if the worker's process had ended."""


POINTS = (
    *("failback.leased", "failback.looked", "failback.reversing", "failback.reversal_answered"),
    *("failback.reversed", "failback.intended", "failback.answered", "failback.adopted"),
    *("failback.watched", "failback.disconnecting", "failback.disconnected"),
    *("failback.clean_up_begun", "failback.released"),
)


class Kills(logging.Filter):
    """Dies once at each point."""

    def __init__(self) -> None:
        super().__init__()
        self.left = set(POINTS)

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage() in self.left:
            self.left.remove(record.getMessage())
            raise Killed
        return True


@pytest.fixture
def kills():
    checkpoints = logging.getLogger("drportal.checkpoint")
    found, before = Kills(), checkpoints.level
    checkpoints.addFilter(found)
    checkpoints.setLevel(logging.DEBUG)
    yield found
    checkpoints.removeFilter(found)
    checkpoints.setLevel(before)


def test_a_worker_dies_at_every_point_and_nothing_is_done_twice(three, kills, monkeypatch):
    real = failback_runs.carry_out

    def dying(pk):
        try:
            real(pk)
        except Killed:
            make_due()

    monkeypatch.setattr(failback_runs, "carry_out", dying)
    connect_clients(three)
    failback = finished(asked_for(three))
    assert kills.left == set()
    once_and_well(failback)
    assert JobWatch.objects.exists()
