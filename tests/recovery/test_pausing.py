"""A pause holds at the next boundary, for as long as people want, and opens no gate when lifted."""

from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditRecord
from recovery.errors import (
    BeingCancelled,
    ExecutionEnded,
    GateMustBeNamed,
    NothingToPause,
    NotPaused,
)
from recovery.models import Execution, LaunchJob, Wave
from recovery.services import advance, executions, steering, waves
from recovery.states import EXECUTION, ExecutionState, ServerState, WaveState
from tests.worlds import (
    PERSON,
    drill,
    group_of,
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
    world_of([server("db-1"), server("db-2"), server("app-1"), server("web-1")])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), depends_on=(1,)),
        wave("Web", group_of("web"), depends_on=(2,), gate=True),
    )


def paused(found: Execution) -> bool:
    return found.state == ExecutionState.PAUSED


def wave_states(execution):
    return [row.state for row in execution.waves.order_by("position")]


def test_it_stops_before_the_next_wave_and_goes_on_where_it_stood(plan, driver):
    """E-60: what launches goes on to its end, and then nothing starts."""
    execution = drill(plan)
    driver.step(execution)
    steering.pause(execution, reason="Look at the databases first.", actor=PERSON)
    driver.run(execution, until=paused)
    assert wave_states(execution) == [WaveState.COMPLETED, WaveState.PENDING, WaveState.PENDING]
    for _ in range(5):
        driver.step(execution)
    execution.refresh_from_db()
    assert (execution.state, len(launches())) == (ExecutionState.PAUSED, 1)
    told = execution.events.get(kind="execution.paused").message
    assert told == "Paused, as pat asked. Nothing more starts."

    steering.lift_pause(execution, comment="They answer.", actor=PERSON)
    driver.run(execution, until=lambda found: found.waves.get(position=3).state == "WAITING")
    driver.run(execution, until=paused)
    assert len(launches()) == 2
    steering.resume(execution, position=3, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert len(launches()) == 3


def test_whoever_asked_and_why_stays_on_record(plan, driver):
    """E-67."""
    execution = drill(plan)
    steering.pause(execution, reason="Wait for the network.", actor=PERSON)
    execution.refresh_from_db()
    assert execution.pause_requested_by == "pat"
    assert execution.pause_reason == "Wait for the network."
    steering.lift_pause(execution, comment="It is up.", actor=PERSON)
    execution.refresh_from_db()
    assert (execution.pause_requested_at, execution.pause_requested_by) == (None, "")
    assert execution.pause_lifted_at is not None
    messages = list(execution.events.values_list("kind", "message", "actor"))
    assert messages[1:] == [
        ("execution.pause_requested", "Pause requested by pat: Wait for the network.", "pat"),
        ("execution.pause_lifted", "Pause lifted by pat: It is up.", "pat"),
    ]
    asked, lifted = AuditRecord.objects.filter(event__contains=".pause_").order_by("pk")
    assert (asked.actor_name, asked.facts["reason"]) == ("pat", "Wait for the network.")
    assert (lifted.facts["requested_by"], lifted.facts["comment"]) == ("pat", "It is up.")


def test_a_request_is_recorded_while_no_worker_runs_and_kept_by_whoever_comes(plan, driver):
    """E-02: nobody works on it now, and no poll or step writes over what was asked."""
    execution = drill(plan)
    steering.pause(execution, actor=PERSON)
    execution.refresh_from_db()
    assert (execution.state, execution.leased_until) == (ExecutionState.PENDING, None)
    assert execution.pause_requested_at is not None
    driver.run(execution, until=paused)
    driver.step(execution)
    execution.refresh_from_db()
    assert execution.pause_requested_at is not None
    assert (execution.state, launches()) == (ExecutionState.PAUSED, [])


def test_what_is_paused_is_active_and_keeps_its_plan_and_servers(plan, driver):
    """E-29."""
    execution = drill(plan)
    steering.pause(execution, actor=PERSON)
    driver.run(execution, until=paused)
    assert execution.state in EXECUTION.active
    with pytest.raises(Exception, match="carried out already"):
        drill(plan)
    assert execution.claims.filter(released_at=None).count() == 4


def test_a_pause_may_last_weeks_and_nobody_looks_meanwhile(plan, driver):
    execution = drill(plan)
    Wave.objects.filter(execution=execution, position=1).update(wait=timedelta(minutes=1))
    driver.run(execution, until=lambda found: found.waves.get(position=1).wait_until is not None)
    steering.pause(execution, actor=PERSON)
    driver.step(execution)
    execution.refresh_from_db()
    due = execution.waves.get(position=1).wait_until
    assert (execution.state, execution.due_at) == (ExecutionState.PAUSED, due)
    Wave.objects.filter(execution=execution).update(wait_until=timezone.now() - timedelta(days=20))
    driver.step(execution)
    execution.refresh_from_db()
    assert (execution.due_at, execution.leased_until, launches()) == (None, None, [])
    steering.lift_pause(execution, actor=PERSON)
    driver.step(execution)
    assert len(launches()) == 1


def test_lifting_a_pause_opens_no_gate_not_even_twice(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=paused)
    assert wave_states(execution)[2] == WaveState.WAITING
    steering.pause(execution, actor=PERSON)
    steering.resume(execution, actor=PERSON)
    with pytest.raises(GateMustBeNamed):
        steering.resume(execution, actor=PERSON)
    driver.step(execution)
    gate = execution.waves.get(position=3)
    assert (gate.state, gate.gate_opened_at) == (WaveState.WAITING, None)
    steering.resume(execution, position=3, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_without_a_pause_resuming_opens_gates_as_ever(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=paused)
    steering.resume(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_a_gate_that_is_opened_under_a_pause_lets_its_wave_start_afterwards(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=paused)
    steering.pause(execution, actor=PERSON)
    steering.resume(execution, position=3, actor=PERSON)
    driver.step(execution)
    execution.refresh_from_db()
    assert (execution.state, len(launches())) == (ExecutionState.PAUSED, 2)
    steering.lift_pause(execution, actor=PERSON)
    driver.run(execution)
    assert states(execution)["web-1"] == ServerState.LAUNCHED


def test_cancelling_wins_over_a_pause(plan, driver):
    """E-62, E-63."""
    execution = drill(plan)
    driver.step(execution)
    steering.pause(execution, actor=PERSON)
    driver.run(execution, until=paused)
    executions.cancel(execution, actor=PERSON)
    for ask in (steering.pause, steering.lift_pause):
        with pytest.raises(BeingCancelled):
            ask(execution, actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.CANCELLED
    assert len(launches()) == 1
    with pytest.raises(ExecutionEnded):
        steering.lift_pause(execution, actor=PERSON)


def test_asking_twice_changes_nothing(plan):
    execution = drill(plan)
    first = steering.pause(execution, reason="First.", actor=PERSON)
    again = steering.pause(execution, reason="Second.", actor=PERSON)
    assert again.pause_requested_at == first.pause_requested_at
    assert again.pause_reason == "First."
    assert execution.events.filter(kind="execution.pause_requested").count() == 1


def test_where_nothing_has_yet_to_start_there_is_nothing_to_pause(plan, driver):
    execution = drill(plan)
    with pytest.raises(NotPaused):
        steering.lift_pause(execution, actor=PERSON)
    Wave.objects.filter(execution=execution).exclude(position=1).update(
        state=WaveState.BLOCKED, finished_at=timezone.now()
    )
    driver.step(execution)
    with pytest.raises(NothingToPause):
        steering.pause(execution, actor=PERSON)
    execution.refresh_from_db()
    assert execution.pause_requested_at is None
    assert not AuditRecord.objects.filter(event="recovery.execution.pause_requested").exists()


def test_a_wave_whose_start_was_decided_before_the_pause_does_not_start(plan, monkeypatch):
    """The worker has decided; the pause comes in; then the worker wants to write it down."""
    execution = drill(plan)
    carry_out = waves.carry_out
    asked: list[Any] = []

    def after_a_pause(execution, step):
        if type(step).__name__ == "LaunchWave" and not asked:
            asked.append(steering.pause(execution, actor=PERSON))
        carry_out(execution, step)

    monkeypatch.setattr(waves, "carry_out", after_a_pause)
    advance.advance(execution.pk)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.PAUSED
    assert (LaunchJob.objects.count(), launches()) == (0, [])


@pytest.mark.parametrize("_", range(6))
def test_a_pause_and_the_start_of_a_wave_at_once_are_one_or_the_other(plan, driver, _):
    execution = drill(plan)
    together = Barrier(2)

    def at_once(do):
        def run():
            try:
                together.wait(30)
                do()
            finally:
                connection.close()

        return Thread(target=run)

    threads = [
        at_once(lambda: advance.advance(execution.pk)),
        at_once(lambda: steering.pause(execution, actor=PERSON)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    started = len(launches())
    driver.run(execution, until=paused)
    assert len(launches()) == started
    first = execution.waves.get(position=1)
    assert (first.state == WaveState.PENDING) == (started == 0)
