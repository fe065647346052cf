"""What a start would do, and when: the engine's own decisions, carried out in thought. Pure.

`next_steps` decides here as it does in an execution, and `quota.why_wait` says what has to wait;
only that DRS launches, and that people open gates, is assumed. A length that nobody knows counts
nothing, and whatever comes after it is "at least": so is, then, the whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from drportal.aws.limits import DRS_JOBS, JobQuotas
from recovery.engine import quota, steps
from recovery.engine.steps import ExecutionView, JobView, WaveView, next_steps
from recovery.states import ExecutionState, JobState, ServerState, WaveState

Place = tuple[str, str]  # account id, Region

# More than any plan needs; a world that does not come to an end is a mistake here.
_MOST_ROUNDS = 100_000
_NOW = timedelta(0)
_WHOLE: Final[Mapping[type, ExecutionState]] = {
    steps.Begin: ExecutionState.RUNNING,
    steps.GoOn: ExecutionState.RUNNING,
    steps.Pause: ExecutionState.PAUSED,
    steps.Finish: ExecutionState.COMPLETED,
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server to launch, and how long that takes; None if nobody knows."""

    server_id: str
    critical: bool
    takes: timedelta | None


@dataclass(frozen=True, slots=True)
class Job:
    """A launch job, as a start would write it."""

    place: Place
    servers: tuple[Server, ...]

    @property
    def takes(self) -> timedelta | None:
        """As long as the slowest of its servers; None if that of one is not known."""
        known = [server.takes for server in self.servers if server.takes is not None]
        return max(known) if known and len(known) == len(self.servers) else None

    @property
    def at_least(self) -> timedelta:
        """As long as the slowest of those servers of which it is known."""
        return max((s.takes for s in self.servers if s.takes is not None), default=_NOW)


