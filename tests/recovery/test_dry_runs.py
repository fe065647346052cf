"""Dry runs against the database and, in one, against what then really happens."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drportal.aws.roles import forget_sessions
from drportal.mirror.models import OutboxEntry
from recovery.engine.dry_run import Moment
from recovery.engine.options import StartOptions
from recovery.errors import InvalidOptions
from recovery.models import Execution, LaunchJob, WaveServer
from recovery.services.dry_runs import Against, Basis, dry_run, verdict
from recovery.states import ExecutionState, JobState, ServerState, WaveState
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.terminations import TerminationJobFactory
from tests.worlds import (
    SOUTH,
    WEST,
    drill,
    group_of,
    registered,
    server,
    wave,
    world_of,
)
from tests.worlds import plan_of as plan_in_world

MINUTE = timedelta(minutes=1)


def at(minutes: float, *, sure: bool = True) -> Moment:
    return Moment(minutes * MINUTE, sure)


def launched(minutes: int, *, like=None, **more) -> None:
    """A launch in the past that took so long; of `like`, or of some server."""
    ended = timezone.now() - timedelta(days=1)
    found = {"os": ""} if like is None else {"os": like.os, "region": like.region}
    if like is not None:
        found |= {"server_id": like.server_id, "account_id": like.account.account_id}
    past = ExecutionFactory.create(state=ExecutionState.COMPLETED)
    WaveServerFactory.create(
        wave=WaveFactory.create(execution=past, state=WaveState.COMPLETED),
        started_at=ended - minutes * MINUTE,
        finished_at=ended,
        **{"state": ServerState.LAUNCHED, **found, **more},
    )


def group(count: int = 1):
    account = TargetAccountFactory.create()
    servers = SourceServerFactory.create_batch(count, account=account)
    return ProtectionGroupFactory.create(account=account, servers=servers), servers


@pytest.mark.django_db
def test_what_was_never_launched_is_unknown_and_no_rto_is_met_by_it():
    plan = plan_of(rto=timedelta(hours=1))
    found = dry_run(plan)
    assert (found.runs, found.servers, found.unknown) == (0, 1, 1)
    assert (found.reached, found.against) == (at(0, sure=False), Against.UNKNOWN)
    [job] = found.jobs
    assert (job.unknown, job.rests_on) == (1, [])


@pytest.mark.django_db
def test_estimates_are_of_past_launches_nearest_first_with_how_many_there_were():
    wanted, [one, two] = group(2)
    plan = plan_of(wanted, rto=timedelta(minutes=25))
    for minutes in (10, 20, 30):
        launched(minutes, like=one)
    launched(5, like=None)
    found = dry_run(plan)
    [job] = found.jobs
    like = "servers with this OS in its account and Region"
    assert (two.os, job.rests_on) == (one.os, [Basis(like, 3), Basis("this server", 3)])
    assert (found.reached, found.slow_reached) == (at(20), at(30))
    assert (found.against, found.slow_against) == (Against.MET, Against.MISSED)
    assert found.runs == 4


@pytest.mark.django_db
def test_what_did_not_launch_says_nothing_of_how_long_it_takes():
    wanted, [one] = group()
    launched(10, like=one, state=ServerState.FAILED)
    assert dry_run(plan_of(wanted)).runs == 0


@pytest.mark.django_db
def test_jobs_that_run_already_are_in_the_way_launches_and_clean_ups_alike():
    wanted, [one] = group()
    launched(10, like=one)
    for number in range(19):
        LaunchJobFactory.create(
            account=one.account,
            region=one.region,
            state=JobState.STARTED,
            drs_job_id=f"drsjob-{number:017x}",
        )
    plan = plan_of(wanted)
    assert dry_run(plan).end == at(10)
    TerminationJobFactory.create(account=one.account, region=one.region, state=JobState.INTENDED)
    found = dry_run(plan)
    assert found.end == at(10, sure=False)
    assert found.jobs[0].waits == ("20 of 20 concurrent jobs are running",)


@pytest.mark.django_db
def test_it_changes_nothing_and_costs_the_same_whatever_the_size_of_the_plan():
    def queries(plan) -> int:
        with CaptureQueriesContext(connection) as asked:
            dry_run(plan)
        assert not [each for each in asked if not each["sql"].startswith("SELECT")]
        return len(asked)

    small, large = plan_of(), plan_of(*(group(20)[0] for _ in range(6)))
    tables = (Execution, WaveServer, LaunchJob, OutboxEntry)
    before = [table.objects.count() for table in tables]
    assert queries(small) == queries(large)
    assert [table.objects.count() for table in tables] == before


@pytest.mark.django_db
def test_of_a_part_only_the_part_is_told_and_what_is_not_in_the_plan_is_refused():
    plan = plan_of(group()[0], group()[0], group()[0])
    found = dry_run(plan, StartOptions(waves=frozenset({1, 3})))
    assert [(each.position, each.servers, each.begin is None) for each in found.waves] == [
        (1, 1, False),
        (3, 1, False),
        (2, 0, True),
    ]
    # Wave 3 waits for what wave 2 would have waited for.
    assert found.waves[1].needs == [1, 2]
    with pytest.raises(InvalidOptions):
        dry_run(plan, StartOptions(from_wave=4))


@pytest.mark.parametrize(
    ("reached", "expected"),
    [
        (at(59), Against.MET),
        (at(60), Against.MET),
        (at(61), Against.MISSED),
        (at(59, sure=False), Against.UNKNOWN),
        (at(61, sure=False), Against.MISSED),
        (None, Against.UNKNOWN),
    ],
)
def test_what_is_at_least_so_long_can_have_missed_the_rto_and_not_have_met_it(reached, expected):
    assert verdict(60 * MINUTE, reached) == expected
    assert verdict(None, reached) == Against.NO_TARGET


@pytest.mark.django_db(transaction=True)
def test_what_really_happens_has_the_order_and_the_jobs_of_the_dry_run(aws, driver):
    windows = "Microsoft Windows Server 2022 Datacenter"
    world_of(
        [server(f"db-{n}") for n in range(3)]
        + [server("app-1"), server("app-2", account=SOUTH, region=WEST), server("web-1")]
        + [server("bi-1", os=windows)]
    )
    registered()
    elsewhere = group_of("app", account=SOUTH, region=WEST)
    plan = plan_in_world(
        wave("Web", group_of("web"), depends_on=(3,)),
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), elsewhere, depends_on=(2,)),
        wave("Reports", group_of("bi")),
    )
    first = drill(plan)
    driver.run(first)
    # The second time, it is known how long the first took.
    foreseen = dry_run(plan)
    assert (foreseen.unknown, foreseen.runs) == (0, 7)
    forget_sessions()  # an hour of the simulated clock is over
    second = drill(plan)
    driver.run(second)
    assert second.state == ExecutionState.COMPLETED
    waves = second.waves.order_by("started_at").values_list("position", flat=True)
    assert list(waves) == [each.position for each in foreseen.waves] == [2, 4, 3, 1]
    jobs = LaunchJob.objects.filter(execution=second).select_related("wave")
    assert sorted(
        (job.wave.position, job.aws_account_id, job.region, sorted(job.server_ids)) for job in jobs
    ) == sorted((job.wave, *job.place, sorted(job.server_ids)) for job in foreseen.jobs)
