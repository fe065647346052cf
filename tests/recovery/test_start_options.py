"""Starting a part of a plan, and from chosen recovery points."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from drportal.aws.drs import Drs, RecoveryPoint
from drportal.errors import DomainError, InvalidInput
from drportal.simulator.faults import Fault
from drportal.simulator.faults import Kind as Trouble
from drportal.simulator.world import world
from protection.models import GroupHold, ProtectionGroup
from recovery.admin.tones import chosen_point
from recovery.engine.options import StartOptions
from recovery.errors import PreflightBlocks, PreflightNeeded, RecoveryPointUnknown
from recovery.models import Execution, LaunchJob, Preflight, ServerClaim, Wave, WaveServer
from recovery.services import executions, preflights, retries
from recovery.states import CheckOutcome, ExecutionState, JobState, Kind, ServerState
from tests.factories.recovery import PreflightFactory
from tests.worlds import (
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
TIERS = ("db-1", "db-2", "app-1", "web-1")


@pytest.fixture
def plan(aws):
    world_of([server(name) for name in TIERS])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), depends_on=(1,)),
        wave("Web", group_of("web"), depends_on=(2,)),
    )


def id_of(name: str) -> str:
    return known(name).server_id


def start(plan, options: StartOptions, **more: Any) -> Execution:
    return executions.start(plan, kind=Kind.DRILL, options=options, actor=PERSON, **more)


def chosen(plan, options: StartOptions, **more: Any) -> Execution:
    """A drill of a part that a preflight of just that lets start, whatever one would find."""
    PreflightFactory.create(plan=plan, options=options.as_dict())
    return start(plan, options, **more)


def looked_at(plan, options: StartOptions) -> Preflight:
    """A preflight that really asked."""
    asked = preflights.ask(plan, options=options, actor=PERSON)
    preflights.carry_out(asked.pk)
    return Preflight.objects.get(pk=asked.pk)


def points_of(name: str) -> list[RecoveryPoint]:
    row = known(name)
    return list(Drs(row.account.scope(row.region)).recovery_points(row.server_id))


def sent() -> list[Mapping[str, str | None]]:
    """By StartRecovery: which server from which point."""
    return [
        {
            each["sourceServerID"]: each.get("recoverySnapshotID")
            for each in call.params["sourceServers"]
        }
        for call in launches()
    ]


def wave_states(execution) -> list[str]:
    return [row.state for row in execution.waves.order_by("position")]


def held() -> set[str]:
    rows = ServerClaim.objects.filter(released_at=None)
    return set(rows.values_list("server_id", flat=True))


def refused(plan, options: StartOptions, **more: Any) -> DomainError:
    """Why a start is refused; and that it left nothing behind."""
    tables = (Execution, Wave, WaveServer, ServerClaim, GroupHold, LaunchJob)
    before = [table.objects.count() for table in tables]
    with pytest.raises(DomainError) as caught:
        start(plan, options, **more)
    assert [table.objects.count() for table in tables] == before
    return caught.value


def test_from_a_wave_on_the_waves_before_are_left_out_and_nobody_is_kept_from_their_servers(
    plan, driver
):
    options = StartOptions(from_wave=3, ticket="CHG-4711")
    execution = chosen(plan, options)
    assert wave_states(execution) == ["LEFT_OUT", "LEFT_OUT", "PENDING"]
    # E-07: every planned server has a row, also where it was not chosen.
    assert execution.servers.count() == len(TIERS)
    assert held() == {id_of("web-1")}
    assert [row.group.name for row in GroupHold.objects.select_related("group")] == [
        "web 1 us-east-1"
    ]
    told = execution.events.get(kind="execution.options").message
    assert told == "From wave 3 on. 3 servers of the plan were not chosen. Ticket: CHG-4711."
    other = drill(
        plan_of(
            wave("Databases", ProtectionGroup.objects.get(name__startswith="db ")), name="Other"
        )
    )
    driver.run(execution)
    driver.run(other)
    assert (execution.state, other.state) == (ExecutionState.COMPLETED, ExecutionState.COMPLETED)
    assert (execution.ticket, execution.options) == ("CHG-4711", {"from_wave": 3})
    assert states(execution) == {
        "db-1": "LEFT_OUT",
        "db-2": "LEFT_OUT",
        "app-1": "LEFT_OUT",
        "web-1": "LAUNCHED",
    }
    assert execution.servers.get(name="db-1").message == "Not chosen at the start."


def test_what_is_after_a_wave_that_is_left_out_waits_for_what_that_would_have_waited_for(
    plan, driver
):
    execution = chosen(plan, StartOptions(waves=frozenset({1, 3})))
    assert execution.waves.get(position=3).depends_on == [1, 2]
    driver.run(execution)
    first, last = execution.waves.get(position=1), execution.waves.get(position=3)
    assert wave_states(execution) == ["COMPLETED", "LEFT_OUT", "COMPLETED"]
    assert first.finished_at
    assert last.started_at
    assert last.started_at >= first.finished_at
    assert [set(each) for each in sent()] == [{id_of("db-1"), id_of("db-2")}, {id_of("web-1")}]


def test_of_chosen_servers_only_those_are_launched(plan, driver):
    execution = chosen(plan, StartOptions(server_ids=frozenset({id_of("db-2"), id_of("web-1")})))
    assert held() == {id_of("db-2"), id_of("web-1")}
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert wave_states(execution) == ["COMPLETED", "LEFT_OUT", "COMPLETED"]
    assert sent() == [{id_of("db-2"): None}, {id_of("web-1"): None}]


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (StartOptions(from_wave=4), "from_wave"),
        (StartOptions(waves=frozenset({1, 7})), "waves"),
        (StartOptions(from_wave=2, waves=frozenset({1, 2})), "waves"),
        (StartOptions(server_ids=frozenset({"s-00000000000000000"})), "server_ids"),
        (StartOptions(points={"s-00000000000000000": f"pit-{0:017}"}), "points"),
        (StartOptions(not_after=timezone.now() + timedelta(days=9)), "not_after"),
    ],
)
def test_what_is_not_in_the_plan_is_refused_and_not_passed_over(plan, options, field):
    error = refused(plan, options)
    assert isinstance(error, InvalidInput)
    assert [each["field"] for each in error.errors] == [field]
    with pytest.raises(InvalidInput):
        preflights.ask(plan, options=options, actor=PERSON)


def test_what_is_no_recovery_point_is_refused(plan):
    for wrong in ("snap-00000000000000000", "pit-1", f"pit-{0:018}"):
        error = refused(plan, StartOptions(points={id_of("db-1"): wrong}))
        assert error.detail == f"These are no recovery points: {wrong}."


def test_a_chosen_server_of_a_wave_that_is_not_launched_is_refused(plan):
    options = StartOptions(from_wave=3, server_ids=frozenset({id_of("db-1"), id_of("web-1")}))
    assert "Not in the waves that are launched" in refused(plan, options).detail


def test_a_preflight_lets_start_just_what_it_looked_at(plan):
    last, whole = StartOptions(from_wave=3), StartOptions()
    PreflightFactory.create(plan=plan)
    assert isinstance(refused(plan, last), PreflightNeeded)
    Preflight.objects.all().delete()
    assert looked_at(plan, last).outcome in {CheckOutcome.PASSED, CheckOutcome.WARNING}
    assert isinstance(refused(plan, whole), PreflightNeeded)
    assert isinstance(refused(plan, StartOptions(from_wave=2)), PreflightNeeded)
    assert isinstance(
        refused(plan, StartOptions(from_wave=3, not_after=timezone.now())), PreflightNeeded
    )
    assert start(plan, last).plan == plan


def test_a_preflight_of_a_part_tells_nothing_of_the_readiness_of_the_plan(plan):
    looked_at(plan, StartOptions(from_wave=3))
    assert preflights.latest(plan) is None
    assert preflights.latest_done([plan.pk]) == {}
    assert preflights.due() == [plan]


def test_a_preflight_of_a_part_looks_at_nothing_else(plan):
    world.faults.add(Fault(Trouble.THROTTLE, operation="DescribeRecoverySnapshots"))
    found = looked_at(plan, StartOptions(server_ids=frozenset({id_of("web-1")})))
    about = {server_id for check in found.checks for server_id in check["server_ids"]}
    assert about == {id_of("web-1")}


def moment(before: timedelta) -> datetime:
    return timezone.now() - before


def test_not_after_a_time_is_found_by_a_preflight_and_launched_and_kept_by_a_retry(plan, driver):
    until = moment(timedelta(hours=5))
    wanted = {name: max(p.at for p in points_of(name) if p.at <= until) for name in TIERS}
    ids = {
        id_of(name): next(p.snapshot_id for p in points_of(name) if p.at == wanted[name])
        for name in TIERS
    }
    options = StartOptions(not_after=until)
    found = looked_at(plan, options)
    assert found.outcome == CheckOutcome.WARNING
    execution = start(plan, options)
    assert dict(execution.servers.values_list("server_id", "chosen_point_id")) == ids
    assert dict(execution.servers.values_list("name", "chosen_point_at")) == wanted
    world.faults.add(Fault(Trouble.LAUNCH_FAIL, server=id_of("web-1"), times=1))
    driver.run(execution)
    assert states(execution)["web-1"] == ServerState.FAILED
    retries.retry(execution, position=3, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert {server: point for each in sent() for server, point in each.items()} == ids
    assert sent()[-1] == {id_of("web-1"): ids[id_of("web-1")]}
    used = execution.servers.get(name="db-1").recovery_point_at
    assert used is not None
    assert abs(used - wanted["db-1"]) < timedelta(minutes=1)


def test_without_a_point_at_that_time_it_is_not_started_whoever_overrides(plan):
    options = StartOptions(not_after=moment(timedelta(days=400)))
    assert isinstance(refused(plan, options, overriding=True, reason="Now"), RecoveryPointUnknown)
    found = looked_at(plan, options)
    assert found.outcome == CheckOutcome.FAILED
    assert "no recovery point at or before" in str(found.checks)
    assert isinstance(refused(plan, options), PreflightBlocks)
    assert isinstance(refused(plan, options, overriding=True, reason="Now"), RecoveryPointUnknown)


def test_a_time_of_which_drs_does_not_tell_blocks_too(plan):
    options = StartOptions(not_after=moment(timedelta(hours=5)))
    world.faults.add(Fault(Trouble.ACCESS_DENIED, operation="DescribeRecoverySnapshots"))
    assert looked_at(plan, options).outcome in {CheckOutcome.UNKNOWN, CheckOutcome.FAILED}
    assert isinstance(refused(plan, options, overriding=True, reason="Now"), RecoveryPointUnknown)


def test_a_chosen_point_goes_before_the_time_and_an_unknown_one_fails_just_its_server(plan, driver):
    until = moment(timedelta(hours=5))
    old = points_of("db-1")[-1]
    gone = "pit-00000000000000000"
    options = StartOptions(points={id_of("db-1"): old.snapshot_id, id_of("db-2"): gone})
    found = looked_at(plan, options)
    assert found.outcome == CheckOutcome.FAILED
    assert f"DRS does not keep the chosen recovery point {gone}" in str(found.checks)
    execution = start(plan, options, overriding=True, reason="Nothing else is left")
    rows = {row.name: row for row in execution.servers.all()}
    assert rows["db-1"].chosen_point_at == old.at
    assert (rows["db-2"].chosen_point_id, rows["db-2"].chosen_point_at) == (gone, None)
    assert rows["app-1"].chosen_point_id == ""
    driver.run(execution)
    assert states(execution)["db-1"] == ServerState.LAUNCHED
    assert states(execution)["db-2"] == ServerState.FAILED
    assert gone in execution.servers.get(name="db-2").message
    assert sent()[-1] == {id_of("db-1"): old.snapshot_id}
    both = StartOptions(points={id_of("db-1"): old.snapshot_id}, not_after=until)
    assert both.wish(id_of("db-1")).snapshot_id == old.snapshot_id
    assert both.wish(id_of("db-2")).not_after == until


@pytest.mark.parametrize("trouble", [Trouble.TIMEOUT_AFTER, Trouble.DROP_AFTER, Trouble.THROTTLE])
def test_a_lost_answer_changes_no_point_and_launches_nothing_twice(plan, driver, trouble):
    point = points_of("web-1")[3]
    options = StartOptions(from_wave=3, points={id_of("web-1"): point.snapshot_id})
    looked_at(plan, options)
    execution = start(plan, options)
    world.faults.add(Fault(trouble, operation="StartRecovery", times=1))
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert {tuple(each.items()) for each in sent()} == {((id_of("web-1"), point.snapshot_id),)}
    assert sum(call.effect for call in launches()) == 1
    job = LaunchJob.objects.get(state=JobState.ENDED)
    assert job.point_ids == {id_of("web-1"): point.snapshot_id}
    assert not execution.events.filter(kind="server.other_point").exists()


def test_where_drs_took_another_point_than_was_chosen_it_is_said(plan, driver):
    point = points_of("web-1")[3]
    options = StartOptions(from_wave=3, points={id_of("web-1"): point.snapshot_id})
    looked_at(plan, options)
    execution = start(plan, options)
    execution.servers.update(chosen_point_at=point.at - timedelta(hours=3))
    driver.run(execution)
    told = execution.events.get(kind="server.other_point").message
    assert f"was to be launched from {point.snapshot_id}, and DRS says" in told
    server = execution.servers.get(name="web-1")
    assert "DRS SAYS THAT IT TOOK ANOTHER" in chosen_point(server)
