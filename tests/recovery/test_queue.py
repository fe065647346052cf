"""Quotas are a line to stand in: what does not fit waits, says why, and is not forgotten."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import ProtectionGroup, TargetAccount
from protection.services import accounts
from recovery.models import AccountClaim, Execution, JobWatch, LaunchJob, Wave
from recovery.services import advance, watch
from recovery.states import ExecutionState, JobState, Phase, ServerState, WaveState
from tests.factories.terminations import TerminationJobFactory
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
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


def drs() -> Drs:
    return Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST))


@pytest.fixture
def plan(aws):
    world_of([server(f"app-{n}") for n in range(2)] + [server(f"other-{n}") for n in range(25)])
    registered()
    return plan_of(wave("Applications", group_of("app"), time_limit=timedelta(minutes=30)))


def test_a_wave_of_150_servers_becomes_two_jobs(aws, driver):
    world_of([server(f"app-{n:03}") for n in range(150)])
    registered()
    execution = drill(plan_of(wave("Applications", group_of("app"))))
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert sorted(len(call.server_ids) for call in launches()) == [50, 100]


def test_with_20_jobs_running_a_launch_waits_says_why_and_then_goes(plan, driver):
    for n in range(20):
        drs().start_recovery([known(f"other-{n}").server_id], drill=True)
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    job = LaunchJob.objects.get()
    assert job.state == JobState.QUEUED
    assert "20 of 20 concurrent jobs" in job.message
    assert {row.phase for row in execution.servers.all()} == {Phase.QUEUED}
    told = execution.events.filter(kind="job.waiting")
    driver.step(execution, forward=timedelta(0))
    assert told.count() == 1  # said once, not at every look
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(launches()) == 21


def test_a_clean_up_that_drs_does_not_list_yet_takes_room_too(plan, driver):
    account = TargetAccount.objects.get(account_id=NORTH)
    for number in range(20):
        TerminationJobFactory.create(
            account=account, state=JobState.INTENDED, server_ids=[f"s-{number:017x}"], due_at=None
        )
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    job = LaunchJob.objects.get()
    assert job.state == JobState.QUEUED
    assert "20 of 20 concurrent jobs" in job.message
    assert launches() == []


def test_a_quota_that_only_drs_knows_of_makes_it_wait_too(plan, driver):
    world.settings.quotas.concurrent_jobs = 1
    drs().start_recovery([known("other-0").server_id], drill=True)
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    assert LaunchJob.objects.get().state == JobState.QUEUED
    assert launches()[-1].error == "ServiceQuotaExceededException"
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_what_waits_beyond_the_time_limit_fails_with_what_it_waited_for(plan, driver):
    for n in range(20):
        drs().start_recovery([known(f"other-{n}").server_id], drill=True)
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    Wave.objects.update(deadline_at=timezone.now())
    driver.step(execution, forward=timedelta(0))
    execution.refresh_from_db()
    assert execution.state == ExecutionState.TIMED_OUT
    row = execution.servers.get(name="app-0")
    assert row.state == ServerState.FAILED
    assert "20 of 20 concurrent jobs" in row.message
    assert execution.waves.get().state == WaveState.TIMED_OUT
    assert len(launches()) == 20


def test_an_intent_is_not_repeated_before_the_settling_time(plan, driver, settings):
    settings.LAUNCH_SETTLE_SECONDS = 3600
    world.faults.add(Fault(Kind.DROP_BEFORE, operation="StartRecovery", times=1))
    execution = drill(plan)
    for _ in range(5):
        driver.step(execution)
    assert len(launches()) == 1
    assert LaunchJob.objects.get().state == JobState.INTENDED
    settings.LAUNCH_SETTLE_SECONDS = 30
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(launches()) == 2


def seconds_to_poll(before: datetime) -> float:
    due = JobWatch.objects.get().due_at
    assert due is not None
    return (due - before).total_seconds()


def test_the_pace_of_polls_follows_the_settings(plan, driver, settings):
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    for fastest in (1, 7):
        settings.POLL_FASTEST_SECONDS = fastest
        JobWatch.objects.update(due_at=timezone.now(), changed_at=timezone.now())
        before = timezone.now()
        watch.poll(JobWatch.objects.get().pk)
        assert fastest <= seconds_to_poll(before) < fastest + 2
    settings.POLL_FASTEST_SECONDS, settings.POLL_SLOWEST_SECONDS = 1, 9
    hours_ago = timezone.now() - timedelta(hours=3)
    JobWatch.objects.update(due_at=timezone.now(), changed_at=hours_ago)
    before = timezone.now()
    watch.poll(JobWatch.objects.get().pk)
    assert 9 <= seconds_to_poll(before) < 11


def test_a_lease_that_is_held_keeps_others_out_for_its_time(plan, settings):
    settings.LEASE_SECONDS = 60
    execution = drill(plan)
    Execution.objects.update(leased_until=timezone.now() + timedelta(seconds=60))
    advance.advance(execution.pk)
    assert not launches()
    assert advance.due(timezone.now()) == []
    Execution.objects.update(leased_until=timezone.now())
    assert advance.due(timezone.now()) == [execution.pk]
    advance.advance(execution.pk)
    assert len(launches()) == 1


def test_an_account_that_is_gone_fails_its_servers_by_name(plan, driver):
    execution = drill(plan)
    plan.waves.all().delete()
    ProtectionGroup.objects.all().delete()
    AccountClaim.objects.all().delete()  # behind the portal's back: else it would be refused
    accounts.delete(TargetAccount.objects.get(account_id=NORTH), actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.FAILED
    assert set(states(execution).values()) == {ServerState.FAILED}
    assert NORTH in execution.servers.all()[0].message


def test_an_engine_that_breaks_says_so_and_recovers(plan, driver, monkeypatch):
    execution = drill(plan)

    def broken(*_):
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(advance, "next_steps", broken)
        Execution.objects.update(due_at=timezone.now())
        with pytest.raises(ZeroDivisionError):
            advance.advance(execution.pk)
    execution.refresh_from_db()
    assert "ZeroDivisionError" in execution.message
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert execution.message == ""
