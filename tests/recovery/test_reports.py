"""What the report of an execution says, of real runs and of rows that say what is not known."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drportal.aws.drs import Drs
from protection.models import TargetAccount
from recovery.engine.measures import Spent, Verdict
from recovery.models import WaveServer
from recovery.services import executions, plans
from recovery.services.plan_documents import document, spec_in
from recovery.services.reports import report
from recovery.states import ExecutionState, JobState, ServerState
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
)
from tests.factories.recovery import plan_of as rows_of
from tests.worlds import (
    EAST,
    NORTH,
    PERSON,
    drill,
    group_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of([*(server(f"db-{n}") for n in (1, 2)), server("web-1"), server("late-1")])
    registered()
    waves = (
        wave("Databases", group_of("db")),
        wave("Web", group_of("web"), depends_on=(1,), gate=True),
    )
    return plans.create(name="Shop", waves=waves, rto=timedelta(hours=10), actor=PERSON)


def run(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    executions.resume(execution, comment="Looked.", actor=PERSON)
    driver.run(execution)
    return execution


def test_a_drill_that_went_well_is_measured_from_its_request(plan, driver):
    execution = run(plan, driver)
    found = report(execution)
    measured = found.measured
    last = max(row.finished_at for row in execution.servers.all())
    assert measured.rto_taken == last - execution.created_at
    assert [line.launched for line in measured.waves] == [2, 1]
    assert measured.waves[1].since_request == measured.rto_taken
    assert sum(measured.spent.values(), timedelta(0)) == measured.took
    assert measured.spent[Spent.AWS] > timedelta(0)
    assert found.final
    assert found.events[0].kind == "execution.requested"
    assert found.events[-1].kind == "execution.ended"


def test_the_recovery_point_is_what_drs_told_of_the_jobs_own_instance(plan, driver):
    execution = run(plan, driver)
    drs = Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST))
    told = {each.server_id: each.point_in_time for each in drs.all_recovery_instances()}
    for row in execution.servers.all():
        assert row.recovery_point_at == told[row.server_id]
    points = report(execution).measured.points
    assert len(points) == 3
    assert all(point.age is not None and point.age >= timedelta(0) for point in points)


def rows(*, rpo=None, rto=None, states=(ServerState.LAUNCHED,), point=timedelta(minutes=5)):
    plan = rows_of(rto=rto, rpo=rpo)
    execution = ExecutionFactory.create(plan=plan, state=ExecutionState.PARTIAL)
    made = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(execution=execution, wave=made, asked_at=timezone.now())
    for state in states:
        WaveServerFactory.create(
            execution=execution,
            wave=made,
            launch_job=job,
            state=state,
            finished_at=timezone.now(),
            recovery_point_at=None if point is None else job.asked_at - point,
        )
    return execution


def test_where_the_time_went_is_read_from_waves_and_jobs():
    begin = timezone.now() - timedelta(hours=2)

    def at(minutes):
        return begin + timedelta(minutes=minutes)

    execution = ExecutionFactory.create(
        state=ExecutionState.COMPLETED, created_at=begin, finished_at=at(100)
    )
    gated = WaveFactory.create(
        execution=execution,
        gate=True,
        gate_reached_at=at(5),
        gate_opened_at=at(25),
        wait=timedelta(minutes=10),
        wait_until=at(35),
    )
    LaunchJobFactory.create(
        wave=gated,
        state=JobState.ENDED,
        drs_job_id="drsjob-1",
        created_at=at(35),
        intended_at=at(50),
        asked_at=at(50),
        ended_at=at(95),
    )
    assert report(execution).measured.spent == {
        Spent.PORTAL: timedelta(minutes=10),
        Spent.PEOPLE: timedelta(minutes=20),
        Spent.TIMER: timedelta(minutes=10),
        Spent.QUEUE: timedelta(minutes=15),
        Spent.AWS: timedelta(minutes=45),
    }


@pytest.mark.parametrize(
    ("point", "rpo", "verdict"),
    [
        (timedelta(minutes=5), timedelta(minutes=15), Verdict.KEPT),
        (timedelta(minutes=16), timedelta(minutes=15), Verdict.MISSED),
        (None, timedelta(minutes=15), Verdict.UNKNOWN),
        (timedelta(minutes=5), None, Verdict.NO_TARGET),
    ],
)
def test_an_rpo_is_kept_only_by_points_that_are_known(point, rpo, verdict):
    measured = report(rows(rpo=rpo, point=point)).measured
    assert measured.rpo_verdict == verdict
    assert measured.rpo_worst == point
    assert measured.rpo_unknown == (1 if point is None else 0)


@pytest.mark.parametrize(
    "state", [ServerState.FAILED, ServerState.SKIPPED, ServerState.UNKNOWN, ServerState.BLOCKED]
)
def test_an_rto_is_missed_if_a_critical_server_never_came_back(state):
    measured = report(rows(rto=timedelta(days=1), states=(ServerState.LAUNCHED, state))).measured
    assert (measured.rto_taken, measured.rto_verdict) == (None, Verdict.MISSED)
    assert (measured.waves[0].launched, measured.waves[0].critical) == (1, 2)


def test_an_optional_server_does_not_hold_the_rto_up():
    execution = rows(rto=timedelta(days=1), states=(ServerState.LAUNCHED, ServerState.FAILED))
    WaveServer.objects.filter(state=ServerState.FAILED).update(critical=False)
    assert report(execution).measured.rto_verdict == Verdict.KEPT


def test_what_is_different_since_the_last_drill_is_told(plan, driver):
    first = run(plan, driver)
    assert report(first).since is None
    waves = (*spec_in(document(plan)).waves, wave("Last", group_of("late"), depends_on=(2,)))
    plan = plans.edit(plan, name=plan.name, waves=waves, description="More.", actor=PERSON)
    second = run(plan, driver)
    since = report(second).since
    assert since is not None
    assert since.execution == first
    assert since.changes is not None
    assert [change.field for change in since.changes.plan] == ["description", "rto_seconds"]
    assert [change.name for change in since.changes.waves] == ["Last"]
    assert [name.split()[0] for name in since.servers_added] == ["late-1"]
    assert since.servers_left_out == []


def test_a_report_costs_the_same_however_many_servers_there_are():
    small = rows()
    large = rows(states=(ServerState.LAUNCHED,) * 30)
    costs = []
    for execution in (small, large):
        with CaptureQueriesContext(connection) as queries:
            report(execution)
        costs.append(len(queries))
    assert costs[0] == costs[1]


def test_without_a_critical_server_the_rto_is_neither_kept_nor_missed():
    execution = rows(rto=timedelta(days=1))
    WaveServer.objects.update(critical=False)
    measured = report(execution).measured
    assert (measured.critical, measured.rto_verdict) == (0, Verdict.UNKNOWN)


def test_what_a_deleted_plan_promised_is_unknown_and_not_nothing():
    execution = rows(rto=timedelta(days=1), rpo=timedelta(minutes=15))
    assert report(execution).measured.targets_known
    execution.plan.delete()
    measured = report(execution).measured
    assert not measured.targets_known
    assert (measured.rto_verdict, measured.rpo_verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
