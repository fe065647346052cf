"""Launching servers that failed again, in the same execution.

Only a server of which it is certain that no launch of it is under way: it ended as FAILED or
SKIPPED, and none of its launch jobs lives, or was lost so that nobody knows what came of it. Its
new launch job is journalled like any other, and the jobs that DRS lists of earlier attempts are
known by then, so that none of them is taken for the answer.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.state import move, move_all
from protection.models import ProtectionGroup
from protection.services import holds
from recovery.engine.again import unblocked
from recovery.errors import (
    BeingCancelled,
    ExecutionEnded,
    FailbackUnderWay,
    InstanceRuns,
    LaunchedSince,
    LaunchNotSettled,
    NothingToRetry,
    NotRetriable,
    OutcomeUnknown,
    PlanAlreadyRunning,
    TerminationUnderWay,
    WaveNotEnded,
    WaveNotFound,
)
from recovery.failback_states import FAILBACK
from recovery.models import Execution, LaunchJob, ServerCheck, Wave, WaveServer
from recovery.services import executions, waves
from recovery.services.events import note
from recovery.services.steering import sentence
from recovery.states import (
    EXECUTION,
    EXECUTION_AGAIN,
    JOB,
    LAUNCHED_WELL,
    SERVER_AGAIN,
    TERMINATION,
    WAVE_AGAIN,
    ExecutionState,
    JobState,
    Phase,
    ServerState,
    WaveState,
)

_FAILED = (ServerState.FAILED, ServerState.SKIPPED)
_NOT_LAUNCHED = (*_FAILED, ServerState.UNKNOWN)
ENDED = frozenset({WaveState.COMPLETED, WaveState.PARTIAL, WaveState.FAILED, WaveState.TIMED_OUT})
_UNSETTLED = JOB.active | {JobState.LOST}
# What is known of the last attempt and is not true of the next.
ANEW = {
    "phase": Phase.WAITING,
    "message": "",
    "launch_job": None,
    "launch_status": "",
    "recovery_instance_id": "",
    "instance_state": "",
    "instance_type": "",
    "private_ip": "",
    "availability_zone": "",
    "subnet_id": "",
    "recovery_point_at": None,
    "instance_gone_at": None,
    "facts_at": None,
    "started_at": None,
    "launched_at": None,
    "finished_at": None,
}


def retry(
    execution: Execution,
    *,
    position: int,
    server_ids: Collection[str] = (),
    reason: str = "",
    actor: Actor,
) -> Execution:
    """Launch the servers of the wave at `position` that failed again, or of them `server_ids`.

    The wave launches again, with its whole time limit; waves that only it blocked wait for it
    again; an execution that had ended goes on, and holds those servers anew. Waves that a pause
    holds stay held. Raises WaveNotFound, WaveNotEnded, NothingToRetry, NotRetriable,
    TerminationUnderWay, FailbackUnderWay, OutcomeUnknown, LaunchNotSettled, LaunchedSince,
    ServersHeld, PlanAlreadyRunning, BeingCancelled and ExecutionEnded; then nothing is written.
    """
    with transaction.atomic():
        execution = that_may_go_on(execution)
        wave = _ended_wave(execution, position)
        servers = _chosen(wave, server_ids)
        waiting = blocked_by(execution, wave)
        again = WaveServer.objects.filter(
            Q(pk__in=[server.pk for server in servers])
            | Q(wave__in=waiting, state=ServerState.BLOCKED)
        )
        must_not_be_launched_since(execution, again)
        executions.claim(execution, again)
        reopen(execution)
        _say(execution, wave, servers, reason=reason, actor=actor)
        _launch_again(wave, servers)
        wait_again(execution, waiting)
        executions.wake(execution)
    return execution


def retriable(wave: Wave) -> list[WaveServer]:
    """The servers of an ended wave that may be launched again. Asks only for its servers and
    jobs, so nothing if they have been fetched.
    """
    if wave.state not in ENDED:
        return []
    unsettled = _unsettled(wave)
    return [
        server
        for server in wave.servers.all()
        if _may_be_launched(server) and server.pk not in unsettled
    ]


def _may_be_launched(server: WaveServer) -> bool:
    """Not while an instance of it runs, whatever its checks said: DRS would replace that."""
    runs = server.launched_at is not None and server.instance_gone_at is None
    return server.state in _FAILED and not runs


def can_be_retried(execution: Execution) -> bool:
    """Whether waves of `execution` may be launched again at all."""
    live = execution.state in {ExecutionState.RUNNING, ExecutionState.PAUSED}
    ended = execution.state in EXECUTION_AGAIN.active
    return (live or ended) and execution.cancel_requested_at is None


def that_may_go_on(execution: Execution) -> Execution:
    """The execution, locked, if something of it may be tried again. Raises BeingCancelled,
    ExecutionEnded and TerminationUnderWay.
    """
    execution = Execution.objects.select_for_update().get(pk=execution.pk)
    if execution.state in EXECUTION.active and execution.cancel_requested_at is not None:
        raise BeingCancelled(execution)
    if execution.state in EXECUTION.terminal and not can_be_retried(execution):
        raise ExecutionEnded(execution, ExecutionState(execution.state).label)
    # What is launched again now would be a stranger to a clean-up that was asked for before.
    live = execution.terminations.filter(state__in=sorted(TERMINATION.active)).first()
    if live is not None:
        raise TerminationUnderWay(live, termination_id=live.pk)
    returning = execution.failbacks.filter(state__in=sorted(FAILBACK.active)).first()
    if returning is not None:
        raise FailbackUnderWay(returning, failback_id=returning.pk)
    return execution


def _ended_wave(execution: Execution, position: int) -> Wave:
    wave = execution.waves.select_for_update().filter(position=position).first()
    if wave is None:
        raise WaveNotFound(execution, position)
    if wave.state not in ENDED:
        raise WaveNotEnded(wave, WaveState(wave.state).label)
    return wave


def _chosen(wave: Wave, server_ids: Collection[str]) -> list[WaveServer]:
    found = retriable(wave)
    if server_ids:
        wanted = {server.server_id: server for server in found}
        _must_all_be_retriable(wave, sorted(set(server_ids) - wanted.keys()))
        return [wanted[server_id] for server_id in sorted(set(server_ids))]
    if not found:
        others = [row.server_id for row in wave.servers.all() if row.state in _NOT_LAUNCHED]
        _must_all_be_retriable(wave, sorted(others))
        raise NothingToRetry(wave)
    return found


def _must_all_be_retriable(wave: Wave, server_ids: Sequence[str]) -> None:
    """Say why servers that were named are not retried: the reason that weighs most."""
    servers = {server.server_id: server for server in wave.servers.all()}
    known = [servers[server_id] for server_id in server_ids if server_id in servers]
    running = [row for row in known if row.launched_at and row.instance_gone_at is None]
    if running:
        raise InstanceRuns(map(str, running))
    unknown = [server for server in known if server.state == ServerState.UNKNOWN]
    if unknown:
        raise OutcomeUnknown(map(str, unknown))
    unsettled = _unsettled(wave)
    open_jobs = [server for server in known if server.pk in unsettled]
    if open_jobs:
        raise LaunchNotSettled(map(str, open_jobs))
    if server_ids:
        told = [(str(server), ServerState(server.state).label.lower()) for server in known]
        told += [(pk, "not in the wave") for pk in server_ids if pk not in servers]
        raise NotRetriable(wave, told)


def _unsettled(wave: Wave) -> set[UUID]:
    """The servers of which a launch may be under way: whose launch jobs live, or were lost, or were
    withdrawn after DRS had been asked, for DRS may list late what it made of that.
    """
    places = {
        (job.aws_account_id, job.region, server_id)
        for job in wave.jobs.all()
        if job.state in _UNSETTLED or _withdrawn_after_asking(job)
        for server_id in job.server_ids
    }
    return {
        server.pk
        for server in wave.servers.all()
        if (server.account_id, server.region, server.server_id) in places
    }


def _withdrawn_after_asking(job: LaunchJob) -> bool:
    return job.state == JobState.CANCELLED and job.asked_at is not None


def blocked_by(execution: Execution, wave: Wave) -> list[Wave]:
    """The waves, locked, that only `wave` keeps from starting."""
    rows = {row.position: row for row in execution.waves.select_for_update().order_by("position")}
    found = unblocked(
        {position: row.state for position, row in rows.items()},
        {position: row.depends_on for position, row in rows.items()},
        anew=wave.position,
    )
    return [rows[position] for position in sorted(found)]


def must_not_be_launched_since(execution: Execution, again: QuerySet[WaveServer]) -> None:
    """A launch removes the instance that an earlier one left. So a server that another execution
    has launched meanwhile is none of this one's any more.
    """
    ended = {(row.account_id, row.region, row.server_id): row.finished_at for row in again}
    may_run = Q(state__in=[*LAUNCHED_WELL, ServerState.UNKNOWN]) | Q(launched_at__isnull=False)
    others = WaveServer.objects.filter(
        may_run, server_id__in=[server_id for _, _, server_id in ended]
    ).exclude(execution=execution)
    launched = [
        (str(row), row.execution_id)
        for row in others
        if _later(row, ended.get((row.account_id, row.region, row.server_id)))
    ]
    if launched:
        raise LaunchedSince(launched)


def _later(row: WaveServer, than: datetime | None) -> bool:
    return than is not None and row.finished_at is not None and row.finished_at > than


def reopen(execution: Execution) -> None:
    """Let an execution that has ended go on. Raises PlanAlreadyRunning."""
    if execution.state in EXECUTION.active:
        return
    try:
        with transaction.atomic():
            move(
                execution,
                ExecutionState.RUNNING,
                lifecycle=EXECUTION_AGAIN,
                finished_at=None,
                pause_requested_at=None,
                pause_requested_by="",
                pause_reason="",
            )
    except IntegrityError as error:
        if "recovery_one_active_execution_per_plan" not in str(error):
            raise
        running = Execution.objects.active().filter(plan=execution.plan_id).first()
        raise PlanAlreadyRunning(
            execution.plan_name, running.pk if running else "unknown"
        ) from error
    note(execution, "execution.reopened", f"The {execution} goes on after its end.")


def _say(
    execution: Execution, wave: Wave, servers: Sequence[WaveServer], *, reason: str, actor: Actor
) -> None:
    """What is tried again, and what each attempt before came to: the row will not say so."""
    what = f"{waves.title(wave)}: {len(servers)} launched again, as {actor.name} asked"
    note(execution, "wave.retried", sentence(what, reason), wave=wave, actor=actor)
    for server in servers:
        ended = f"Attempt {server.attempt} ended as {server.state.lower()}: {server.message}"
        said = f"{server} is tried again. {ended}"
        note(execution, "server.retried", said, wave=wave, server=server, actor=actor)
    record(
        "recovery.wave.retried",
        actor=actor,
        subject=execution,
        wave=str(wave),
        wave_state=wave.state,
        servers=[
            {"server": str(server), "attempt": server.attempt, "ended_as": server.state}
            for server in servers
        ],
        reason=reason,
    )


def _launch_again(wave: Wave, servers: Iterable[WaveServer]) -> None:
    rows = WaveServer.objects.filter(pk__in=[server.pk for server in servers])
    ServerCheck.objects.filter(server__in=rows).delete()
    anew = {**ANEW, "attempt": F("attempt") + 1}
    for state in _FAILED:
        move_all(rows, ServerState.PENDING, lifecycle=SERVER_AGAIN, source=state, **anew)
    now = timezone.now()
    deadline = now + wave.time_limit
    opened = {"deadline_at": deadline, "finished_at": None, "message": ""}
    move(wave, WaveState.LAUNCHING, lifecycle=WAVE_AGAIN, **opened)
    waves.queue_jobs(wave)


def wait_again(execution: Execution, waiting: Sequence[Wave]) -> None:
    """Let waves wait again that only the retried wave blocked, and hold their groups again."""
    for wave in waiting:
        move(wave, WaveState.PENDING, lifecycle=WAVE_AGAIN, finished_at=None, message="")
        blocked = {"finished_at": None, "message": ""}
        pending = ServerState.PENDING
        source = ServerState.BLOCKED
        move_all(wave.servers.all(), pending, lifecycle=SERVER_AGAIN, source=source, **blocked)
        said = f"{waves.title(wave)} is blocked no longer, and waits."
        note(execution, "wave.pending", said, wave=wave)
    names = {name for wave in waiting for name in wave.group_names}
    groups = ProtectionGroup.objects.filter(name__in=names)
    holds.hold(groups, holder_id=execution.pk, holder=str(execution))
