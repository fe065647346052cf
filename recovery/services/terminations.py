"""Asking that what an execution launched be terminated, and whether that can be asked.

Workers do the rest (`termination_runs`). Servers are not claimed for it: see docs/adr/0009.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.errors import DomainError
from drportal.jobs import hint
from drportal.mirror.services import mark
from drportal.observability import correlation_id
from protection.models import TargetAccount
from recovery.engine import quota
from recovery.errors import (
    ExecutionNotEnded,
    FailbackUnderWay,
    LaunchesStillRun,
    NothingToTerminate,
    ServersHeld,
    TerminationNotConfirmed,
    TerminationUnderWay,
)
from recovery.failback_states import FAILBACK
from recovery.models import (
    Execution,
    LaunchJob,
    ServerClaim,
    Termination,
    TerminationInstance,
    TerminationJob,
    WaveServer,
)
from recovery.permissions import PlanPermission
from recovery.services.events import note
from recovery.states import (
    EXECUTION,
    JOB,
    LAUNCHED_WELL,
    TERMINATION,
    InstanceOutcome,
    JobState,
    Kind,
    ServerState,
)

Place = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Left:
    """A server of which an instance may be there, and the DRS jobs that may have launched it."""

    server: WaveServer
    drs_job_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an execution is left to be terminated, and why that cannot be asked for now."""

    left: Sequence[Left]
    refusal: DomainError | None


def standing(execution: Execution) -> Standing:
    """How it stands with cleaning up after `execution`. A fixed number of queries."""
    found = left(execution)
    return Standing(found, _refusal(execution, [each.server for each in found]))


def left(execution: Execution) -> list[Left]:
    """The servers of which an instance may be there: one that the execution's own jobs launched,
    in whichever wave, and of which it is not known that it is gone. Two queries.

    A server may have been in several jobs, the last of which DRS refused.
    """
    ended = LaunchJob.objects.filter(execution=execution, state__in=[JobState.ENDED, JobState.LOST])
    jobs: dict[Place, list[str]] = {}
    for job in ended.order_by("created_at", "id"):
        for server_id in job.server_ids:
            found = jobs.setdefault((job.aws_account_id, job.region, server_id), [])
            found += [job.drs_job_id] if job.drs_job_id else []
    servers = launched(execution).filter(instance_gone_at=None)
    return [
        Left(server, jobs[place_of(server)])
        for server in servers.order_by("account_id", "region", "server_id")
        if place_of(server) in jobs
    ]


def launched(execution: Execution) -> QuerySet[WaveServer]:
    """The servers of which an instance is, was or may be there."""
    told = ~Q(recovery_instance_id="") | Q(launched_at__isnull=False)
    told |= Q(state__in=[*LAUNCHED_WELL, ServerState.UNKNOWN])
    # What an earlier attempt left behind is no longer on the row of a server that was tried again.
    may_be = (told & Q(launch_job__isnull=False)) | Q(attempt__gt=1)
    found = execution.servers.filter(may_be)
    return found.select_related("launch_job", "wave").order_by("name", "id")


def request(
    execution: Execution, *, reason: str = "", confirmation: str = "", actor: Actor
) -> Termination:
    """Ask that what is left of `execution` be terminated.

    Raises ExecutionNotEnded, LaunchesStillRun, TerminationUnderWay, NothingToTerminate,
    FailbackUnderWay, ServersHeld if other executions need the servers now and, after a recovery,
    if `confirmation` is not the plan's name, TerminationNotConfirmed; then nothing is written.
    """
    if execution.kind == Kind.RECOVERY and confirmation.strip() != execution.plan_name:
        raise TerminationNotConfirmed(execution.plan_name)
    with transaction.atomic():
        execution = Execution.objects.select_for_update().get(pk=execution.pk)
        found = standing(execution)
        if found.refusal is not None:
            raise found.refusal
        return begin(execution, found.left, reason=reason, actor=actor)


@transaction.atomic
def begin(execution: Execution, left: Sequence[Left], *, reason: str, actor: Actor) -> Termination:
    """Queue that these instances of `execution` be terminated. Whoever calls it holds the row of
    the execution, and knows that nothing is in the way.
    """
    termination = Termination.objects.create(
        execution=execution,
        reason=reason,
        requested_by_id=actor.user_id,
        requested_by=actor.name,
        correlation_id=correlation_id(),
    )
    _queue_jobs(termination, left)
    said = f"Termination of {len(left)} instances requested by {actor.name}"
    note(
        execution,
        "termination.requested",
        f"{said}: {reason}" if reason else f"{said}.",
        actor=actor,
    )
    record(
        "recovery.termination.requested",
        actor=actor,
        subject=execution,
        termination=str(termination.pk),
        kind=execution.kind,
        reason=reason,
        instances=len(left),
    )
    mark("Terminations", termination.pk)
    hint("recovery.terminate", termination_id=str(termination.pk))
    return termination


