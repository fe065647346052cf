from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from recovery.engine import steps
from recovery.engine.steps import ExecutionView, JobView, WaveView, next_steps
from recovery.states import (
    ENDED_WELL,
    EXECUTION,
    WAVE,
    ExecutionState,
    JobState,
    ServerState,
    WaveState,
)


def running(
    *waves: WaveView,
    cancel: bool = False,
    pause: bool = False,
    state: str = ExecutionState.RUNNING,
):
    return ExecutionView(state=state, cancel_requested=cancel, pause_requested=pause, waves=waves)


def wave(position: int = 1, state: str = WaveState.PENDING, **more):
    return WaveView(position=position, state=state, **more)


def job(state: str, *, asked: bool = False, due: bool = True) -> JobView:
    return JobView(id=uuid4(), state=state, asked=asked, due=due)


def test_a_pending_execution_begins():
    assert next_steps(running(wave(), state=ExecutionState.PENDING)) == [steps.Begin()]


@pytest.mark.parametrize("state", sorted(EXECUTION.active - {ExecutionState.CANCELLING}))
def test_a_request_to_cancel_comes_before_everything(state):
    found = next_steps(running(wave(), cancel=True, state=state))
    assert found == [steps.StartCancelling()]


@pytest.mark.parametrize("state", sorted(EXECUTION.terminal))
def test_an_ended_execution_has_nothing_left_to_do(state):
    assert next_steps(running(wave(), cancel=True, state=state)) == []


def test_waves_that_need_nothing_start_together():
    found = next_steps(running(wave(1), wave(2), wave(3, depends_on=frozenset({1, 2}))))
    assert found == [steps.LaunchWave(1), steps.LaunchWave(2)]


def test_a_wave_starts_when_all_it_needs_has_completed():
    done = wave(1, WaveState.COMPLETED, servers=(ServerState.LAUNCHED,))
    busy = wave(2, WaveState.LAUNCHING, jobs=(job(JobState.STARTED),))
    last = wave(3, depends_on=frozenset({1, 2}))
    assert next_steps(running(done, busy, last)) == []
    done_too = wave(2, WaveState.COMPLETED, servers=(ServerState.LAUNCHED,))
    assert next_steps(running(done, done_too, last)) == [steps.LaunchWave(3)]


@pytest.mark.parametrize("end", sorted(WAVE.terminal - ENDED_WELL))
def test_a_wave_whose_need_did_not_end_well_is_blocked(end):
    found = next_steps(running(wave(1, end), wave(2, depends_on=frozenset({1}))))
    assert found == [steps.BlockWave(2, (1,))]


def test_a_gate_is_reached_once_and_then_waited_at():
    assert next_steps(running(wave(gate=True))) == [steps.ReachGate(1)]
    waiting = wave(1, WaveState.WAITING, gate=True)
    assert next_steps(running(waiting)) == [steps.Pause()]
    assert next_steps(running(waiting, state=ExecutionState.PAUSED)) == []


def test_an_open_gate_lets_its_wave_start_even_if_it_was_opened_early():
    for state in (WaveState.PENDING, WaveState.WAITING):
        opened = wave(1, state, gate=True, gate_open=True)
        assert next_steps(running(opened)) == [steps.LaunchWave(1)]


def test_a_paused_execution_goes_on_when_a_wave_launches():
    launching = wave(1, WaveState.LAUNCHING, jobs=(job(JobState.STARTED),))
    assert next_steps(running(launching, state=ExecutionState.PAUSED)) == [steps.GoOn()]


def test_a_paused_execution_goes_on_before_it_ends():
    """A worker may die between the launch of the last wave and GoOn."""
    ended = wave(1, WaveState.COMPLETED, servers=(ServerState.LAUNCHED,))
    assert next_steps(running(ended, state=ExecutionState.PAUSED)) == [steps.GoOn()]
    opened = wave(1, WaveState.WAITING, gate=True, gate_open=True)
    assert next_steps(running(opened, state=ExecutionState.PAUSED)) == [steps.GoOn()]


def test_a_timer_is_started_once_and_then_waited_for():
    assert next_steps(running(wave(waits=True))) == [steps.StartTimer(1)]
    started = wave(waits=True, timer_started=True)
    assert next_steps(running(started)) == []
    over = wave(waits=True, timer_started=True, timer_over=True)
    assert next_steps(running(over)) == [steps.LaunchWave(1)]


def test_a_timer_is_not_started_before_the_wave_could_start():
    busy = wave(1, WaveState.LAUNCHING, jobs=(job(JobState.STARTED),))
    assert next_steps(running(busy, wave(2, depends_on=frozenset({1}), waits=True))) == []