@dataclass(frozen=True, slots=True)
class Wave:
    """A wave to launch. One without jobs is left out."""

    position: int
    needs: frozenset[int]
    jobs: tuple[Job, ...]
    gate: bool = False
    wait: timedelta = _NOW
    time_limit: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A time since the start. If it is not `sure`, it is that or later."""

    at: timedelta
    sure: bool = True


@dataclass(frozen=True, slots=True)
class JobRun:
    """When a job would be sent and have ended, and what it would have waited for in line."""

    wave: int
    number: int
    job: Job
    begin: Moment
    end: Moment
    queued: Moment
    waits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WaveRun:
    """When a wave could start, launches and has ended. `late`: after its time limit."""

    position: int
    ready: Moment
    begin: Moment
    end: Moment
    late: bool


@dataclass(frozen=True, slots=True)
class DryRun:
    """What would happen: jobs in the order in which DRS would be asked, and waves as they would
    begin. `reached` is when the last critical server would be launched; None if there is none.
    """

    jobs: tuple[JobRun, ...]
    waves: tuple[WaveRun, ...]
    end: Moment
    reached: Moment | None


@dataclass(slots=True)
class _JobState:
    """A job while the world goes on."""

    id: UUID
    wave: int
    number: int
    job: Job
    queued: Moment
    stands: JobState = JobState.QUEUED
    begin: Moment = Moment(_NOW)
    end: Moment = Moment(_NOW)
    waits: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _WaveState:
    """A wave while the world goes on."""

    wave: Wave
    stands: WaveState
    ready: Moment = Moment(_NOW)
    begin: Moment = Moment(_NOW)
    end: Moment = Moment(_NOW)
    gate_open: bool = False
    timer_until: timedelta | None = None
    jobs: list[_JobState] = field(default_factory=list)


def dry_run(
    waves: Sequence[Wave],
    *,
    running: Mapping[Place, Sequence[int]] | None = None,
    quotas: JobQuotas = DRS_JOBS,
) -> DryRun:
    """Carry `waves` out in thought. `running` are the sizes of the jobs that run already in each
    account and Region: they end at some time that nobody knows.
    """
    return _World(waves, running or {}, quotas).run()


class _World:
    """Everything that is so at one moment of the dry run."""

    def __init__(
        self, waves: Sequence[Wave], running: Mapping[Place, Sequence[int]], quotas: JobQuotas
    ) -> None:
        self.now = _NOW
        self.stands = ExecutionState.PENDING
        self.quotas = quotas
        self.foreign = {place: list(sizes) for place, sizes in running.items()}
        self.released: dict[Place, list[int]] = {}
        self.waves = {
            wave.position: _WaveState(wave, WaveState.PENDING if wave.jobs else WaveState.LEFT_OUT)
            for wave in sorted(waves, key=lambda wave: wave.position)
        }
        self.jobs: dict[UUID, _JobState] = {}
        self.sent: list[_JobState] = []

    def run(self) -> DryRun:
        for _ in range(_MOST_ROUNDS):
            if self.stands == ExecutionState.COMPLETED:
                return self._told()
            if not self._decide():
                self._let_time_pass()
        raise RuntimeError("The dry run came to no end.")

    def _decide(self) -> bool:
        """Do what the engine would do now, and return whether it was anything."""
        done = [self._do(step) for step in next_steps(self._view())]
        return any(done)

    def _do(self, step: steps.Step) -> bool:
        if type(step) in _WHOLE:
            self.stands = _WHOLE[type(step)]
            return True
        match step:
            case steps.SendJob(job_id):
                return self._send(self.jobs[job_id])
            case steps.ReachGate(position):
                self._reach_gate(self.waves[position])
            case steps.StartTimer(position):
                self._start_timer(self.waves[position])
            case steps.LaunchWave(position):
                self._launch(self.waves[position])
            case steps.EndWave(position, state):
                self._end(self.waves[position], state)
            case _:
                raise RuntimeError(f"A dry run that goes well has no {step!r}.")
        return True

    def _reach_gate(self, wave: _WaveState) -> None:
        wave.stands, wave.ready = WaveState.WAITING, self._could_start(wave)

    def _start_timer(self, wave: _WaveState) -> None:
        if not wave.wave.gate:
            wave.ready = self._could_start(wave)
        wave.timer_until = self.now + wave.wave.wait

    def _launch(self, wave: _WaveState) -> None:
        if not wave.wave.gate and wave.timer_until is None:
            wave.ready = self._could_start(wave)
        # Nobody knows how long a person takes to open a gate.
        wave.begin = Moment(self.now, wave.ready.sure and not wave.wave.gate)
        wave.stands = WaveState.LAUNCHING
        for number, job in enumerate(wave.wave.jobs, start=1):
            made = _JobState(
                UUID(int=len(self.jobs) + 1), wave.wave.position, number, job, wave.begin
            )
            self.jobs[made.id] = made
            wave.jobs.append(made)

    def _end(self, wave: _WaveState, state: WaveState) -> None:
        wave.stands = state
        wave.end = Moment(self.now, all(job.end.sure for job in wave.jobs))

    def _could_start(self, wave: _WaveState) -> Moment:
        needs = [self.waves[need] for need in wave.wave.needs if need in self.waves]
        return Moment(self.now, all(need.end.sure for need in needs))

    def _send(self, job: _JobState) -> bool:
        """Send a job if there is room; else note why it waits. Returns whether it was sent."""
        place, wanted = job.job.place, len(job.job.servers)
        running = [len(each.job.servers) for each in self.sent if _runs(each, place)]
        running += self.foreign.get(place, [])
        why = self._why_wait(wanted, running)
        if why:
            if not job.waits:
                job.waits.append(why)
            return False
        # What ended at a time that nobody knows may still be in the way then.
        sure = job.queued.sure and not self._why_wait(wanted, running + self._perhaps(place))
        job.stands, job.begin = JobState.STARTED, Moment(self.now, sure)
        known = job.job.takes is not None
        job.end = Moment(self.now + job.job.at_least, sure and known)
        self.sent.append(job)
        return True

    def _why_wait(self, wanted: int, running: Sequence[int]) -> str:
        return quota.why_wait(wanted, quota.Load(len(running), sum(running)), self.quotas)

    def _perhaps(self, place: Place) -> list[int]:
        """The sizes of the jobs there that have ended here, and may not have ended then."""
        own = [
            len(job.job.servers)
            for job in self.sent
            if job.job.place == place and _ended(job) and not job.end.sure
        ]
        return own + self.released.get(place, [])

    def _let_time_pass(self) -> None:
        """Go to the next moment at which something happens by itself."""
        if self._open_gates() or self._let_others_end():
            return
        running = [job for job in self.sent if _runs(job)]
        timers = [wave.timer_until for wave in self._timed()]
        moments = [job.end.at for job in running] + [at for at in timers if at is not None]
        if not moments:
            raise RuntimeError("The dry run waits for nothing.")
        self.now = max(self.now, min(moments))
        for job in running:
            if job.end.at <= self.now:
                job.stands = JobState.ENDED

    def _open_gates(self) -> bool:
        """People open gates as soon as they are reached, as far as a dry run knows."""
        shut = [
            wave
            for wave in self.waves.values()
            if wave.stands == WaveState.WAITING and not wave.gate_open
        ]
        for wave in shut:
            wave.gate_open = True
        return bool(shut)

    def _timed(self) -> Iterator[_WaveState]:
        for wave in self.waves.values():
            before = wave.stands in {WaveState.PENDING, WaveState.WAITING}
            if before and wave.timer_until is not None and wave.timer_until > self.now:
                yield wave

    def _let_others_end(self) -> bool:
        """Let jobs of others end that keep one of ours waiting: perhaps at once, nobody knows."""
        waiting = {job.job.place for job in self.jobs.values() if job.stands == JobState.QUEUED}
        ended = [place for place in waiting if self.foreign.get(place)]
        for place in ended:
            self.released[place] = self.foreign.pop(place)
        return bool(ended)

    def _view(self) -> ExecutionView:
        return ExecutionView(
            state=self.stands,
            cancel_requested=False,
            waves=tuple(self._wave_view(wave) for wave in self.waves.values()),
        )

    def _wave_view(self, wave: _WaveState) -> WaveView:
        launched = bool(wave.jobs) and all(map(_ended, wave.jobs))
        state = ServerState.LAUNCHED if launched else ServerState.PENDING
        count = sum(len(job.servers) for job in wave.wave.jobs)
        return WaveView(
            position=wave.wave.position,
            state=wave.stands,
            depends_on=wave.wave.needs,
            gate=wave.wave.gate,
            gate_open=wave.gate_open,
            waits=bool(wave.wave.wait),
            timer_started=wave.timer_until is not None,
            timer_over=wave.timer_until is not None and wave.timer_until <= self.now,
            servers=(state,) * count,
            jobs=tuple(JobView(job.id, job.stands, asked=True, due=True) for job in wave.jobs),
        )

    def _told(self) -> DryRun:
        launched = [wave for wave in self.waves.values() if wave.wave.jobs]
        runs = tuple(
            JobRun(job.wave, job.number, job.job, job.begin, job.end, job.queued, tuple(job.waits))
            for job in self.sent
        )
        return DryRun(
            jobs=runs,
            waves=tuple(
                sorted(map(_wave_run, launched), key=lambda run: (run.begin.at, run.position))
            ),
            end=_last([wave.end for wave in launched]),
            reached=_reached(runs),
        )


def _runs(job: _JobState, place: Place | None = None) -> bool:
    return job.stands == JobState.STARTED and place in {None, job.job.place}


def _ended(job: _JobState) -> bool:
    return job.stands == JobState.ENDED


def _wave_run(wave: _WaveState) -> WaveRun:
    limit = wave.wave.time_limit
    late = limit is not None and wave.end.at - wave.begin.at > limit
    return WaveRun(wave.wave.position, wave.ready, wave.begin, wave.end, late)


def _reached(runs: Sequence[JobRun]) -> Moment | None:
    found = []
    for run in runs:
        critical = tuple(server for server in run.job.servers if server.critical)
        if critical:
            part = replace(run.job, servers=critical)
            known = run.begin.sure and part.takes is not None
            found.append(Moment(run.begin.at + part.at_least, known))
    return _last(found) if found else None


def _last(moments: Sequence[Moment]) -> Moment:
    """The latest; sure only if all are, for what is not sure may be later."""
    at = max((moment.at for moment in moments), default=_NOW)
    return Moment(at, all(moment.sure for moment in moments))
