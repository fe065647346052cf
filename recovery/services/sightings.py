"""Writing down what a poll saw of a launch job and its servers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from drportal.aws.drs import Job, LogItem, RecoveryInstance
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.state import StaleState, move, move_all
from recovery.engine import checks as rules
from recovery.engine import outcome
from recovery.engine.verdicts import Judgement, ServerLog, judge
from recovery.models import Execution, LaunchJob, WaveServer
from recovery.services import job_logs, leases, server_checks
from recovery.services.events import Line, note, note_all, titled
from recovery.services.waves import release_claims
from recovery.states import EXECUTION, JOB, SERVER, JobState, Phase, ServerState

# What a poll may set of a server at any time, and what it looks at besides.
_ALIKE: Final = ("phase", "message", "launch_status")
_SHOWN: Final = (*_ALIKE, "recovery_instance_id")
_LOOKED_AT: Final = ("server_id", "state", "launched_at", *_SHOWN)
_OPEN: Final = frozenset({ServerState.LAUNCHING, ServerState.UNKNOWN})
_LAST_PHASES: Final = frozenset({Phase.LAUNCH, Phase.DONE})


@dataclass(frozen=True, slots=True)
class Sight:
    """What one poll saw of one launch job. `found` is None if DRS did not list it; `gone`, if it
    has not done so for long. `log` and the `lines` that it was read from are None if it was not
    read. `instances` are the job's own recovery instances, by server id, which are asked for once
    it has ended.
    """

    job: LaunchJob
    found: Job | None
    log: dict[str, ServerLog] | None = None
    lines: Sequence[LogItem] | None = None
    instances: dict[str, RecoveryInstance] = field(default_factory=dict)
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a poll: whether anything was `changed`, and whether a job may be `ending`."""

    changed: bool
    ending: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a poll makes of one server: where it is to go, and what is shown of it."""

    judged: Judgement
    moves: bool
    shown: dict[str, str]

    def new_to(self, server: WaveServer) -> bool:
        return self.moves or any(getattr(server, name) != self.shown[name] for name in _SHOWN)


def take_in(sights: Sequence[Sight]) -> Taken:
    """Write what was seen, in one transaction for each job of which anything is new.

    Most polls see nothing new. What they cost does not grow with the number of jobs: everything is
    read at once, without locks, and what is new is looked at again under them.
    """
    jobs = [sight.job.pk for sight in sights]
    servers: dict[UUID, list[WaveServer]] = {pk: [] for pk in jobs}
    for server in WaveServer.objects.filter(launch_job__in=jobs).only("launch_job", *_LOOKED_AT):
        servers[cast("UUID", server.launch_job_id)].append(server)
    # First the logs: of a job that has ended nobody reads one again.
    _logs_read([sight for sight in sights if sight.log is not None])
    changed = False
    for sight in sights:
        if _anything_new(sight, servers[sight.job.pk]):
            servers[sight.job.pk] = _write(sight)
            changed = True
    ending = any(_may_be_ending(sight, servers[sight.job.pk]) for sight in sights)
    return Taken(changed=changed, ending=ending)


def _logs_read(sights: Sequence[Sight]) -> None:
    """Write down which logs were read, and what of them is new."""
    if not sights:
        return
    job_logs.keep((sight.job, sight.lines) for sight in sights if sight.lines is not None)
    read = [sight.job.pk for sight in sights]
    LaunchJob.objects.filter(pk__in=read).update(log_read_at=timezone.now())


def _anything_new(sight: Sight, servers: Iterable[WaveServer]) -> bool:
    if sight.found is None:
        return sight.gone
    if sight.found.completed or sight.found.status != sight.job.drs_status:
        return True
    return any(seen.new_to(server) for server, seen in _seen(sight, sight.found, servers))


def _may_be_ending(sight: Sight, servers: Iterable[WaveServer]) -> bool:
    """Whether all that it has yet to launch is in the last phase, or has failed by its log."""
    if sight.found is None or sight.found.completed:
        return False
    launching = [server for server in servers if server.state in _OPEN]
    return all(
        server.phase in _LAST_PHASES or (server.state == ServerState.LAUNCHING and server.message)
        for server in launching
    )


@transaction.atomic
def _write(sight: Sight) -> list[WaveServer]:
    """Write what is new of one job, and return its servers as they are now."""
    if sight.found is None:
        _lost(sight.job)
        return []
    servers = list(sight.job.servers.select_for_update().order_by("pk"))
    _servers(sight, sight.found, servers)
    if sight.found.completed:
        _ended(sight.job, sight.found)
    elif sight.found.status != sight.job.drs_status:
        LaunchJob.objects.filter(pk=sight.job.pk).update(drs_status=sight.found.status)
    mark("WaveStatus", sight.job.wave_id)
    mark("ExecutionHistory", sight.job.execution_id)
    return servers


def _servers(sight: Sight, found: Job, servers: Sequence[WaveServer]) -> None:
    changed, moving, lines = [], [], []
    for server, seen in _seen(sight, found, servers):
        if not seen.new_to(server):
            continue
        changed.append(server)
        for name, value in seen.shown.items():
            setattr(server, name, value)
        checks = _checks(sight.job, server, seen)
        if checks:
            lines.append(_launched_to_be_checked(server, checks))
        elif seen.moves:
            moving.append((server, seen.judged.state))
            lines += _told(server, seen.judged)
    _move(moving)
    note_all(sight.job.execution, lines, wave=sight.job.wave)
    _show(changed)


def _show(changed: Iterable[WaveServer]) -> None:
    """Write what is shown of locked servers. Most of them show the same, which is one statement."""
    alike: dict[tuple[str, ...], list[UUID]] = {}
    named = []
    for server in changed:
        alike.setdefault(tuple(getattr(server, name) for name in _ALIKE), []).append(server.pk)
        named += [server] if server.recovery_instance_id else []
    for values, keys in alike.items():
        WaveServer.objects.filter(pk__in=keys).update(**dict(zip(_ALIKE, values, strict=True)))
    WaveServer.objects.bulk_update(named, ["recovery_instance_id"])


def _seen(
    sight: Sight, found: Job, servers: Iterable[WaveServer]
) -> Iterator[tuple[WaveServer, _Seen]]:
    """What a poll makes of each server of a job that DRS lists."""
    words = {entry.server_id: entry for entry in found.participants}
    for server in servers:
        left = sight.instances.get(server.server_id)
        instance = left.instance_id if left else ""
        if server.launched_at is not None:
            # It was launched; how it is now is for its checks to say.
            yield server, _still(server, instance)
            continue
        entry, log = words.get(server.server_id), _log_of(sight, server)
        told = entry.recovery_instance_id if entry else ""
        status = entry.launch_status if entry else ""
        judged = judge(
            launch_status=status, log=log, completed=found.completed, instance_id=instance
        )
        instance = told or instance or log.instance_id
        yield server, _of(server, judged, status=status, phase=log.phase, instance=instance)


def _still(server: WaveServer, instance: str) -> _Seen:
    """Nothing of a launched server, but which instance it is, if that was not told at once."""
    shown = {name: getattr(server, name) for name in _SHOWN}
    if instance:
        shown["recovery_instance_id"] = instance
    return _Seen(Judgement(ServerState(server.state)), moves=False, shown=shown)


def _log_of(sight: Sight, server: WaveServer) -> ServerLog:
    """What the log tells of a server; while it is not read, where it was seen last."""
    if sight.log is None:
        return ServerLog(phase=Phase(server.phase))
    return sight.log.get(server.server_id, ServerLog())


def _of(
    server: WaveServer, judged: Judgement, *, status: str, phase: Phase, instance: str
) -> _Seen:
    if judged.state in {ServerState.FAILED, ServerState.SKIPPED} and phase == Phase.DONE:
        phase = Phase(server.phase)
    shown = {
        "phase": Phase.DONE if judged.state == ServerState.LAUNCHED else phase,
        "message": judged.message or ("" if judged.state in SERVER.terminal else server.message),
        "launch_status": status,
        "recovery_instance_id": instance or server.recovery_instance_id,
    }
    moves = judged.state != server.state and SERVER.allows(server.state, judged.state)
    return _Seen(judged, moves, shown)


def _checks(job: LaunchJob, server: WaveServer, seen: _Seen) -> list[rules.Check]:
    """The checks that are to be made of a server which has just been launched."""
    if not seen.moves or seen.judged.state != ServerState.LAUNCHED:
        return []
    return server_checks.wanted(job.wave, server)


def _move(moving: Iterable[tuple[WaveServer, ServerState]]) -> None:
    """Move locked servers, in one statement for all that go the same way. Raises StaleState."""
    ways: dict[tuple[str, ServerState], list[WaveServer]] = {}
    for server, state in moving:
        ways.setdefault((server.state, state), []).append(server)
    now = timezone.now()
    for (source, state), servers in ways.items():
        launched = {"launched_at": now} if state == ServerState.LAUNCHED else {}
        ended = {"finished_at": now if state in outcome.FINAL else None, **launched}
        rows = WaveServer.objects.filter(pk__in=[server.pk for server in servers])
        if move_all(rows, state, lifecycle=SERVER, source=source, **ended) != len(servers):
            raise StaleState(f"Some of {len(servers)} servers are no longer {source}.")
        for server in servers:
            for name, value in {"state": state, **ended}.items():
                setattr(server, name, value)


def _told(server: WaveServer, judged: Judgement) -> list[Line]:
    """What the timeline says of a server's new state, if that is an end."""
    if judged.state not in outcome.FINAL:
        return []
    said = f"{server}: {judged.message}"
    if judged.state == ServerState.LAUNCHED:
        said = f"{server} launched as {server.recovery_instance_id or 'an instance'}."
    return [Line(f"server.{judged.state.lower()}", said, server)]