def test_the_gate_comes_first_and_then_the_timer():
    gated: dict[str, Any] = {"gate": True, "waits": True}
    assert next_steps(running(wave(**gated))) == [steps.ReachGate(1)]
    at_gate = wave(1, WaveState.WAITING, **gated)
    assert next_steps(running(at_gate)) == [steps.Pause()]
    opened = wave(1, WaveState.WAITING, gate_open=True, **gated)
    assert next_steps(running(opened)) == [steps.StartTimer(1)]
    paused = running(opened, state=ExecutionState.PAUSED)
    assert next_steps(paused) == [steps.GoOn()]
    timed = wave(1, WaveState.WAITING, gate_open=True, timer_started=True, **gated)
    assert next_steps(running(timed)) == []


def test_a_timer_keeps_a_gate_from_pausing_the_whole():
    timed = wave(1, waits=True, timer_started=True)
    waiting = wave(2, WaveState.WAITING, gate=True)
    assert next_steps(running(timed, waiting)) == []
    assert next_steps(running(timed, waiting, state=ExecutionState.PAUSED)) == [steps.GoOn()]


def test_cancelling_does_not_wait_for_a_timer():
    timed = wave(1, waits=True, timer_started=True)
    found = next_steps(running(timed, state=ExecutionState.CANCELLING, cancel=True))
    assert found == [steps.CancelWave(1)]


def test_a_wave_ends_well_without_an_optional_server():
    ended = wave(
        1,
        WaveState.LAUNCHING,
        jobs=(job(JobState.ENDED),),
        servers=(ServerState.LAUNCHED,),
        optional=(ServerState.FAILED,),
        threshold=50,
    )
    assert next_steps(running(ended)) == [steps.EndWave(1, WaveState.COMPLETED)]


def test_an_execution_whose_optional_servers_failed_is_partial():
    well = wave(
        1,
        WaveState.COMPLETED,
        servers=(ServerState.LAUNCHED,),
        optional=(ServerState.FAILED,),
        threshold=50,
    )
    assert next_steps(running(well)) == [steps.Finish(ExecutionState.PARTIAL)]


def test_what_launches_keeps_a_gate_from_pausing_the_whole():
    launching = wave(1, WaveState.LAUNCHING, jobs=(job(JobState.STARTED),))
    waiting = wave(2, WaveState.WAITING, gate=True)
    assert next_steps(running(launching, waiting)) == []


def test_queued_jobs_are_sent_when_they_are_due():
    due, later = job(JobState.QUEUED), job(JobState.QUEUED, due=False)
    found = next_steps(running(wave(1, WaveState.LAUNCHING, jobs=(due, later))))
    assert found == [steps.SendJob(due.id)]


@pytest.mark.parametrize("asked", [True, False])
def test_an_intent_is_settled(asked):
    intended = job(JobState.INTENDED, asked=asked)
    found = next_steps(running(wave(1, WaveState.LAUNCHING, jobs=(intended,))))
    assert found == [steps.SettleJob(intended.id, may_ask=True)]


def test_cancelling_withdraws_what_drs_was_not_asked_for_and_watches_the_rest():
    queued, unasked = job(JobState.QUEUED), job(JobState.INTENDED)
    asked, started = job(JobState.INTENDED, asked=True), job(JobState.STARTED)
    launching = wave(1, WaveState.LAUNCHING, jobs=(queued, unasked, asked, started))
    found = next_steps(running(launching, wave(2), state=ExecutionState.CANCELLING, cancel=True))
    assert found == [
        steps.WithdrawJob(queued.id, overdue=False),
        steps.WithdrawJob(unasked.id, overdue=False),
        steps.SettleJob(asked.id, may_ask=False),
        steps.CancelWave(2),
    ]


def test_a_wave_ends_when_its_jobs_have_ended():
    servers = (ServerState.LAUNCHED, ServerState.FAILED)
    ended = wave(1, WaveState.LAUNCHING, jobs=(job(JobState.ENDED),), servers=servers)
    assert next_steps(running(ended)) == [steps.EndWave(1, WaveState.PARTIAL)]


def test_a_wave_whose_time_is_up_ends_although_drs_goes_on():
    servers = (ServerState.LAUNCHED, ServerState.LAUNCHING)
    late = wave(
        1, WaveState.LAUNCHING, overdue=True, jobs=(job(JobState.STARTED),), servers=servers
    )
    assert next_steps(running(late)) == [steps.EndWave(1, WaveState.TIMED_OUT)]


def test_a_wave_does_not_end_while_nobody_knows_whether_drs_was_asked():
    asked = job(JobState.INTENDED, asked=True, due=False)
    late = wave(1, WaveState.LAUNCHING, overdue=True, jobs=(asked,))
    assert next_steps(running(late)) == []


# --- a pause that a person asked for -------------------------------------------------------------


def paused(*waves: WaveView, pause: bool = True):
    return running(*waves, pause=pause, state=ExecutionState.PAUSED)


def launching(position: int = 1, *jobs: JobView):
    return wave(position, WaveState.LAUNCHING, jobs=jobs or (job(JobState.STARTED),))


def test_under_a_pause_no_wave_starts():
    """E-60, E-61: and what is paused can go on."""
    assert next_steps(running(wave(), pause=True)) == [steps.Pause(requested=True)]
    assert next_steps(paused(wave())) == []
    assert next_steps(paused(wave(), pause=False)) == [steps.GoOn()]


