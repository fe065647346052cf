"""Questions about plans and executions. Each costs a fixed number of queries."""

from django.db.models import Case, Count, OuterRef, Prefetch, Q, QuerySet, Subquery, When

from drportal.access import Anybody, allowed, visible
from recovery.models import (
    Execution,
    ExecutionEvent,
    JobWatch,
    LaunchJob,
    RecoveryPlan,
    Wave,
    WaveServer,
)
from recovery.permissions import ExecutionPermission, PlanPermission
from recovery.states import JobState, ServerState


def plans_for(user: Anybody, *permissions: PlanPermission) -> QuerySet[RecoveryPlan]:
    """The plans to which `user` may do any of `permissions`; without any, those that they may
    see, which are those to which they may do anything at all.
    """
    return visible(user, *(permissions or PlanPermission), among=RecoveryPlan.objects.all())


def executions_for(user: Anybody) -> QuerySet[Execution]:
    """The executions that `user` may see: all, or those of the plans that they may see."""
    if user.is_authenticated and allowed(user, ExecutionPermission.VIEW):
        return Execution.objects.all()
    return Execution.objects.filter(plan__in=plans_for(user).order_by())


def with_counts(executions: QuerySet[Execution]) -> QuerySet[Execution]:
    """`executions` with what a list shows: server_total, server_launched, server_failed."""
    bad = Q(
        servers__state__in=[
            ServerState.FAILED,
            ServerState.SKIPPED,
            ServerState.UNKNOWN,
            ServerState.BLOCKED,
        ]
    )
    return executions.annotate(
        server_total=Count("servers"),
        server_launched=Count("servers", filter=Q(servers__state=ServerState.LAUNCHED)),
        server_failed=Count("servers", filter=bad),
    )


def whole(executions: QuerySet[Execution]) -> QuerySet[Execution]:
    """`executions` with all that a page about one shows: waves, servers, jobs. Five queries."""
    servers = WaveServer.objects.select_related("launch_job").order_by("name", "id")
    jobs = _with_watches(LaunchJob.objects.select_related("account").order_by("created_at", "id"))
    waves = Wave.objects.order_by("position").prefetch_related(
        Prefetch("servers", servers), Prefetch("jobs", jobs)
    )
    return executions.select_related("plan").prefetch_related(Prefetch("waves", waves))


def _with_watches(jobs: QuerySet[LaunchJob]) -> QuerySet[LaunchJob]:
    """Each job that DRS runs with `drs_answered_at`, and `drs_trouble` if it does not answer."""
    watch = JobWatch.objects.filter(account=OuterRef("account"), region=OuterRef("region"))
    silent = watch.filter(failures__gt=0)
    return jobs.annotate(
        drs_answered_at=Case(
            When(state=JobState.STARTED, then=Subquery(watch.values("polled_at")[:1]))
        ),
        drs_trouble=Case(When(state=JobState.STARTED, then=Subquery(silent.values("message")[:1]))),
    )


def timeline(execution: Execution) -> QuerySet[ExecutionEvent]:
    """What happened, newest first."""
    return execution.events.select_related("wave", "server").order_by("-id")
