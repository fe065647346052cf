"""Writing down what a poll saw of a launch job and its servers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from drportal.aws.drs import Job, LogItem
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.state import move, move_all
from recovery.engine import checks as rules
from recovery.engine import outcome
from recovery.engine.verdicts import Judgement, ServerLog, judge
from recovery.models import Execution, LaunchJob, WaveServer
from recovery.services import job_logs, leases, server_checks
from recovery.services.events import note, titled
from recovery.services.waves import release_claims
from recovery.states import EXECUTION, JOB, SERVER, JobState, Phase, ServerState


@dataclass(frozen=True, slots=True)
class Sight:
    """What one poll saw of one launch job. `found` is None if DRS did not list it; `gone`, if it
    has not done so for long. `log` and the `lines` that it was read from are None if it was not
    read. `instances` are the job's own recovery instances, by server id.
    """

    job: LaunchJob
    found: Job | None
    log: dict[str, ServerLog] | None = None
    lines: Sequence[LogItem] | None = None
    instances: dict[str, str] = field(default_factory=dict)
    gone: bool = False


def take_in(sight: Sight) -> bool:
    """Write what was seen, in one transaction, and return whether it was anything new."""
    with transaction.atomic():
        if sight.found is None:
            return _lost(sight.job) if sight.gone else False
        changed = _servers(sight, sight.found)
        if sight.log is not None:
            LaunchJob.objects.filter(pk=sight.job.pk).update(log_read_at=timezone.now())
        if sight.lines is not None:
            job_logs.keep(sight.job, sight.lines)
        if sight.found.completed:
            _ended(sight.job, sight.found)
        elif sight.found.status != sight.job.drs_status:
            LaunchJob.objects.filter(pk=sight.job.pk).update(drs_status=sight.found.status)
            changed = True
        if changed or sight.found.completed:
            mark("WaveStatus", sight.job.wave_id)
            mark("ExecutionHistory", sight.job.execution_id)
        return changed or sight.found.completed


def _servers(sight: Sight, found: Job) -> bool:
    words = {entry.server_id: entry for entry in found.participants}
    servers = list(sight.job.servers.select_for_update().order_by("pk"))
    changed = []
    for server in servers:
        entry = words.get(server.server_id)
        if server.launched_at is not None:
            # It was launched; how it is now is for its checks to say.
            changed += _fill_in(sight, server)
            continue
        log = _log_of(sight, server)
        told = entry.recovery_instance_id if entry else ""
        instance = told or sight.instances.get(server.server_id, "") or log.instance_id
        status = entry.launch_status if entry else ""
        judged = judge(
            launch_status=status,
            log=log,
            completed=found.completed,
            instance_id=sight.instances.get(server.server_id, ""),
        )
        if _update(server, judged, status=status, phase=log.phase, instance=instance):
            changed.append(server)
        _move(sight.job, server, judged)
    WaveServer.objects.bulk_update(
        changed, ["phase", "message", "launch_status", "recovery_instance_id"]
    )
    return bool(changed)


def _fill_in(sight: Sight, server: WaveServer) -> list[WaveServer]:
    """Note which instance a launched server is, if that was not told at once."""
    instance = sight.instances.get(server.server_id, "")
    if not instance or instance == server.recovery_instance_id:
        return []
    server.recovery_instance_id = instance
    return [server]


def _log_of(sight: Sight, server: WaveServer) -> ServerLog:
    """What the log tells of a server; while it is not read, where it was seen last."""
    if sight.log is None:
        return ServerLog(phase=Phase(server.phase))
    return sight.log.get(server.server_id, ServerLog())


def _update(
    server: WaveServer, judged: Judgement, *, status: str, phase: Phase, instance: str
) -> bool:
    """Set what a poll may set at any time, and return whether anything is new."""
    if judged.state in {ServerState.FAILED, ServerState.SKIPPED} and phase == Phase.DONE:
        phase = Phase(server.phase)
    seen = {
        "phase": Phase.DONE if judged.state == ServerState.LAUNCHED else phase,
        "message": judged.message or ("" if judged.state in SERVER.terminal else server.message),
        "launch_status": status,
        "recovery_instance_id": instance or server.recovery_instance_id,
    }
    new = judged.state != server.state or any(
        getattr(server, name) != value for name, value in seen.items()
    )
    for name, value in seen.items():
        setattr(server, name, value)
    return new


def _move(job: LaunchJob, server: WaveServer, judged: Judgement) -> None:
    if judged.state == server.state or not SERVER.allows(server.state, judged.state):
        return
    if judged.state == ServerState.LAUNCHED and (checks := server_checks.wanted(job.wave, server)):
        _launched_to_be_checked(job, server, checks)
        return
    final = judged.state in outcome.FINAL
    now = timezone.now()
    launched = {"launched_at": now} if judged.state == ServerState.LAUNCHED else {}
    ended = {"finished_at": now if final else None, **launched}
    move(server, judged.state, lifecycle=SERVER, **ended)
    if judged.state == ServerState.LAUNCHED:
        said = f"{server} launched as {server.recovery_instance_id or 'an instance'}."
    else:
        said = f"{server}: {judged.message}"
    if final:
        kind = f"server.{judged.state.lower()}"
        note(job.execution, kind, said, wave=job.wave, server=server)


def _launched_to_be_checked(
    job: LaunchJob, server: WaveServer, checks: Sequence[rules.Check]
) -> None:
    """A launched server counts once its checks have ended. What was launched too late for its wave
    is not checked by itself, so nobody knows how it is: it stays UNKNOWN.
    """
    now = timezone.now()
    if not server_checks.may_begin(server):
        server.message = "It was launched after its wave had ended, and has not been checked."
        server.launched_at, server.phase = now, Phase.DONE
        server.save(update_fields=["launched_at"])
        note(job.execution, "server.launched", f"{server}: {server.message}", wave=job.wave)
        return
    begun = {"launched_at": now, "finished_at": None, "phase": Phase.CHECKING}
    move(server, ServerState.LAUNCHED, lifecycle=SERVER, **begun)
    server_checks.begin(server, checks)
    instance = server.recovery_instance_id or "an instance"
    said = f"{server} launched as {instance}, and is being checked."
    note(job.execution, "server.launched", said, wave=job.wave, server=server)


def _ended(job: LaunchJob, found: Job) -> None:
    ended_at = found.ended_at or timezone.now()
    move(job, JobState.ENDED, lifecycle=JOB, drs_status=found.status, ended_at=ended_at)
    note(job.execution, "job.ended", f"{titled(job)} has ended.", wave=job.wave)
    _wake(job)


def _lost(job: LaunchJob) -> bool:
    message = f"DRS no longer lists {job.drs_job_id}; what became of it is not known."
    now = timezone.now()
    move(job, JobState.LOST, lifecycle=JOB, message=message, ended_at=now)
    ended = {"message": message, "finished_at": now}
    launching = ServerState.LAUNCHING
    move_all(job.servers.all(), ServerState.UNKNOWN, lifecycle=SERVER, source=launching, **ended)
    note(job.execution, "job.lost", message, wave=job.wave)
    _wake(job)
    return True


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
