"""Leaving servers and waves out before they launch, and giving a wave more time."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import GroupHold
from recovery.errors import (
    BeingCancelled,
    ExecutionEnded,
    NothingLeft,
    NotInTheWave,
    ReasonNeeded,
    TimeIsUp,
    WaveHasStarted,
    WaveNotFound,
)
from recovery.models import Execution, ExecutionEvent, LaunchJob, Wave, WaveServer
from recovery.services import advance, executions, retries, steering, waves
from recovery.states import ExecutionState, ServerState, WaveState
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
WHY: dict[str, Any] = {"reason": "It is retired.", "actor": PERSON}


@pytest.fixture
def plan(aws):
    world_of([server("db-1"), server("db-2"), server("app-1"), server("app-2"), server("web-1")])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), depends_on=(1,)),
        wave("Web", group_of("web"), depends_on=(2,)),
    )


def wave_states(execution) -> list[str]:
    return [row.state for row in execution.waves.order_by("position")]


def everything() -> list[object]:
    tables = (Execution, Wave, WaveServer, LaunchJob, GroupHold, ExecutionEvent)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def asked_for() -> set[str]:
    return {server_id for call in launches() for server_id in call.server_ids}


def test_a_server_that_is_left_out_is_not_launched_and_counts_for_no_verdict(plan, driver):
    execution = drill(plan)
    steering.leave_out(execution, position=2, server_ids=[known("app-1").server_id], **WHY)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert wave_states(execution) == ["COMPLETED"] * 3
    assert states(execution)["app-1"] == ServerState.LEFT_OUT
    assert known("app-1").server_id not in asked_for()
    assert len(asked_for()) == 4
    ended = execution.events.get(kind="execution.ended").message
    assert ended == "Drill ended: completed, without 1 that were left out."
    assert execution.waves.get(position=2).message == "1 launched, 1 left out."


def test_who_left_it_out_and_why_is_shown_and_on_record(plan):
    """E-67. And it is not what DRS calls skipped."""
    execution = drill(plan)
    steering.leave_out(execution, position=2, server_ids=[known("app-1").server_id], **WHY)
    row = execution.servers.get(name="app-1")
    assert (row.state, row.message) == (ServerState.LEFT_OUT, "Left out by pat: It is retired.")
    assert row.finished_at is not None
    told = execution.events.get(kind="server.left_out")
    assert (told.actor, told.server) == ("pat", row)
    record = AuditRecord.objects.get(event="recovery.servers.left_out")
    assert (record.actor_name, record.facts["reason"]) == ("pat", "It is retired.")
    assert record.facts["servers"] == [str(row)]


def test_waves_that_depend_on_a_wave_that_is_left_out_go_on(plan, driver):
    execution = drill(plan)
    steering.leave_out(execution, position=2, **WHY)
    assert wave_states(execution)[1] == WaveState.LEFT_OUT
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert wave_states(execution) == ["COMPLETED", "LEFT_OUT", "COMPLETED"]
    assert states(execution)["web-1"] == ServerState.LAUNCHED
    assert len(asked_for()) == 3
    assert not GroupHold.objects.filter(released_at=None).exists()


def test_leaving_out_the_last_server_of_a_wave_leaves_out_the_wave(plan, driver):
    execution = drill(plan)
    for name in ("app-1", "app-2"):
        steering.leave_out(execution, position=2, server_ids=[known(name).server_id], **WHY)
    found = execution.waves.get(position=2)
    assert (found.state, found.message) == (WaveState.LEFT_OUT, "Left out by pat: It is retired.")
    assert GroupHold.objects.filter(released_at=None).count() == 2
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_a_wave_at_its_gate_may_be_left_out_and_the_rest_goes_on(plan, driver):
    execution = drill(plan)
    Wave.objects.filter(execution=execution, position=2).update(gate=True)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    steering.leave_out(execution, position=2, **WHY)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert execution.waves.get(position=2).gate_opened_at is None


def test_what_fails_beside_what_is_left_out_still_counts(plan, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-2").server_id))
    execution = drill(plan)
    steering.leave_out(execution, position=1, server_ids=[known("db-1").server_id], **WHY)
    driver.run(execution)
    assert wave_states(execution) == ["FAILED", "BLOCKED", "BLOCKED"]
    assert execution.state == ExecutionState.FAILED


def test_it_may_be_asked_for_under_a_pause(plan, driver):
    execution = drill(plan)
    steering.pause(execution, actor=PERSON)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    steering.leave_out(execution, position=1, **WHY)
    driver.step(execution)
    assert (wave_states(execution)[0], launches()) == (WaveState.LEFT_OUT, [])
    steering.lift_pause(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_not_everything_is_left_out(plan):
    execution = drill(plan)
    steering.leave_out(execution, position=1, **WHY)
    steering.leave_out(execution, position=2, **WHY)
    before = everything()
    with pytest.raises(NothingLeft):
        steering.leave_out(execution, position=3, **WHY)
    assert everything() == before


def test_what_has_been_launched_is_not_left_out(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    before = everything()
    for named in ([], [known("db-1").server_id]):
        with pytest.raises(WaveHasStarted):
            steering.leave_out(execution, position=1, server_ids=named, **WHY)
    with pytest.raises(WaveNotFound):
        steering.leave_out(execution, position=4, **WHY)
    with pytest.raises(NotInTheWave):
        steering.leave_out(execution, position=2, server_ids=[known("db-1").server_id], **WHY)
    with pytest.raises(ReasonNeeded):
        steering.leave_out(execution, position=2, reason="  ", actor=PERSON)
    assert everything() == before
    assert not AuditRecord.objects.filter(event="recovery.servers.left_out").exists()


def test_cancelling_comes_first(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    executions.cancel(execution, actor=PERSON)
    before = everything()
    with pytest.raises(BeingCancelled):
        steering.leave_out(execution, position=2, **WHY)
    with pytest.raises(BeingCancelled):
        steering.extend(execution, position=1, minutes=5, **WHY)
    assert everything() == before
    driver.run(execution)
    with pytest.raises(ExecutionEnded):
        steering.leave_out(execution, position=2, **WHY)


@pytest.mark.parametrize("named", [[], ["app-1"]])
def test_a_launch_that_was_decided_before_is_not_carried_out(plan, driver, monkeypatch, named):
    execution = drill(plan)
    carry_out = waves.carry_out
    asked: list[Any] = []

    def after_a_skip(found, step):
        if type(step).__name__ == "LaunchWave" and step.position == 2 and not asked:
            server_ids = [known(name).server_id for name in named]
            asked.append(steering.leave_out(execution, position=2, server_ids=server_ids, **WHY))
        carry_out(found, step)

    monkeypatch.setattr(waves, "carry_out", after_a_skip)
    driver.run(execution)
    assert asked
    assert execution.state == ExecutionState.COMPLETED
    assert known("app-1").server_id not in asked_for()
    assert (known("app-2").server_id in asked_for()) == bool(named)


def test_what_was_left_out_stays_so_when_the_rest_is_tried_again(plan, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-2").server_id, times=1))
    execution = drill(plan)
    steering.leave_out(execution, position=1, server_ids=[known("db-1").server_id], **WHY)
    driver.run(execution)
    retries.retry(execution, position=1, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert states(execution)["db-1"] == ServerState.LEFT_OUT


# --- more time -----------------------------------------------------------------------------------


def deadline(execution):
    found = execution.waves.get(position=1).deadline_at
    assert found is not None
    return found


def test_a_wave_that_is_given_more_time_is_not_timed_out_at_the_old(plan, driver):
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    Wave.objects.filter(position=1).update(deadline_at=timezone.now() + timedelta(seconds=1))
    before = deadline(execution)
    steering.extend(execution, position=1, minutes=30, reason="Large snapshots.", actor=PERSON)
    assert deadline(execution) == before + timedelta(minutes=30)
    execution.refresh_from_db()
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    told = execution.events.get(kind="wave.extended")
    assert "30 minutes more" in told.message
    assert told.message.endswith("as pat asked: Large snapshots.")
    record = AuditRecord.objects.get(event="recovery.wave.extended")
    assert (record.facts["minutes"], record.facts["reason"]) == (30, "Large snapshots.")


@pytest.mark.parametrize(
    "changes",
    [
        {"deadline_at": timezone.now() - timedelta(seconds=1)},
        {"state": "PENDING", "deadline_at": None},
        {"state": "COMPLETED", "finished_at": timezone.now()},
    ],
)
def test_where_no_time_is_left_none_is_given(plan, driver, changes):
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    Wave.objects.filter(execution=execution, position=1).update(**changes)
    before = everything()
    with pytest.raises(TimeIsUp):
        steering.extend(execution, position=1, minutes=30, **WHY)
    assert everything() == before


def test_what_makes_no_sense_is_not_extended(plan, driver):
    execution = drill(plan)
    driver.step(execution, forward=timedelta(0))
    before = everything()
    with pytest.raises(ReasonNeeded):
        steering.extend(execution, position=1, minutes=30, reason="", actor=PERSON)
    with pytest.raises(WaveNotFound):
        steering.extend(execution, position=9, minutes=30, **WHY)
    for minutes in (0, -5, steering.MOST_MINUTES + 1):
        with pytest.raises(ValueError, match="extended by 1 to"):
            steering.extend(execution, position=1, minutes=minutes, **WHY)
    assert everything() == before


def test_a_job_that_waits_in_line_is_not_withdrawn_if_there_is_more_time(plan, driver, monkeypatch):
    """The worker has decided that time is up; then somebody, in time by the clock, extends it."""
    execution = drill(plan)
    Execution.objects.update(due_at=timezone.now())
    monkeypatch.setattr("recovery.services.launches.send", lambda _: None)
    advance.advance(execution.pk)
    Wave.objects.filter(position=1).update(deadline_at=timezone.now() - timedelta(seconds=1))
    write = advance._write
    asked: list[Any] = []

    def after_an_extension(found, step):
        if not asked:
            soon = timezone.now() + timedelta(minutes=5)
            asked.append(Wave.objects.filter(position=1).update(deadline_at=soon))
            steering.extend(execution, position=1, minutes=30, **WHY)
        write(found, step)

    monkeypatch.setattr(advance, "_write", after_an_extension)
    Execution.objects.update(due_at=timezone.now(), leased_until=None)
    advance.advance(execution.pk)
    assert asked
    assert LaunchJob.objects.get().state == "QUEUED"
    assert wave_states(execution)[0] == WaveState.LAUNCHING
