"""AWS is asked anew before each wave, and what it says keeps the wave from launching (E-31)."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord, Outcome
from drportal.aws.drs import Drs
from drportal.aws.roles import forget_sessions
from drportal.simulator.accounts import Role
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.models import TargetAccount
from recovery.errors import NothingToOverride, ReasonNeeded
from recovery.models import Execution, Notice, Preflight, RecoveryPlan, WavePreflight
from recovery.services import executions, preflights, steering, wave_overrides
from recovery.states import ExecutionState, WaveState
from recovery.states import Kind as ExecutionKind
from recovery.tasks import carry_out_preflight
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    drill,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    role,
    server,
    states,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws) -> RecoveryPlan:
    world_of([server("db-1"), server("db-2"), server("web-1", account=SOUTH)])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Web", group_of("web", account=SOUTH), depends_on=(1,), gate=True),
        asks=True,
    )


def row_of(execution: Execution, position: int) -> WavePreflight:
    return WavePreflight.objects.get(wave__execution=execution, wave__position=position)


def wave_state(execution: Execution, position: int) -> str:
    return execution.waves.get(position=position).state


def at_the_gate(execution: Execution) -> bool:
    return execution.state == ExecutionState.PAUSED


def test_a_good_world_is_asked_once_before_each_wave_and_launches(plan, driver):
    execution = driver.run(drill(plan), until=at_the_gate)
    assert row_of(execution, 1).outcome == "WARNING"  # it has no RPO, and nothing is set
    assert not WavePreflight.objects.filter(wave__position=2).exists()
    executions.resume(execution, position=2, actor=PERSON)
    execution = driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    opened = execution.waves.get(position=2)
    assert WavePreflight.objects.filter(wave=opened, asked_at__gt=opened.gate_opened_at).exists()
    assert len(launches()) == 2
    assert not execution.events.filter(kind__startswith="wave.preflight").exists()


def test_what_turned_bad_since_the_start_keeps_the_wave_from_launching_until_it_is_good(
    plan, driver
):
    # E-31: the inventory, and the preflight of the start, found all well.
    execution = drill(plan)
    fault = Fault(Kind.ACCESS_DENIED, operation="DescribeSourceServers", account=NORTH)
    world.faults.add(fault)
    for _ in range(4):
        driver.step(execution)
    assert launches() == []
    assert wave_state(execution, 1) == WaveState.PENDING
    execution.refresh_from_db()
    assert execution.state == ExecutionState.RUNNING
    row = row_of(execution, 1)
    assert row.refusals >= 3
    assert (row.outcome, "drs" in row.in_the_way) == ("FAILED", True)
    assert row.due_at is not None
    told = execution.events.filter(kind="wave.preflight_blocks")
    assert told.count() == 1  # what is no news is not told again
    assert Notice.objects.filter(kind="WAVE_HELD", execution=execution).count() == 1
    record = AuditRecord.objects.get(event="recovery.wave_preflight.blocks")
    assert record.outcome == Outcome.FAILED
    world.faults.clear()
    driver.run(execution, until=at_the_gate)
    assert wave_state(execution, 1) == WaveState.COMPLETED
    assert execution.events.filter(kind="wave.preflight_passed").count() == 1
    assert len(launches()) == 1


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.SERVER_ERROR, Kind.UNREACHABLE])
@pytest.mark.parametrize("operation", ["DescribeJobs", "DescribeRecoveryInstances"])
def test_what_aws_does_not_answer_is_unknown_and_blocks(plan, driver, kind, operation):
    # E-23: no check passes because it could not be made.
    execution = drill(plan)
    world.faults.add(Fault(kind, operation=operation, account=NORTH))
    driver.step(execution)
    assert launches() == []
    assert row_of(execution, 1).outcome == "UNKNOWN"


def test_after_a_gate_that_was_shut_for_long_nothing_old_counts(plan, driver):
    execution = driver.run(drill(plan), until=at_the_gate)
    world.accounts.add_role(Role(role(SOUTH), trust=[HUB], external_id="changed"))
    forget_sessions()
    executions.resume(execution, position=2, actor=PERSON)
    driver.step(execution)
    assert "account" in row_of(execution, 2).in_the_way
    assert len(launches()) == 1
    world.accounts.add_role(Role(role(SOUTH), trust=[HUB], external_id=EXTERNAL_ID))
    assert driver.run(execution).state == ExecutionState.COMPLETED


def test_what_was_asked_is_worth_a_short_time_only(plan, driver, settings):
    execution = drill(plan)
    steering.pause(execution, actor=PERSON)
    driver.step(execution)
    steering.lift_pause(execution, actor=PERSON)
    first = execution.waves.get(position=1)
    long_ago = timezone.now() - timedelta(seconds=settings.WAVE_PREFLIGHT_WORTH_SECONDS + 1)
    WavePreflight.objects.create(
        wave=first, asked_at=long_ago, looked_at=long_ago, outcome="PASSED", digest="of others"
    )
    driver.step(execution)
    assert not WavePreflight.objects.filter(asked_at=long_ago).exists()
    assert len(launches()) == 1


def test_a_person_overrides_what_blocks_now_and_nothing_else(plan, driver):
    execution = drill(plan)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs", account=NORTH))
    with pytest.raises(NothingToOverride):
        wave_overrides.override(execution, position=1, reason="Now", actor=PERSON)
    driver.step(execution)
    with pytest.raises(ReasonNeeded):
        wave_overrides.override(execution, position=1, reason=" ", actor=PERSON)
    wave_overrides.override(execution, position=1, reason="The region is lost", actor=PERSON)
    world.faults.add(
        Fault(Kind.ACCESS_DENIED, operation="DescribeRecoveryInstances", account=NORTH)
    )
    WavePreflight.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    WavePreflight.objects.update(looked_at=timezone.now() - timedelta(hours=1))
    driver.step(execution)
    assert row_of(execution, 1).in_the_way == {"instances"}
    assert wave_state(execution, 1) == WaveState.PENDING
    wave_overrides.override(execution, position=1, reason="That too", actor=PERSON)
    driver.step(execution)
    assert wave_state(execution, 1) == WaveState.LAUNCHING
    records = AuditRecord.objects.filter(event="recovery.wave_preflight.overridden")
    reasons = records.order_by("id").values_list("facts__reason", flat=True)
    assert list(reasons) == ["The region is lost", "That too"]
    world.faults.clear()
    driver.run(execution, until=at_the_gate)
    assert len(launches()) == 1


def test_what_was_overridden_at_the_start_is_overridden_before_the_same_waves(plan, driver):
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs", account=NORTH))
    asked = preflights.ask(plan, actor=PERSON)
    carry_out_preflight(preflight_id=str(asked.pk))
    assert Preflight.objects.get().outcome == "UNKNOWN"
    execution = executions.start(
        plan, kind=ExecutionKind.DRILL, reason="It is lost", overriding=True, actor=PERSON
    )
    assert row_of(execution, 1).overridden == ["held", "quotas"]
    assert not WavePreflight.objects.filter(wave__position=2).exists()
    driver.step(execution)
    assert wave_state(execution, 1) == WaveState.LAUNCHING


def test_who_leaves_out_what_is_wrong_lets_the_rest_launch_at_once(plan, driver):
    execution = drill(plan)
    gone = known("db-2").server_id
    drs_backends[NORTH][EAST].servers.pop(gone)
    driver.step(execution)
    (check,) = [each for each in row_of(execution, 1).checks if each["outcome"] == "FAILED"]
    # E-33: a server that DRS does not list is not passed over.
    assert (check["code"], check["server_ids"]) == ("replication", [gone])
    steering.leave_out(execution, position=1, server_ids=[gone], reason="Gone", actor=PERSON)
    driver.run(execution, until=at_the_gate)
    assert states(execution) == {"db-1": "LAUNCHED", "db-2": "LEFT_OUT", "web-1": "PENDING"}


def test_a_server_in_somebody_elses_job_waits_in_line_as_it_does_for_a_quota(plan, driver):
    Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST)).start_recovery(
        [known("db-1").server_id], drill=True
    )
    execution = drill(plan)
    driver.step(execution)
    assert wave_state(execution, 1) == WaveState.LAUNCHING
    (job,) = execution.jobs.all()
    assert "is in DRS job" in job.message
    driver.run(execution, until=at_the_gate)
    assert wave_state(execution, 1) == WaveState.COMPLETED


def test_where_the_plan_says_so_nobody_is_asked(plan, driver):
    execution = drill(plan)
    Execution.objects.update(preflight_before_waves=False)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="GetLaunchConfiguration"))
    driver.run(execution, until=at_the_gate)
    assert not WavePreflight.objects.exists()


def test_a_cancelled_execution_asks_nobody(plan, driver):
    execution = drill(plan)
    executions.cancel(execution, actor=PERSON)
    before = len(world.calls.matching())
    driver.run(execution)
    assert len(world.calls.matching()) == before


def test_hundreds_of_servers_are_asked_about_in_few_calls_but_two_for_each(aws, driver):
    world_of([server(f"db-{n}") for n in range(30)])
    registered()
    execution = drill(plan_of(wave("Databases", group_of("db")), asks=True))
    before = len(world.calls.matching(service="drs"))
    driver.step(execution)
    asked = world.calls.matching(service="drs")[before:]
    by_name = [call.operation for call in asked]
    assert by_name.count("GetLaunchConfiguration") == 30
    assert by_name.count("DescribeSourceServers") == 2
    assert len(by_name) - 30 <= 8


@pytest.mark.parametrize("point", ["wave.asked", "wave.asked_and_written"])
def test_a_worker_that_dies_while_it_asks_is_followed_by_one_that_launches_once(
    plan, driver, monkeypatch, point
):
    execution = drill(plan)
    died: list[str] = []

    def dying(name: str, **_: str) -> None:
        if name == point and not died:
            died.append(name)
            raise RuntimeError("The worker is gone.")

    monkeypatch.setattr("recovery.services.wave_preflights.checkpoint", dying)
    with pytest.raises(RuntimeError):
        driver.step(execution)
    assert launches() == []
    driver.run(execution, until=at_the_gate)
    assert (died, len(launches())) == ([point], 1)
