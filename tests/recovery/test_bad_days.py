"""What DRS and the network do on a bad day: every server is named, none is lost or doubled."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.models import TargetAccount
from recovery.models import JobWatch, LaunchJob, ServerClaim, Wave
from recovery.services import advance, executions, watch
from recovery.states import ExecutionState, JobState, ServerState, WaveState
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
    SOUTH,
    drill,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    server,
    states,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


def id_of(name: str) -> str:
    return known(name).server_id


@pytest.fixture
def plan(aws):
    world_of([server(f"db-{n}") for n in (1, 2, 3, 4)] + [server("web-1"), server("web-2")])
    registered()
    return plan_of(
        wave("Databases", group_of("db"), time_limit=timedelta(minutes=30)),
        wave("Web", group_of("web"), depends_on=(1,)),
    )


def fault(kind: Kind, **more) -> None:
    world.faults.add(Fault(kind, **more))


def drs_jobs() -> list[list[str]]:
    """The server sets of the launch jobs that DRS really has."""
    return [
        sorted(entry.server_id for entry in job.participants)
        for account in (NORTH, SOUTH)
        for job in drs_backends[account][EAST].jobs.values()
    ]


def test_a_wave_with_bad_servers_names_each_and_is_never_green(plan, driver):
    fault(Kind.LAUNCH_FAIL, server=id_of("db-1"), raw_error="InsufficientInstanceCapacity")
    fault(Kind.SKIP, server=id_of("db-2"), raw_error="No recovery point")
    fault(Kind.NEVER_FINISH, server=id_of("db-3"))
    execution = drill(plan)
    for _ in range(40):
        driver.step(execution)
    assert execution.waves.get(position=1).state == WaveState.LAUNCHING

    Wave.objects.filter(execution=execution, position=1).update(deadline_at=timezone.now())
    driver.run(execution)
    found = {row.name: row for row in execution.servers.all()}
    assert found["db-1"].state == ServerState.FAILED
    assert "InsufficientInstanceCapacity" in found["db-1"].message
    assert found["db-2"].state == ServerState.SKIPPED
    assert "No recovery point" in found["db-2"].message
    assert found["db-3"].state == ServerState.UNKNOWN
    assert "time limit" in found["db-3"].message
    assert found["db-4"].state == ServerState.LAUNCHED
    first, second = execution.waves.order_by("position")
    assert (first.state, second.state) == (WaveState.TIMED_OUT, WaveState.BLOCKED)
    assert "Databases" in second.message
    assert {found["web-1"].state, found["web-2"].state} == {ServerState.BLOCKED}
    assert execution.state == ExecutionState.TIMED_OUT


def test_a_job_that_outlives_its_wave_is_watched_and_keeps_its_servers(plan, driver):
    fault(Kind.NEVER_FINISH, server=id_of("db-3"))
    execution = drill(plan)
    driver.step(execution)
    Wave.objects.filter(execution=execution, position=1).update(deadline_at=timezone.now())
    driver.run(execution)
    held = ServerClaim.objects.filter(released_at=None).values_list("server_id", flat=True)
    assert sorted(held) == sorted(id_of(f"db-{n}") for n in (1, 2, 3, 4))

    for _ in range(40):
        driver.step(execution)
    assert states(execution)["db-1"] == ServerState.LAUNCHED
    assert states(execution)["db-3"] == ServerState.UNKNOWN
    execution.refresh_from_db()
    assert execution.state == ExecutionState.TIMED_OUT  # what was known when it ended stays


@pytest.mark.parametrize(
    "lost", [Kind.TIMEOUT_AFTER, Kind.DROP_AFTER, Kind.TIMEOUT_BEFORE, Kind.DROP_BEFORE]
)
def test_a_lost_answer_leaves_one_job_per_intent(plan, driver, lost):
    fault(lost, operation="StartRecovery", times=1)
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(drs_jobs()) == len({tuple(servers) for servers in drs_jobs()}) == 2
    assert LaunchJob.objects.filter(state=JobState.ENDED).count() == 2


def test_a_5xx_may_or_may_not_have_launched_so_we_look(plan, driver):
    fault(Kind.SERVER_ERROR, operation="StartRecovery", times=1)
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(drs_jobs()) == 2


def test_a_job_that_is_listed_late_is_not_launched_again(plan, driver):
    fault(Kind.TIMEOUT_AFTER, operation="StartRecovery", times=1)
    fault(Kind.LIST_LATE, seconds=100)  # it is looked for in vain, and asked for again
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(drs_jobs()) == 2
    assert [call.error for call in launches()].count("ConflictException") >= 1


@pytest.mark.parametrize("seed", range(3))
def test_throttling_and_errors_delay_a_drill_and_never_fail_it(plan, driver, seed):
    world.seed(seed)
    fault(Kind.THROTTLE, probability=0.3, seconds=0)
    fault(Kind.SERVER_ERROR, probability=0.1, seconds=0)
    execution = drill(plan)
    driver.run(execution, most=400)
    assert execution.state == ExecutionState.COMPLETED
    assert len(drs_jobs()) == 2


def test_an_answer_that_does_not_come_is_shown_and_changes_no_server(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    before = list(execution.servers.order_by("pk").values())
    fault(Kind.UNREACHABLE, operation="DescribeJobs")
    driver.step(execution)
    assert list(execution.servers.order_by("pk").values()) == before
    seen = JobWatch.objects.get(account__account_id=NORTH)
    assert seen.failures == 1
    assert "DescribeJobs" in seen.message
    told = execution.events.filter(kind__startswith="aws.").order_by("pk")
    assert not told.exists()  # once is nothing
    for _ in range(4):
        driver.step(execution)
    assert [event.kind for event in told.all()] == ["aws.silent"]
    assert "DescribeJobs" in told.all()[0].message
    world.faults.clear()
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert [event.kind for event in told.all()] == ["aws.silent", "aws.answers"]


def test_a_denied_launch_fails_its_servers_with_the_reason(plan, driver):
    fault(Kind.ACCESS_DENIED, operation="StartRecovery")
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.FAILED
    first = execution.servers.get(name="db-1")
    assert first.state == ServerState.FAILED
    assert "AccessDenied" in first.message
    assert len(launches()) == 1


def test_one_server_that_drs_refuses_does_not_keep_the_others_down(plan, driver):
    backend = drs_backends[NORTH][EAST]
    del backend.servers[id_of("db-2")]  # gone from DRS since the inventory was listed
    execution = drill(plan)
    driver.run(execution)
    found = states(execution)
    assert found.pop("db-2") == ServerState.FAILED
    assert {found[f"db-{n}"] for n in (1, 3, 4)} == {ServerState.LAUNCHED}
    assert execution.waves.get(position=1).state == WaveState.PARTIAL


def test_a_wave_in_line_says_what_it_waits_for(aws, driver):
    world_of([server(f"app-{n}") for n in range(5)])
    registered()
    plan = plan_of(wave("Applications", group_of("app")))
    drs = Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST))
    drs.start_recovery([id_of("app-0")], drill=False)  # somebody, in the console
    execution = drill(plan)
    driver.step(execution)
    row = execution.servers.get(name="app-1")
    assert row.phase == "QUEUED"
    assert id_of("app-0") in row.message
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(launches()) == 2


def test_two_workers_at_once_do_the_work_once(plan):
    execution = drill(plan)

    def work(_):
        try:
            advance.advance(execution.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(launches()) == 1
    JobWatch.objects.update(due_at=timezone.now())
    watched = JobWatch.objects.get()

    def look(_):
        try:
            watch.poll(watched.pk)
        finally:
            connection.close()

    before = world.calls.count(operation="DescribeJobs")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(look, range(8)))
    assert world.calls.count(operation="DescribeJobs") == before + 1


def test_a_worker_that_stood_still_does_not_ask_any_more(plan, driver, monkeypatch):
    """Others may have asked meanwhile, and their job may have ended."""
    execution = drill(plan)
    asked = Drs.start_recovery

    def stood_still(self, server_ids, *, before, **said):
        return asked(self, server_ids, before=before - 3600, **said)

    with monkeypatch.context() as patched:
        patched.setattr(Drs, "start_recovery", stood_still)
        driver.step(execution)
    assert launches() == []
    assert LaunchJob.objects.get().state == JobState.QUEUED
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(drs_jobs()) == 2


def test_a_job_of_the_first_ask_is_watched_although_it_was_asked_again(plan, driver):
    """DRS may list late what it heard first; the last ask is then long after the job's birth."""
    execution = drill(plan)
    driver.step(execution)
    late = timezone.now() + timedelta(minutes=30)
    LaunchJob.objects.update(asked_at=late)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_a_cancelled_launch_that_drs_did_not_hear_says_cancelled(plan, driver):
    fault(Kind.DROP_BEFORE, operation="StartRecovery", times=1)
    execution = drill(plan)
    driver.step(execution)
    assert LaunchJob.objects.get().state == JobState.INTENDED
    executions.cancel(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.CANCELLED
    assert set(states(execution).values()) == {ServerState.CANCELLED}
    assert "cancelled" in LaunchJob.objects.get().message
    assert drs_jobs() == []


def test_a_cancelled_launch_that_drs_lists_late_is_not_given_up(plan, driver):
    """Nobody asks again, so DRS refuses nothing: only the time for listing it saves its servers."""
    fault(Kind.DROP_AFTER, operation="StartRecovery", times=1)
    fault(Kind.LIST_LATE, seconds=45)
    execution = drill(plan)
    driver.step(execution)
    executions.cancel(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.CANCELLED
    assert {states(execution)[f"db-{n}"] for n in (1, 2, 3, 4)} == {ServerState.LAUNCHED}
    assert [job.state for job in LaunchJob.objects.all()] == [JobState.ENDED]
    assert len(drs_jobs()) == 1
