"""Servers that failed are launched again in the same execution: on request, and each once."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import GroupHold, ProtectionGroup
from recovery.errors import (
    BeingCancelled,
    ExecutionEnded,
    LaunchedSince,
    LaunchNotSettled,
    NothingToRetry,
    NotRetriable,
    OutcomeUnknown,
    PlanAlreadyRunning,
    ServersHeld,
    WaveNotEnded,
    WaveNotFound,
)
from recovery.models import Execution, LaunchJob, ServerClaim, Wave, WaveServer
from recovery.services import advance, executions, retries, steering, waves
from recovery.states import ExecutionState, JobState, ServerState, WaveState
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


@pytest.fixture
def plan(aws):
    world_of([server("db-1"), server("db-2"), server("app-1"), server("web-1"), server("bi-1")])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), depends_on=(1,)),
        wave("Web", group_of("web"), depends_on=(2,)),
        wave("Reports", group_of("bi")),
    )


@pytest.fixture
def failed(plan, driver) -> Execution:
    """An execution that ended PARTIAL, for one of two databases failed and blocked the rest."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.PARTIAL
    assert wave_states(execution) == ["PARTIAL", "BLOCKED", "BLOCKED", "COMPLETED"]
    return execution


def wave_states(execution) -> list[str]:
    return [row.state for row in execution.waves.order_by("position")]


def group_of_name(tier: str) -> ProtectionGroup:
    return ProtectionGroup.objects.get(name__startswith=f"{tier} ")


def asked_for(name: str) -> int:
    return sum(known(name).server_id in call.server_ids for call in launches())


def everything(execution) -> list[object]:
    tables = (Execution, Wave, WaveServer, LaunchJob, ServerClaim, GroupHold)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def test_what_failed_is_launched_again_and_what_it_blocked_goes_on(failed, driver):
    retries.retry(failed, position=1, reason="There is room again.", actor=PERSON)
    failed.refresh_from_db()
    assert (failed.state, failed.finished_at) == (ExecutionState.RUNNING, None)
    assert wave_states(failed) == ["LAUNCHING", "PENDING", "PENDING", "COMPLETED"]
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED
    assert set(states(failed).values()) == {ServerState.LAUNCHED}
    counts = {name: asked_for(name) for name in ("db-1", "db-2", "app-1", "web-1", "bi-1")}
    assert counts == {"db-1": 2, "db-2": 1, "app-1": 1, "web-1": 1, "bi-1": 1}
    assert not ServerClaim.objects.filter(released_at=None).exists()
    assert not GroupHold.objects.filter(released_at=None).exists()


def test_what_each_attempt_came_to_stays_readable(failed, driver):
    before = failed.servers.get(name="db-1")
    retries.retry(failed, position=1, reason="Again.", actor=PERSON)
    driver.run(failed)
    row = failed.servers.get(name="db-1")
    assert (row.attempt, row.state, row.message) == (2, ServerState.LAUNCHED, "")
    assert failed.servers.get(name="db-2").attempt == 1
    told = failed.events.get(kind="server.retried")
    assert "Attempt 1 ended as failed" in told.message
    assert before.message in told.message
    asked = failed.events.get(kind="wave.retried")
    assert (asked.actor, asked.wave.position) == ("pat", 1)
    assert asked.message.endswith("as pat asked: Again.")
    first, second = failed.waves.get(position=1).jobs.order_by("created_at")
    assert sorted(first.server_ids) == sorted([known("db-1").server_id, known("db-2").server_id])
    assert second.server_ids == [known("db-1").server_id]
    assert first.drs_job_id != second.drs_job_id
    record = AuditRecord.objects.get(event="recovery.wave.retried")
    (tried,) = record.facts["servers"]
    assert (record.actor_name, record.facts["reason"]) == ("pat", "Again.")
    assert (tried["attempt"], tried["ended_as"]) == (1, "FAILED")


def test_the_wave_has_its_whole_time_again(failed):
    Wave.objects.update(deadline_at=timezone.now() - timedelta(days=1))
    before = timezone.now()
    retries.retry(failed, position=1, actor=PERSON)
    again = failed.waves.get(position=1)
    assert again.deadline_at is not None
    assert again.deadline_at >= before + again.time_limit
    assert again.finished_at is None


