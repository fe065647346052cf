"""A walk over random plans: whatever happens, every step is legal and there is an end."""

from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from recovery.engine import steps
from recovery.engine.again import unblocked
from recovery.engine.steps import ExecutionView, JobView, WaveView, next_steps
from recovery.states import (
    ENDED_WELL,
    EXECUTION,
    EXECUTION_AGAIN,
    WAVE,
    WAVE_AGAIN,
    ExecutionState,
    JobState,
    WaveState,
)

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
_TRIED_AGAIN = {s for s in WAVE_AGAIN.states if WAVE_AGAIN.allows(s, WaveState.LAUNCHING)}
_ANSWERS = {"started": JobState.STARTED, "lost": JobState.INTENDED, "wait": JobState.QUEUED}


class World:
    """A stand-in for what services do with the steps and what DRS does with the jobs."""

    def __init__(self, depends_on: Any, gates: Any, timers: Any, draw: Any) -> None:
        self.draw = draw
        self.state = str(ExecutionState.PENDING)
        self.cancel = self.pause = False
        self.pauses = self.retries = self.skips = 3
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
            pause_requested=self.pause,
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
            assert not self.pause
            needs = self.depends_on[position]
            assert all(self.waves[n]["state"] in ENDED_WELL for n in needs)
            assert "PENDING" in row["servers"]
            assert position not in self.gates or position in self.opened
            assert position not in self.timers or position in self.over
            row["jobs"][uuid4()] = (str(JobState.QUEUED), False, True)
        elif isinstance(step, steps.BlockWave | steps.CancelWave):
            row["servers"] = [row["state"] if s == "PENDING" else s for s in row["servers"]]

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
        row["servers"] = ["CANCELLED" if s == "PENDING" else s for s in row["servers"]]

    def _failed(self):
        """The waves with servers that a person may try again."""
        if self.state in EXECUTION.active and (self.cancel or self.state == "CANCELLING"):
            return []
        if self.state in EXECUTION.terminal and self.state not in {"PARTIAL", "FAILED"}:
            return []
        return [
            position
            for position, row in self.waves.items()
            if row["state"] in _TRIED_AGAIN and "FAILED" in row["servers"]
        ]

    def retry(self, anew):
        """A person has the failed servers of a wave launched again."""
        self.retries -= 1
        states = {position: row["state"] for position, row in self.waves.items()}
        for position in unblocked(states, self.depends_on, anew=anew):
            row = self.waves[position]
            assert WAVE_AGAIN.allows(row["state"], WaveState.PENDING)
            row["state"] = str(WaveState.PENDING)
            row["servers"] = ["PENDING" if s == "BLOCKED" else s for s in row["servers"]]
        row = self.waves[anew]
        row["state"] = str(WaveState.LAUNCHING)
        row["servers"] = ["PENDING" if s == "FAILED" else s for s in row["servers"]]
        row["jobs"][uuid4()] = (str(JobState.QUEUED), False, True)
        if self.state in EXECUTION.terminal:
            assert EXECUTION_AGAIN.allows(self.state, ExecutionState.RUNNING)
            self.state, self.pause = str(ExecutionState.RUNNING), False

    def _skip(self):
        """A person leaves a wave or a server of it out before it launches."""
        before = {str(WaveState.PENDING), str(WaveState.WAITING)}
        found = [p for p, row in self.waves.items() if row["state"] in before]
        rest = [p for p, row in self.waves.items() if set(row["servers"]) != {"LEFT_OUT"}]
        if self.cancel or not found or len(rest) <= 1:
            return
        self.skips -= 1
        position = self.draw(st.sampled_from(found))
        row = self.waves[position]
        row["servers"] = ["LEFT_OUT", self.draw(st.sampled_from(["LEFT_OUT", row["servers"][1]]))]
        if set(row["servers"]) == {"LEFT_OUT"}:
            self._wave_to(position, WaveState.LEFT_OUT)

    def ended(self):
        """Whether it has ended, and nobody tries anything again."""
        if self.state not in EXECUTION.terminal:
            return False
        failed = self._failed()
        if not (self.retries and failed and self.draw(st.booleans())):
            return True
        self.retry(self.draw(st.sampled_from(failed)))
        return False

    def outside(self):
        """DRS ends a job, a person opens a gate, pauses, cancels or tries failed servers again."""
        started = [
            (row, pk)
            for row in self.waves.values()
            for pk, (state, *_) in row["jobs"].items()
            if state == JobState.STARTED
        ]
        waiting = {p for p, row in self.waves.items() if row["state"] == WaveState.WAITING}
        if self.draw(st.integers(0, 9)) == 0:
            self.cancel = True
        if self.skips and self.draw(st.integers(0, 4)) == 0:
            self._skip()
        if self.pauses and not self.pause and self.draw(st.integers(0, 4)) == 0:
            self.pause, self.pauses = True, self.pauses - 1
        running = self.started - self.over
        if running and self.draw(st.booleans()):
            self.over.add(self.draw(st.sampled_from(sorted(running))))
        if started:
            row, pk = self.draw(st.sampled_from(started))
            row["jobs"][pk] = (str(JobState.ENDED), True, True)
            ends = st.sampled_from(["LAUNCHED", "LAUNCHED", "LAUNCHED", "FAILED", "UNKNOWN"])
            row["servers"] = [self.draw(ends) if s == "PENDING" else s for s in row["servers"]]
        elif self.retries and (failed := self._failed()) and self.draw(st.booleans()):
            self.retry(self.draw(st.sampled_from(failed)))
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
            if world.ended():
                break
            world.pause = False  # somebody lifts it in the end
            world.outside()
    assert world.state in EXECUTION.terminal
    assert all(row["state"] in WAVE.terminal for row in world.waves.values())
    assert len(world.asked) == len(set(world.asked))
    everything = [state for row in world.waves.values() for state in row["servers"]]
    if world.state == ExecutionState.COMPLETED:
        assert set(everything) - {"LEFT_OUT"} == {"LAUNCHED"}