def _launched_to_be_checked(server: WaveServer, checks: Sequence[rules.Check]) -> Line:
    """A launched server counts once its checks have ended. What was launched too late for its wave
    is not checked by itself, so nobody knows how it is: it stays UNKNOWN.
    """
    now = timezone.now()
    if not server_checks.may_begin(server):
        server.message = "It was launched after its wave had ended, and has not been checked."
        server.launched_at, server.phase = now, Phase.DONE
        server.save(update_fields=["launched_at"])
        return Line("server.launched", f"{server}: {server.message}")
    begun = {"launched_at": now, "finished_at": None, "phase": Phase.CHECKING}
    move(server, ServerState.LAUNCHED, lifecycle=SERVER, **begun)
    server_checks.begin(server, checks)
    instance = server.recovery_instance_id or "an instance"
    return Line(
        "server.launched", f"{server} launched as {instance}, and is being checked.", server
    )


def _ended(job: LaunchJob, found: Job) -> None:
    ended_at = found.ended_at or timezone.now()
    move(job, JobState.ENDED, lifecycle=JOB, drs_status=found.status, ended_at=ended_at)
    note(job.execution, "job.ended", f"{titled(job)} has ended.", wave=job.wave)
    _wake(job)


def _lost(job: LaunchJob) -> None:
    message = f"DRS no longer lists {job.drs_job_id}; what became of it is not known."
    now = timezone.now()
    move(job, JobState.LOST, lifecycle=JOB, message=message, ended_at=now)
    ended = {"message": message, "finished_at": now}
    launching = ServerState.LAUNCHING
    move_all(job.servers.all(), ServerState.UNKNOWN, lifecycle=SERVER, source=launching, **ended)
    note(job.execution, "job.lost", message, wave=job.wave)
    _wake(job)


def _wake(job: LaunchJob) -> None:
    """Let the execution go on, and those that wait for the place that is free now."""
    now = timezone.now()
    execution = Execution.objects.get(pk=job.execution_id)
    if execution.state in EXECUTION.terminal:
        release_claims(execution)
    queued = LaunchJob.objects.filter(account=job.account, region=job.region, state=JobState.QUEUED)
    waiting = set(queued.values_list("execution_id", flat=True))
    queued.update(due_at=now)
    for execution_id in sorted({job.execution_id} | waiting):
        leases.sooner(Execution.objects.active().filter(pk=execution_id), now)
        hint("recovery.advance", execution_id=str(execution_id))