def test_a_live_execution_goes_on_from_where_a_wave_failed(plan, driver):
    """One wave failed, another launches; or the whole waits at a gate."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution = drill(plan)
    Wave.objects.filter(execution=execution, position=4).update(gate=True)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    assert wave_states(execution) == ["PARTIAL", "BLOCKED", "BLOCKED", "WAITING"]
    retries.retry(execution, position=1, actor=PERSON)
    driver.run(execution, until=lambda found: wave_states(found)[2] == WaveState.COMPLETED)
    assert wave_states(execution) == ["COMPLETED", "COMPLETED", "COMPLETED", "WAITING"]
    executions.resume(execution, position=4, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_a_retry_that_fails_blocks_again_and_may_be_repeated(failed, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    assert failed.state == ExecutionState.PARTIAL
    assert wave_states(failed) == ["PARTIAL", "BLOCKED", "BLOCKED", "COMPLETED"]
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED
    assert failed.servers.get(name="db-1").attempt == 3
    assert failed.events.filter(kind="server.retried").count() == 2


def test_under_a_pause_the_wave_is_tried_again_and_nothing_after_it_starts(plan, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution = drill(plan)
    Wave.objects.filter(execution=execution, position=4).update(gate=True)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    steering.pause(execution, actor=PERSON)
    retries.retry(execution, position=1, actor=PERSON)
    driver.run(execution, until=lambda found: found.state == ExecutionState.RUNNING)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    assert wave_states(execution) == ["COMPLETED", "PENDING", "PENDING", "WAITING"]


def test_what_drs_skipped_is_tried_again_too(plan, driver):
    world.faults.add(Fault(Kind.SKIP, server=known("bi-1").server_id, times=1))
    execution = drill(plan)
    driver.run(execution)
    assert states(execution)["bi-1"] == ServerState.SKIPPED
    retries.retry(execution, position=4, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_an_answer_that_is_lost_in_a_retry_is_looked_for_and_not_asked_twice(failed, driver):
    world.faults.add(Fault(Kind.DROP_AFTER, operation="StartRecovery", times=1))
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED
    assert asked_for("db-1") == 2
    assert failed.events.filter(message__contains="its answer was lost").count() == 1


def test_the_job_of_an_earlier_attempt_is_never_the_answer(plan, driver):
    """The same server, alone both times: DRS lists a job that looks just like the answer."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("bi-1").server_id, times=1))
    execution = drill(plan)
    driver.run(execution)
    first = LaunchJob.objects.get(server_ids=[known("bi-1").server_id])
    world.faults.add(Fault(Kind.DROP_BEFORE, operation="StartRecovery", times=1))
    retries.retry(execution, position=4, actor=PERSON)
    driver.run(execution)
    second = execution.servers.get(name="bi-1").launch_job
    assert second is not None
    assert first.drs_job_id in second.known_job_ids
    assert second.drs_job_id not in {first.drs_job_id, ""}
    assert execution.state == ExecutionState.COMPLETED
    # DRS heard the first attempt and the repetition, but not the call that was dropped.
    assert asked_for("bi-1") == 3


@pytest.mark.parametrize("state", sorted(set(ServerState) - {"FAILED", "SKIPPED", "UNKNOWN"}))
def test_only_what_failed_is_tried_again(failed, state):
    failed.servers.filter(name="db-1").update(state=state)
    before = everything(failed)
    with pytest.raises(NotRetriable):
        retries.retry(failed, position=1, server_ids=[known("db-1").server_id], actor=PERSON)
    with pytest.raises(NothingToRetry):
        retries.retry(failed, position=1, actor=PERSON)
    assert everything(failed) == before


def test_of_which_nobody_knows_whether_it_runs_is_not_launched_again(failed):
    failed.servers.filter(name="db-1").update(state=ServerState.UNKNOWN)
    before = everything(failed)
    for named in ([known("db-1").server_id], []):
        with pytest.raises(OutcomeUnknown, match="db-1"):
            retries.retry(failed, position=1, server_ids=named, actor=PERSON)
    assert everything(failed) == before
    assert len(launches()) == 2


# A withdrawn job that DRS was asked for may still turn up in its list.
@pytest.mark.parametrize("state", ["QUEUED", "INTENDED", "STARTED", "LOST", "CANCELLED"])
def test_what_drs_may_be_working_on_is_not_launched_again(failed, state):
    LaunchJob.objects.filter(server_ids__contains=[known("db-1").server_id]).update(state=state)
    before = everything(failed)
    for named in ([known("db-1").server_id], []):
        with pytest.raises(LaunchNotSettled, match="db-1"):
            retries.retry(failed, position=1, server_ids=named, actor=PERSON)
    assert everything(failed) == before


