from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine import steps
from recovery.engine.steps import ExecutionView, JobView, WaveView, next_steps
from recovery.states import EXECUTION, WAVE, ExecutionState, JobState, ServerState, WaveState


def running(*waves: WaveView, cancel: bool = False, state: str = ExecutionState.RUNNING):
    return ExecutionView(state=state, cancel_requested=cancel, waves=waves)


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


@pytest.mark.parametrize("end", sorted(WAVE.terminal - {WaveState.COMPLETED}))
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


# --- a walk: whatever happens, every step is legal and there is an end -------------------------

STEPS_ENOUGH = 400
_EXECUTION_MOVES = {
    steps.Begin: ExecutionState.RUNNING,
    steps.StartCancelling: ExecutionState.CANCELLING,
    steps.Pause: ExecutionState.PAUSED,
    steps.GoOn: ExecutionState.RUNNING,
}
_WAVE_MOVES = {
    steps.ReachGate: WaveState.WAITING,
    steps.LaunchWave: WaveState.LAUNCHING,
    steps.BlockWave: WaveState.BLOCKED,
    steps.CancelWave: WaveState.CANCELLED,
}
_ANSWERS = {"started": JobState.STARTED, "lost": JobState.INTENDED, "wait": JobState.QUEUED}


class World:
    """A stand-in for what services do with the steps and what DRS does with the jobs."""

    def __init__(self, depends_on: Any, gates: Any, timers: Any, draw: Any) -> None:
        self.draw = draw
        self.state = str(ExecutionState.PENDING)
        self.cancel = False
        self.waves: dict[int, dict[str, Any]] = {
            position: {"state": str(WaveState.PENDING), "servers": ["PENDING"] * 2, "jobs": {}}
            for position in depends_on
        }
        self.depends_on, self.gates, self.timers = depends_on, gates, timers
        self.opened: set[int] = set()
        self.started: set[int] = set()
        self.over: set[int] = set()
        self.asked: list[Any] = []

    def view(self):
        return ExecutionView(
            state=self.state,
            cancel_requested=self.cancel,
            waves=tuple(
                WaveView(
                    position=position,
                    state=row["state"],
                    depends_on=frozenset(self.depends_on[position]),
                    gate=position in self.gates,
                    gate_open=position in self.opened,
                    waits=position in self.timers,
                    timer_started=position in self.started,
                    timer_over=position in self.over,
                    threshold=50,
                    servers=tuple(row["servers"][:1]),
                    optional=tuple(row["servers"][1:]),
                    jobs=tuple(JobView(pk, *job) for pk, job in row["jobs"].items()),
                )
                for position, row in self.waves.items()
            ),
        )

    def _to(self, target):
        assert EXECUTION.allows(self.state, target), (self.state, target)
        self.state = str(target)

    def _wave_to(self, position, target):
        row = self.waves[position]
        assert WAVE.allows(row["state"], target), (row["state"], target)
        row["state"] = str(target)

    def _job(self, pk):
        return next(row for row in self.waves.values() if pk in row["jobs"])

    def do(self, step):
        if isinstance(step, steps.SendJob | steps.SettleJob | steps.WithdrawJob):
            self._do_job(step)
        elif hasattr(step, "position"):
            self._do_wave(step)
        else:
            self._to(getattr(step, "state", None) or _EXECUTION_MOVES[type(step)])

    def _do_wave(self, step):
        position = step.position
        row = self.waves[position]
        if isinstance(step, steps.StartTimer):
            assert position not in self.started
            assert position not in self.gates or position in self.opened
            assert row["state"] not in WAVE.terminal
            self.started.add(position)
            return
        self._wave_to(position, getattr(step, "state", None) or _WAVE_MOVES[type(step)])
        if isinstance(step, steps.LaunchWave):
            needs = self.depends_on[position]
            assert all(self.waves[n]["state"] == WaveState.COMPLETED for n in needs)
            assert position not in self.gates or position in self.opened
            assert position not in self.timers or position in self.over
            row["jobs"][uuid4()] = (str(JobState.QUEUED), False, True)
        elif isinstance(step, steps.BlockWave | steps.CancelWave):
            row["servers"] = [row["state"]] * 2

    def _do_job(self, step):
        pk = step.job_id
        if isinstance(step, steps.WithdrawJob):
            self._withdraw(pk)
        elif isinstance(step, steps.SendJob):
            outcome = self.draw(st.sampled_from(list(_ANSWERS)))
            self._job(pk)["jobs"][pk] = (str(_ANSWERS[outcome]), outcome == "lost", True)
            self.asked += [pk] if outcome == "started" else []
        elif self.draw(st.booleans()) or step.may_ask:
            self._job(pk)["jobs"][pk] = (str(JobState.STARTED), True, True)
            self.asked.append(pk)
        else:
            self._withdraw(pk)

    def _withdraw(self, pk):
        row = self._job(pk)
        row["jobs"][pk] = (str(JobState.CANCELLED), False, True)
        row["servers"] = ["CANCELLED"] * 2

    def outside(self):
        """DRS ends a job, a person opens a gate or cancels."""
        started = [
            (row, pk)
            for row in self.waves.values()
            for pk, (state, *_) in row["jobs"].items()
            if state == JobState.STARTED
        ]
        waiting = {p for p, row in self.waves.items() if row["state"] == WaveState.WAITING}
        if self.draw(st.integers(0, 9)) == 0:
            self.cancel = True
        running = self.started - self.over
        if running and self.draw(st.booleans()):
            self.over.add(self.draw(st.sampled_from(sorted(running))))
        if started:
            row, pk = self.draw(st.sampled_from(started))
            row["jobs"][pk] = (str(JobState.ENDED), True, True)
            ends = st.sampled_from(["LAUNCHED", "LAUNCHED", "LAUNCHED", "FAILED", "UNKNOWN"])
            row["servers"] = [self.draw(ends), self.draw(ends)]
        elif waiting - self.opened:
            self.opened.add(self.draw(st.sampled_from(sorted(waiting - self.opened))))


@st.composite
def plans(draw):
    size = draw(st.integers(1, 6))
    depends_on = {
        position: draw(st.sets(st.integers(1, position - 1))) if position > 1 else set()
        for position in range(1, size + 1)
    }
    positions = st.sets(st.integers(1, size))
    return depends_on, draw(positions), draw(positions)


@given(plans(), st.data())
def test_every_walk_ends_and_asks_for_each_job_once(plan, data):
    depends_on, gates, timers = plan
    world = World(depends_on, gates, timers, data.draw)
    for _ in range(STEPS_ENOUGH):
        found = next_steps(world.view())
        for step in found[: data.draw(st.integers(1, len(found)))] if found else ():
            world.do(step)
        if found and data.draw(st.booleans()):
            world.outside()  # it dies here, and the world goes on
        if not found:
            if world.state in EXECUTION.terminal:
                break
            world.outside()
    assert world.state in EXECUTION.terminal
    assert all(row["state"] in WAVE.terminal for row in world.waves.values())
    assert len(world.asked) == len(set(world.asked))
    everything = [state for row in world.waves.values() for state in row["servers"]]
    if world.state == ExecutionState.COMPLETED:
        assert set(everything) == {"LAUNCHED"}
