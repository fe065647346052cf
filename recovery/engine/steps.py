"""What is to be done next for an execution: decided here, without asking or writing anything.

`next_steps` looks at a snapshot and names everything that can be done now. It may be called as
often as one likes; when the steps are done and written, the next call names the ones after them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from recovery.engine import outcome
from recovery.engine.wave_preflight import Look
from recovery.states import ENDED_WELL, EXECUTION, JOB, WAVE, ExecutionState, JobState, WaveState


@dataclass(frozen=True, slots=True)
class JobView:
    """A launch job. `asked`: DRS may have been asked. `due`: its waiting time is over."""

    id: UUID
    state: str
    asked: bool
    due: bool


@dataclass(frozen=True, slots=True)
class WaveView:
    """A wave with the states of its critical and its optional servers. `overdue`: its time limit
    has passed. `waits`: it has a timer, which is started when it could start. `checking`: checks of
    launched servers have not ended; such servers are UNKNOWN here. `look`: what AWS, asked anew,
    says to its launch. `gate_shut`: its gate was denied, or has expired; that cancels the
    execution, or only blocks the wave.
    """

    position: int
    state: str
    depends_on: frozenset[int] = frozenset()
    gate: bool = False
    gate_open: bool = False
    gate_shut: bool = False
    gate_cancels: bool = False
    waits: bool = False
    timer_started: bool = False
    timer_over: bool = False
    overdue: bool = False
    checking: bool = False
    threshold: int = 100
    servers: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    jobs: tuple[JobView, ...] = ()
    look: Look = Look.GO


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """An execution, as far as the next steps depend on it. `approval_overdue`: nobody has approved
    it in time.
    """

    state: str
    cancel_requested: bool
    waves: tuple[WaveView, ...]
    pause_requested: bool = False
    approved: bool = False
    approval_overdue: bool = False


@dataclass(frozen=True, slots=True)
class Begin:
    """Go from PENDING, or from AWAITING once it is approved, to RUNNING."""


@dataclass(frozen=True, slots=True)
class GiveUpWaiting:
    """Ask that an execution which nobody approved in time be cancelled."""


@dataclass(frozen=True, slots=True)
class StartCancelling:
    """Carry out the request to cancel."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Say that only a person can let it go on; `requested`, because a person asked for that."""

    requested: bool = False


@dataclass(frozen=True, slots=True)
class GoOn:
    """Say that it goes on."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the execution."""

    state: ExecutionState


@dataclass(frozen=True, slots=True)
class ReachGate:
    """Let a wave wait at its gate."""

    position: int


@dataclass(frozen=True, slots=True)
class ShutGate:
    """End a wave whose gate does not open any more, or with `cancels` the execution."""

    position: int
    cancels: bool


@dataclass(frozen=True, slots=True)
class StartTimer:
    """Let a wave that could start wait for its time."""

    position: int


@dataclass(frozen=True, slots=True)
class AskBefore:
    """Ask AWS whether anything keeps a wave that could launch from launching well."""

    position: int


@dataclass(frozen=True, slots=True)
class LaunchWave:
    """Write a wave's launch jobs, to be sent."""

    position: int


@dataclass(frozen=True, slots=True)
class BlockWave:
    """End a wave that can never start, because `needs` did not end well."""

    position: int
    needs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CancelWave:
    """End a wave that has not started."""

    position: int


@dataclass(frozen=True, slots=True)
class EndWave:
    """End a wave whose servers have ended, or whose time is up."""

    position: int
    state: WaveState


@dataclass(frozen=True, slots=True)
class SendJob:
    """Ask DRS to launch, if there is room."""

    job_id: UUID


@dataclass(frozen=True, slots=True)
class SettleJob:
    """Find out whether DRS did it; if it did not, ask (again) if it `may_ask`."""

    job_id: UUID
    may_ask: bool


@dataclass(frozen=True, slots=True)
class WithdrawJob:
    """Drop a job that DRS was certainly not asked for."""

    job_id: UUID
    overdue: bool


Step = (
    Begin
    | GiveUpWaiting
    | StartCancelling
    | Pause
    | GoOn
    | Finish
    | ReachGate
    | ShutGate
    | StartTimer
    | AskBefore
    | LaunchWave
    | BlockWave
    | CancelWave
    | EndWave
    | SendJob
    | SettleJob
    | WithdrawJob
)


_CANCELLED_FROM = frozenset(EXECUTION.active - {ExecutionState.CANCELLING})


def next_steps(execution: ExecutionView) -> list[Step]:
    """Everything that can be done for `execution` now; nothing if it has to wait or has ended."""
    match execution.state, execution.cancel_requested:
        case (state, True) if state in _CANCELLED_FROM:
            return [StartCancelling()]
        case (ExecutionState.AWAITING, False):
            return _while_awaiting(execution)
        case (ExecutionState.PENDING, False):
            return [Begin()]
        case (ExecutionState.PAUSED, False):
            return _while_paused(execution)
        case (ExecutionState.RUNNING | ExecutionState.CANCELLING, _):
            return _for_waves(execution) or _for_the_whole(execution)
    return []


def _while_awaiting(execution: ExecutionView) -> list[Step]:
    """Nothing but an approval lets it begin. One that came in time counts, however late we look."""
    if execution.approved:
        return [Begin()]
    return [GiveUpWaiting()] if execution.approval_overdue else []