def test_what_drs_was_never_asked_for_is_launched_again(failed, driver):
    """It waited in line until the wave's time was up."""
    LaunchJob.objects.filter(server_ids__contains=[known("db-1").server_id]).update(
        state=JobState.CANCELLED, asked_at=None
    )
    retries.retry(failed, position=1, actor=PERSON)
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED


def test_servers_that_somebody_else_holds_stay_theirs(failed, driver):
    other = drill(plan_of(wave("Only", group_of_name("db")), name="Other"))
    before = everything(failed)
    with pytest.raises(ServersHeld) as refused:
        retries.retry(failed, position=1, actor=PERSON)
    assert refused.value.context["execution_ids"] == [str(other.pk)]
    assert everything(failed) == before


def test_what_another_execution_has_launched_since_is_left_alone(failed, driver):
    other = drill(plan_of(wave("Only", group_of_name("db")), name="Other"))
    driver.run(other)
    assert other.state == ExecutionState.COMPLETED
    before = everything(failed)
    with pytest.raises(LaunchedSince) as refused:
        retries.retry(failed, position=1, actor=PERSON)
    assert refused.value.context["execution_ids"] == [str(other.pk)]
    assert everything(failed) == before


def test_one_execution_of_a_plan_at_a_time(failed, plan):
    drill(plan)
    ServerClaim.objects.all().delete()
    before = everything(failed)
    with pytest.raises(PlanAlreadyRunning):
        retries.retry(failed, position=1, actor=PERSON)
    assert everything(failed) == before


@pytest.mark.parametrize(
    ("state", "error"),
    [(ExecutionState.COMPLETED, ExecutionEnded), (ExecutionState.CANCELLED, ExecutionEnded)],
)
def test_some_ends_are_for_ever(failed, state, error):
    Execution.objects.update(state=state)
    before = everything(failed)
    with pytest.raises(error):
        retries.retry(failed, position=1, actor=PERSON)
    assert everything(failed) == before


def test_nothing_is_tried_again_once_it_is_being_cancelled(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    executions.cancel(execution, actor=PERSON)
    with pytest.raises(BeingCancelled):
        retries.retry(execution, position=1, actor=PERSON)


def test_only_a_wave_that_has_ended_is_tried_again(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    for position in (1, 2):
        with pytest.raises(WaveNotEnded):
            retries.retry(execution, position=position, actor=PERSON)
    with pytest.raises(WaveNotFound):
        retries.retry(execution, position=9, actor=PERSON)


def test_of_two_who_try_again_at_once_one_does(failed, driver):
    together = Barrier(2)
    refused: list[Any] = []

    def run():
        try:
            together.wait(30)
            retries.retry(failed, position=1, actor=PERSON)
        except WaveNotEnded as error:
            refused.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(refused) == 1
    assert failed.waves.get(position=1).jobs.filter(state=JobState.QUEUED).count() == 1
    driver.run(failed)
    assert (failed.state, asked_for("db-1")) == (ExecutionState.COMPLETED, 2)


@pytest.mark.parametrize("decided", ["Finish", "BlockWave"])
def test_what_was_decided_before_the_retry_is_not_carried_out(plan, driver, monkeypatch, decided):
    """The engine wants to end the execution, or block a wave, when the retry comes in."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id, times=1))
    execution = drill(plan)
    carry_out = waves.carry_out
    asked: list[Any] = []

    def after_a_retry(found, step):
        if type(step).__name__ == decided and not asked:
            asked.append(retries.retry(execution, position=1, actor=PERSON))
        carry_out(found, step)

    monkeypatch.setattr(waves, "carry_out", after_a_retry)
    driver.run(execution)
    assert asked
    assert execution.state == ExecutionState.COMPLETED
    assert (asked_for("db-1"), asked_for("web-1")) == (2, 1)


def test_a_worker_that_dies_after_a_retry_loses_nothing(failed, driver):
    """The request is all in rows: whoever comes next carries it out."""
    retries.retry(failed, position=1, actor=PERSON)
    assert failed.pk in advance.due(timezone.now())
    driver.run(failed)
    assert failed.state == ExecutionState.COMPLETED