def permission_for(execution: Execution) -> PlanPermission:
    """What it takes, on the plan, to clean up after an execution of this kind."""
    if execution.kind == Kind.DRILL:
        return PlanPermission.TERMINATE
    return PlanPermission.TERMINATE_RECOVERY


def told(execution: Execution) -> QuerySet[Termination]:
    """The clean-ups of an execution, newest first, with their jobs and instances."""
    instances = TerminationInstance.objects.select_related("server", "job").order_by(
        "server__account_id", "server__region", "server__name", "id"
    )
    jobs = TerminationJob.objects.order_by("created_at", "id")
    return execution.terminations.order_by("-created_at", "id").prefetch_related(
        Prefetch("instances", instances), Prefetch("jobs", jobs)
    )


def held_by_others(execution: Execution, places: Collection[Place]) -> dict[Place, Execution]:
    """Which of some servers other executions need now, by account, Region and id."""
    claims = (
        ServerClaim.objects.filter(released_at=None, server_id__in={place[2] for place in places})
        .exclude(execution=execution)
        .select_related("execution")
    )
    found = {(row.account_id, row.region, row.server_id): row.execution for row in claims}
    return {place: holder for place, holder in found.items() if place in places}


def place_of(server: WaveServer) -> Place:
    """What DRS knows a server by."""
    return server.account_id, server.region, server.server_id


def _refusal(execution: Execution, servers: Sequence[WaveServer]) -> DomainError | None:
    if execution.state not in EXECUTION.terminal:
        return ExecutionNotEnded(execution)
    live = execution.terminations.filter(state__in=sorted(TERMINATION.active)).first()
    if live is not None:
        return TerminationUnderWay(live, termination_id=live.pk)
    returning = execution.failbacks.filter(state__in=sorted(FAILBACK.active)).first()
    if returning is not None:
        return FailbackUnderWay(returning, failback_id=returning.pk)
    launching = LaunchJob.objects.filter(execution=execution, state__in=sorted(JOB.active))
    jobs = [job.drs_job_id or job.where for job in launching]
    if jobs:
        return LaunchesStillRun(execution, jobs)
    if not servers:
        return NothingToTerminate(execution)
    held = held_by_others(execution, {place_of(server) for server in servers})
    if held:
        return ServersHeld(
            (server, holder.plan_name, holder.pk) for (_, _, server), holder in held.items()
        )
    return None


def _queue_jobs(termination: Termination, left: Iterable[Left]) -> None:
    by_place: dict[tuple[str, str], dict[str, Left]] = {}
    for each in left:
        account_id, region, server_id = place_of(each.server)
        by_place.setdefault((account_id, region), {})[server_id] = each
    accounts = TargetAccount.objects.in_bulk(
        {account for account, _ in by_place}, field_name="account_id"
    )
    for (account, region), found in by_place.items():
        for part in quota.split(list(found)):
            rows = [found[server_id] for server_id in part]
            _queue_job(termination, accounts.get(account), account, region, rows)


def _queue_job(
    termination: Termination,
    account: TargetAccount | None,
    account_id: str,
    region: str,
    left: Sequence[Left],
) -> None:
    """A job for these servers; where the account is no longer there, one that ends at once."""
    gone = {} if account else {"state": JobState.REFUSED, "ended_at": timezone.now()}
    message = "" if account else f"Account {account_id} is no longer registered."
    job = TerminationJob.objects.create(
        termination=termination,
        account=account,
        aws_account_id=account_id,
        account_name=account.name if account else "",
        region=region,
        message=message,
        due_at=timezone.now() if account else None,
        **gone,
    )
    state = InstanceOutcome.WAITING if account else InstanceOutcome.UNKNOWN
    TerminationInstance.objects.bulk_create(
        TerminationInstance(
            termination=termination,
            job=job,
            server=each.server,
            source_server_id=each.server.server_id,
            instance_id=each.server.recovery_instance_id,
            launch_job_ids=list(each.drs_job_ids),
            state=state,
            message=message,
            finished_at=None if account else timezone.now(),
        )
        for each in left
    )
    mark("TerminationJobs", job.pk)