def _while_paused(execution: ExecutionView) -> list[Step]:
    """What a person asked to pause stays so, although gates are reached and timers started."""
    if execution.pause_requested and _held(execution.waves):
        return _for_waves(execution)
    return [] if _stands_still(execution) else [GoOn()]


def _stands_still(execution: ExecutionView) -> bool:
    """Whether only a person can let it go on."""
    waves = execution.waves
    if execution.pause_requested:
        return _held(waves) and not _for_waves(execution)
    moving = any(wave.state == WaveState.LAUNCHING or _goes_on(wave) for wave in waves)
    return not moving and _at_gate(waves) and not _for_waves(execution)


def _held(waves: Sequence[WaveView]) -> bool:
    """Whether a pause has come into force: none launches, and some have not ended. A timer that
    runs lets nothing start by itself then.
    """
    launching = any(wave.state == WaveState.LAUNCHING for wave in waves)
    return not launching and any(wave.state in WAVE.active for wave in waves)


def _for_waves(execution: ExecutionView) -> list[Step]:
    states = {wave.position: wave.state for wave in execution.waves}
    cancelling = execution.state == ExecutionState.CANCELLING
    steps: list[Step] = []
    for wave in execution.waves:
        if wave.state in {WaveState.PENDING, WaveState.WAITING}:
            steps += [
                step
                for step in _before_launch(wave, states, cancelling=cancelling)
                # A pause holds at the next boundary: before a wave, never within one.
                # Nor is AWS asked then: by the time that it is lifted, the answer would be old.
                if not (execution.pause_requested and isinstance(step, AskBefore | LaunchWave))
            ]
        elif wave.state == WaveState.LAUNCHING:
            steps += _while_launching(wave, cancelling=cancelling)
    return steps


def _before_launch(wave: WaveView, states: dict[int, str], *, cancelling: bool) -> Iterator[Step]:
    if cancelling:
        yield CancelWave(wave.position)
        return
    ended_badly = tuple(
        sorted(
            need
            for need in wave.depends_on
            if states[need] in WAVE.terminal and states[need] not in ENDED_WELL
        )
    )
    if ended_badly:
        yield BlockWave(wave.position, ended_badly)
    elif all(states[need] in ENDED_WELL for need in wave.depends_on):
        yield from _once_it_could_start(wave)


def _once_it_could_start(wave: WaveView) -> Iterator[Step]:
    """First the gate, then the timer, then AWS: what a person lets start still waits for its time,
    and what AWS says is of the moment of the launch.
    """
    if wave.gate and not wave.gate_open:
        if wave.state == WaveState.PENDING:
            yield ReachGate(wave.position)
        elif wave.gate_shut:
            yield ShutGate(wave.position, wave.gate_cancels)
    elif wave.waits and not wave.timer_started:
        yield StartTimer(wave.position)
    elif not wave.waits or wave.timer_over:
        yield from _launch(wave)


def _launch(wave: WaveView) -> Iterator[Step]:
    if wave.look == Look.ASK:
        yield AskBefore(wave.position)
    elif wave.look == Look.GO:
        yield LaunchWave(wave.position)


def _while_launching(wave: WaveView, *, cancelling: bool) -> Iterator[Step]:
    live = [job for job in wave.jobs if job.state in JOB.active]
    stopping = cancelling or wave.overdue
    withdrawn = [job for job in live if stopping and _unasked(job)]
    for job in withdrawn:
        yield WithdrawJob(job.id, overdue=wave.overdue)
    for job in live:
        if job.state == JobState.INTENDED and job.due and job not in withdrawn:
            yield SettleJob(job.id, may_ask=not stopping)
        elif job.state == JobState.QUEUED and job.due and not stopping:
            yield SendJob(job.id)
    # Time may be up while DRS runs a job, but not while nobody knows whether it does.
    stuck = [job for job in live if not (wave.overdue and job.state == JobState.STARTED)]
    if not stuck and (wave.overdue or not wave.checking):
        yield EndWave(wave.position, _outcome(wave))


def _outcome(wave: WaveView) -> WaveState:
    return outcome.of_wave(
        wave.servers, wave.optional, threshold=wave.threshold, overdue=wave.overdue
    )


def _unasked(job: JobView) -> bool:
    return job.state == JobState.QUEUED or (job.state == JobState.INTENDED and not job.asked)


def _for_the_whole(execution: ExecutionView) -> list[Step]:
    waves = execution.waves
    if all(wave.state in WAVE.terminal for wave in waves):
        servers = [state for wave in waves for state in (*wave.servers, *wave.optional)]
        cancelled = execution.state == ExecutionState.CANCELLING
        ended = [wave.state for wave in waves]
        return [Finish(outcome.of_execution(servers, cancelled=cancelled, waves=ended))]
    if execution.state == ExecutionState.RUNNING and _stands_still(execution):
        return [Pause(requested=execution.pause_requested)]
    return []


def _at_gate(waves: Sequence[WaveView]) -> bool:
    return any(wave.state == WaveState.WAITING for wave in waves)


def _goes_on(wave: WaveView) -> bool:
    """Whether it goes on by itself: its time comes, or AWS is asked again."""
    waits = wave.timer_started or wave.look == Look.HELD
    return waits and wave.state in {WaveState.PENDING, WaveState.WAITING}
