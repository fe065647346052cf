"""The database decides who moves a row, and the table decides which moves there are."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from drportal.state import IllegalMove, Lifecycle, StaleState, move, move_all
from recovery.models import Execution, WaveServer
from recovery.states import EXECUTION, JOB, SERVER, WAVE, ExecutionState, ServerState
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory

LIGHT = Lifecycle({"RED": {"GREEN"}, "GREEN": {"AMBER"}, "AMBER": {"RED", "DARK"}, "DARK": set()})


def test_a_lifecycle_knows_its_states_and_its_ends() -> None:
    assert LIGHT.states == {"RED", "GREEN", "AMBER", "DARK"}
    assert LIGHT.terminal == {"DARK"}
    assert LIGHT.active == {"RED", "GREEN", "AMBER"}


def test_only_listed_moves_are_allowed() -> None:
    listed = {("RED", "GREEN"), ("GREEN", "AMBER"), ("AMBER", "RED"), ("AMBER", "DARK")}
    for source in LIGHT.states:
        for target in LIGHT.states:
            assert LIGHT.allows(source, target) == ((source, target) in listed)


def test_a_move_to_an_unlisted_state_is_a_mistake_of_the_table() -> None:
    with pytest.raises(ValueError, match=r"\['BLUE', 'PINK'\]"):
        Lifecycle({"RED": {"PINK", "RED"}, "GREEN": {"BLUE"}})


def test_asking_about_an_unlisted_state_is_an_error_not_a_no() -> None:
    with pytest.raises(KeyError):
        LIGHT.allows("BLUE", "RED")


@pytest.mark.parametrize("lifecycle", [EXECUTION, WAVE, JOB, SERVER])
def test_every_state_of_the_engine_leads_to_an_end(lifecycle: Lifecycle) -> None:
    ends = set(lifecycle.terminal)
    while True:
        more = {
            source
            for source in lifecycle.states - ends
            if any(lifecycle.allows(source, target) for target in ends)
        }
        if not more:
            break
        ends |= more
    assert ends == lifecycle.states


@pytest.mark.django_db
def test_a_move_writes_the_state_and_its_changes() -> None:
    execution = ExecutionFactory.create()
    now = timezone.now()
    move(execution, ExecutionState.RUNNING, lifecycle=EXECUTION, started_at=now, message="off")
    assert (execution.state, execution.started_at, execution.message) == ("RUNNING", now, "off")
    execution.refresh_from_db()
    assert (execution.state, execution.started_at, execution.message) == ("RUNNING", now, "off")


@pytest.mark.django_db
def test_an_illegal_move_writes_nothing(django_assert_num_queries) -> None:
    ended = ExecutionFactory.create(state=ExecutionState.COMPLETED)
    with (
        django_assert_num_queries(0),
        pytest.raises(IllegalMove, match="cannot go from COMPLETED to RUNNING"),
    ):
        move(ended, ExecutionState.RUNNING, lifecycle=EXECUTION, message="again")
    assert (ended.state, ended.message) == ("COMPLETED", "")
    ended.refresh_from_db()
    assert (ended.state, ended.message) == ("COMPLETED", "")


@pytest.mark.django_db
def test_a_stale_instance_moves_nothing_and_stays_as_it_was_read() -> None:
    execution = ExecutionFactory.create()
    late = Execution.objects.get(pk=execution.pk)
    move(execution, ExecutionState.RUNNING, lifecycle=EXECUTION)
    with pytest.raises(StaleState, match="no longer PENDING"):
        move(late, ExecutionState.RUNNING, lifecycle=EXECUTION, message="mine")
    assert (late.state, late.message) == ("PENDING", "")
    late.refresh_from_db()
    assert (late.state, late.message) == ("RUNNING", "")


@pytest.mark.django_db
def test_a_row_that_is_gone_is_stale() -> None:
    execution = ExecutionFactory.create()
    Execution.objects.filter(pk=execution.pk).delete()
    with pytest.raises(StaleState):
        move(execution, ExecutionState.RUNNING, lifecycle=EXECUTION)


@pytest.mark.django_db
def test_a_move_touches_no_other_row() -> None:
    moved, other = ExecutionFactory.create(), ExecutionFactory.create()
    move(moved, ExecutionState.RUNNING, lifecycle=EXECUTION)
    other.refresh_from_db()
    assert other.state == ExecutionState.PENDING


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_move_one_row_one_wins() -> None:
    execution = ExecutionFactory.create()
    start = threading.Barrier(8)

    def racer(number: int) -> str:
        try:
            mine = Execution.objects.get(pk=execution.pk)
            start.wait(timeout=20)
            move(mine, ExecutionState.RUNNING, lifecycle=EXECUTION, message=f"by {number}")
        except StaleState:
            return ""
        finally:
            connection.close()
        return f"by {number}"

    with ThreadPoolExecutor(8) as pool:
        winners = [message for message in pool.map(racer, range(8)) if message]
    execution.refresh_from_db()
    assert winners == [execution.message]
    assert execution.state == ExecutionState.RUNNING


@pytest.mark.django_db
def test_rows_move_together_and_those_elsewhere_stay(django_assert_num_queries) -> None:
    wave = WaveFactory.create()
    pending = WaveServerFactory.create_batch(3, wave=wave)
    done = WaveServerFactory.create(
        wave=wave, state=ServerState.LAUNCHED, finished_at=timezone.now()
    )
    outside = WaveServerFactory.create()
    with django_assert_num_queries(1):
        moved = move_all(
            wave.servers.all(),
            ServerState.LAUNCHING,
            lifecycle=SERVER,
            source=ServerState.PENDING,
            message="asked",
        )
    assert moved == 3
    rows = dict(WaveServer.objects.values_list("pk", "state"))
    assert {rows[server.pk] for server in pending} == {"LAUNCHING"}
    assert rows[done.pk] == "LAUNCHED"
    assert rows[outside.pk] == "PENDING"
    done.refresh_from_db()
    assert done.message == ""


@pytest.mark.django_db
def test_an_illegal_move_of_many_writes_nothing(django_assert_num_queries) -> None:
    server = WaveServerFactory.create()
    with django_assert_num_queries(0), pytest.raises(IllegalMove, match="LAUNCHED to PENDING"):
        move_all(
            WaveServer.objects.all(),
            ServerState.PENDING,
            lifecycle=SERVER,
            source=ServerState.LAUNCHED,
        )
    server.refresh_from_db()
    assert server.state == ServerState.PENDING


@pytest.mark.django_db
def test_none_to_move_is_none_moved() -> None:
    moved = move_all(
        WaveServer.objects.none(),
        ServerState.LAUNCHING,
        lifecycle=SERVER,
        source=ServerState.PENDING,
    )
    assert moved == 0