def test_a_wave_that_launches_goes_on_under_a_pause_with_all_its_jobs():
    queued, intended = job(JobState.QUEUED), job(JobState.INTENDED)
    found = next_steps(running(launching(1, queued, intended), wave(2), pause=True))
    assert found == [steps.SendJob(queued.id), steps.SettleJob(intended.id, may_ask=True)]


def test_it_is_paused_once_nothing_launches_any_more():
    after = wave(2, depends_on=frozenset({1}))
    assert next_steps(running(launching(1), after, pause=True)) == []
    ended = wave(1, WaveState.COMPLETED, servers=(ServerState.LAUNCHED,))
    assert next_steps(running(ended, after, pause=True)) == [steps.Pause(requested=True)]


def test_gates_and_timers_keep_their_meaning_under_a_pause_but_nothing_starts():
    gate = wave(gate=True)
    assert next_steps(running(gate, pause=True)) == [steps.ReachGate(1)]
    assert next_steps(paused(wave(1, WaveState.WAITING, gate=True))) == []
    opened = wave(1, WaveState.WAITING, gate=True, gate_open=True)
    assert next_steps(paused(opened)) == []
    timed = wave(1, WaveState.WAITING, gate=True, gate_open=True, waits=True)
    assert next_steps(paused(timed)) == [steps.StartTimer(1)]
    for over in (False, True):
        ticking = wave(1, waits=True, timer_started=True, timer_over=over)
        assert next_steps(paused(ticking)) == []


def test_a_pause_that_is_lifted_leaves_shut_gates_shut():
    at_gate = wave(1, WaveState.WAITING, gate=True)
    assert next_steps(paused(at_gate, pause=False)) == []
    assert next_steps(paused(at_gate, wave(2), pause=False)) == [steps.GoOn()]


def test_under_a_pause_what_can_never_start_is_blocked_and_the_whole_may_end():
    failed = wave(1, WaveState.FAILED, servers=(ServerState.FAILED,))
    assert next_steps(paused(failed, wave(2, depends_on=frozenset({1})))) == [
        steps.BlockWave(2, (1,))
    ]
    blocked = wave(2, WaveState.BLOCKED, servers=(ServerState.BLOCKED,))
    assert next_steps(paused(failed, blocked)) == [steps.GoOn()]
    assert next_steps(running(failed, blocked, pause=True)) == [steps.Finish(ExecutionState.FAILED)]


def test_cancelling_does_not_wait_for_a_pause_to_be_lifted():
    """E-62."""
    found = next_steps(running(wave(), cancel=True, pause=True, state=ExecutionState.PAUSED))
    assert found == [steps.StartCancelling()]
    cancelling = running(wave(), cancel=True, pause=True, state=ExecutionState.CANCELLING)
    assert next_steps(cancelling) == [steps.CancelWave(1)]


# --- what a person leaves out --------------------------------------------------------------------


def test_a_wave_that_is_left_out_lets_others_start():
    left_out = wave(1, WaveState.LEFT_OUT, servers=(ServerState.LEFT_OUT,))
    assert next_steps(running(left_out, wave(2, depends_on=frozenset({1})))) == [
        steps.LaunchWave(2)
    ]


@pytest.mark.parametrize("kind", ["servers", "optional"])
def test_what_is_left_out_counts_for_no_verdict(kind):
    servers = {"servers": (ServerState.LAUNCHED,), "optional": ()}
    servers[kind] = (*servers[kind], ServerState.LEFT_OUT)
    ended = wave(1, WaveState.LAUNCHING, jobs=(job(JobState.ENDED),), **servers)
    assert next_steps(running(ended)) == [steps.EndWave(1, WaveState.COMPLETED)]
    done = wave(1, WaveState.COMPLETED, **servers)
    assert next_steps(running(done)) == [steps.Finish(ExecutionState.COMPLETED)]


def test_nothing_that_was_launched_is_no_success_although_some_was_left_out():
    left_out = wave(1, WaveState.LEFT_OUT, servers=(ServerState.LEFT_OUT,))
    failed = wave(2, WaveState.FAILED, servers=(ServerState.FAILED, ServerState.LEFT_OUT))
    assert next_steps(running(left_out, failed)) == [steps.Finish(ExecutionState.FAILED)]


@pytest.mark.parametrize("pause", [False, True])
@pytest.mark.parametrize("overdue", [False, True])
def test_what_awaits_an_approval_begins_with_it_only(pause, overdue):
    def found(**more):
        waiting = running(wave(), pause=pause, state=ExecutionState.AWAITING)
        return next_steps(replace(waiting, approval_overdue=overdue, **more))

    assert found() == ([steps.GiveUpWaiting()] if overdue else [])
    assert found(approved=True) == [steps.Begin()]
    assert found(approved=True, cancel_requested=True) == [steps.StartCancelling()]
