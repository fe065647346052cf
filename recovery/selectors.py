"""Questions about plans and executions. Each costs a fixed number of queries."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Coalesce
from django.utils import timezone

from drportal.access import Anybody, allowed, visible
from protection.choices import RegionStatus, Selection
from protection.models import (
    AccountRegion,
    GroupMember,
    ProtectionGroup,
    RecoveryInstance,
    SourceServer,
)
from protection.selectors import groups_for
from recovery.models import (
    Delivery,
    Execution,
    ExecutionEvent,
    JobWatch,
    LaunchJob,
    NoticeChannel,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
    ServerCheck,
    ServerClaim,
    Wave,
    WaveServer,
)
from recovery.permissions import ExecutionPermission, NoticePermission, PlanPermission
from recovery.states import LAUNCHED_WELL, ExecutionState, JobState, Kind, ServerState


def plans_for(user: Anybody, *permissions: PlanPermission) -> QuerySet[RecoveryPlan]:
    """The plans to which `user` may do any of `permissions`; without any, those that they may
    see, which are those to which they may do anything at all.
    """
    return visible(user, *(permissions or PlanPermission), among=RecoveryPlan.objects.all())


def unseen_groups(user: Anybody, group_ids: Iterable[UUID]) -> set[UUID]:
    """Those of some groups that `user` may not see, or that are not there."""
    named = set(group_ids)
    return named - set(groups_for(user).filter(pk__in=named).values_list("pk", flat=True))


def executions_for(user: Anybody) -> QuerySet[Execution]:
    """The executions that `user` may see: all, or those of the plans that they may see."""
    if user.is_authenticated and allowed(user, ExecutionPermission.VIEW):
        return Execution.objects.all()
    return Execution.objects.filter(plan__in=plans_for(user).order_by())


def channels_for(user: Anybody) -> QuerySet[NoticeChannel]:
    """The notice channels of plans that `user` may see; those of all plans, if they see all."""
    seen = Q(plan__in=plans_for(user).order_by())
    if user.is_authenticated and allowed(user, PlanPermission.VIEW):
        seen |= Q(plan=None)
    return NoticeChannel.objects.filter(seen).select_related("plan")


def deliveries_for(user: Anybody) -> QuerySet[Delivery]:
    """The lines of the delivery log that `user` may see: all, or those of plans that they may
    edit, for whoever edits a plan says who is told.
    """
    lines = Delivery.objects.select_related("notice")
    if user.is_authenticated and allowed(user, NoticePermission.VIEW_DELIVERIES):
        return lines
    return lines.filter(notice__plan__in=plans_for(user, PlanPermission.CHANGE).order_by())


def with_counts(executions: QuerySet[Execution]) -> QuerySet[Execution]:
    """`executions` with what a list shows: server_total, server_launched, server_failed and
    server_left_out.
    """
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
        server_launched=Count("servers", filter=Q(servers__state__in=LAUNCHED_WELL)),
        server_failed=Count("servers", filter=bad),
        server_left_out=Count("servers", filter=Q(servers__state=ServerState.LEFT_OUT)),
    )


def whole(executions: QuerySet[Execution]) -> QuerySet[Execution]:
    """`executions` with all that a page about one shows: waves, servers with their checks, jobs.
    Seven queries.
    """
    checks = Prefetch("checks", ServerCheck.objects.order_by("position"))
    servers = WaveServer.objects.select_related("launch_job").prefetch_related(checks)
    servers = servers.order_by("name", "id")
    jobs = _with_watches(LaunchJob.objects.order_by("created_at", "id"))
    waves = (
        Wave.objects.order_by("position")
        .select_related("preflight")
        .prefetch_related(Prefetch("servers", servers), Prefetch("jobs", jobs), "decisions")
    )
    return (
        executions.select_related("plan")
        .annotate(rto_seconds=Subquery(_version_of_execution().values("document__rto_seconds")[:1]))
        .prefetch_related(Prefetch("waves", waves))
    )


def _version_of_execution() -> QuerySet[PlanVersion]:
    """The version that an execution carries out; its plan may have other objectives by now."""
    return PlanVersion.objects.filter(plan=OuterRef("plan"), number=OuterRef("plan_version"))


def rto_deadline(execution: Any) -> datetime | None:
    """By when an execution of `whole` is to have ended, by its plan's RTO; None without one."""
    if execution.rto_seconds is None:
        return None
    requested: datetime = execution.created_at
    return requested + timedelta(seconds=execution.rto_seconds)


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


# Four missed syncs of recovery instances: older facts do not say what is there now.
INSTANCES_STALE_AFTER = timedelta(minutes=40)


def with_waves(plans: QuerySet[RecoveryPlan]) -> QuerySet[RecoveryPlan]:
    """`plans` with their waves, and the groups in them with accounts. Four queries."""
    entries = PlanWaveGroup.objects.select_related("group__account").order_by("group__name", "id")
    waves = PlanWave.objects.order_by("position").prefetch_related(Prefetch("entries", entries))
    return plans.prefetch_related(Prefetch("waves", waves))


def with_latest(plans: QuerySet[RecoveryPlan]) -> QuerySet[Any]:
    """`plans` with how their latest execution stands: latest_state, latest_started_at,
    latest_finished_at; all null if there was none.
    """
    latest = Execution.objects.filter(plan=OuterRef("pk")).order_by("-created_at", "id")
    return plans.annotate(
        latest_state=Subquery(latest.values("state")[:1]),
        latest_started_at=Subquery(latest.values("started_at")[:1]),
        latest_finished_at=Subquery(latest.values("finished_at")[:1]),
    )


def with_drills(plans: QuerySet[RecoveryPlan]) -> QuerySet[Any]:
    """`plans` with when their last drill that completed ended, last_drill_at, and by when the next
    is to, drill_due_at; null without an interval. One that never was counts from the plan's making.
    A drill of a part of the plan does not count: the rest was not tried.
    """
    drills = Execution.objects.filter(
        plan=OuterRef("pk"), kind=Kind.DRILL, state=ExecutionState.COMPLETED, options={}
    ).order_by("-finished_at")
    interval = ExpressionWrapper(
        F("drill_every_days") * Value(timedelta(days=1)), output_field=DurationField()
    )
    return plans.annotate(last_drill_at=Subquery(drills.values("finished_at")[:1])).annotate(
        drill_due_at=ExpressionWrapper(
            Coalesce("last_drill_at", "created_at") + interval, output_field=DateTimeField()
        )
    )


def in_account(plans: QuerySet[RecoveryPlan], account_id: str) -> QuerySet[RecoveryPlan]:
    """Those of `plans` that launch servers of an account, in whichever wave and group."""
    there = PlanWaveGroup.objects.filter(group__account__account_id=account_id)
    return plans.filter(pk__in=there.values("wave__plan"))


def servers_by_group(group_ids: Iterable[UUID]) -> dict[UUID, list[SourceServer]]:
    """The servers that groups hold now, by name, with their accounts. Two queries."""
    groups = ProtectionGroup.objects.filter(pk__in=set(group_ids)).annotate(
        held=_held(SourceServer.objects.all(), of="")
    )
    held: dict[UUID, list[UUID]] = dict(groups.order_by().values_list("pk", "held"))
    found = SourceServer.objects.select_related("account").in_bulk(
        {server for servers in held.values() for server in servers}
    )
    return {
        group: sorted((found[pk] for pk in servers), key=lambda server: (server.name, server.pk))
        for group, servers in held.items()
    }


def _held(among: QuerySet[SourceServer], *, of: str) -> Case:
    """Which of `among` a group holds now, as an array of their keys. `of` leads to the group."""
    by_tags = among.order_by().filter(
        account_id=OuterRef(f"{of}account_id"),
        region=OuterRef(f"{of}region"),
        tags__contains=OuterRef(f"{of}tags"),
    )
    by_hand = GroupMember.objects.filter(group_id=OuterRef(f"{of}pk"), server__in=among.order_by())
    return Case(
        When(**{f"{of}selection": Selection.TAGS}, then=ArraySubquery(by_tags.values("pk"))),
        default=ArraySubquery(by_hand.values("server_id")),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """That an execution holds a server."""

    server_id: str
    execution: Execution
    drs_job_id: str


def holds_by_plan(plans: Collection[UUID] | None = None) -> dict[UUID, list[Hold]]:
    """By plan, the servers that it would launch and that executions of other plans hold; of
    `plans`, or of all. Three queries.
    """
    claims = list(_claims())
    if not claims:
        return {}
    claimed = SourceServer.objects.filter(server_id__in={claim.server_id for claim in claims})
    entries = PlanWaveGroup.objects.annotate(held=_held(claimed, of="group__"))
    if plans is not None:
        entries = entries.filter(wave__plan__in=plans)
    rows = list(entries.values_list("wave__plan", "server_ids", "held"))
    wanted = claimed.filter(pk__in={pk for _, _, held in rows for pk in held})
    place_of = {server.pk: place_of_server(server) for server in wanted.select_related("account")}
    by_place = {(claim.account_id, claim.region, claim.server_id): claim for claim in claims}
    found: dict[UUID, dict[int, Hold]] = {}
    for plan, chosen, held in rows:
        for claim in (by_place.get(place_of[pk]) for pk in held):
            if claim is None or claim.execution.plan_id == plan:
                continue
            if not chosen or claim.server_id in chosen:
                hold = Hold(claim.server_id, claim.execution, claim.drs_job_id or "")
                found.setdefault(plan, {})[claim.pk] = hold
    return {plan: [holds[pk] for pk in sorted(holds)] for plan, holds in found.items()}


def holders() -> dict[tuple[str, str, str], Execution]:
    """Who holds which server, by account, Region and id. One query."""
    return {(row.account_id, row.region, row.server_id): row.execution for row in _claims()}


def place_of_server(server: SourceServer) -> tuple[str, str, str]:
    """What DRS knows a server by: account, Region and id. Its account must have been fetched."""
    return server.account.account_id, server.region, server.server_id


def _claims() -> QuerySet[Any]:
    of_server = WaveServer.objects.filter(
        execution=OuterRef("execution"),
        account_id=OuterRef("account_id"),
        region=OuterRef("region"),
        server_id=OuterRef("server_id"),
    )
    return (
        ServerClaim.objects.filter(released_at=None)
        .select_related("execution")
        .annotate(drs_job_id=Subquery(of_server.values("launch_job__drs_job_id")[:1]))
        .order_by("id")
    )


def sharing_groups(
    plans: Collection[RecoveryPlan], *, user: Anybody
) -> dict[UUID, dict[UUID, Any]]:
    """By plan and group, the other plans with that group that `user` may see. One query.

    Plans that share a group cannot be carried out at the same time.
    """
    own = PlanWaveGroup.objects.filter(wave__plan__in=[plan.pk for plan in plans])
    rows = PlanWaveGroup.objects.filter(
        group__in=own.values("group"), wave__plan__in=plans_for(user).order_by().values("pk")
    ).values_list("group_id", "group__name", "wave__plan", "wave__plan__name")
    by_group: dict[UUID, list[tuple[str, UUID, str]]] = {}
    for group, group_name, plan, plan_name in rows.order_by("wave__plan__name", "id"):
        by_group.setdefault(group, []).append((group_name, plan, plan_name))
    wanted = {plan.pk for plan in plans}
    found: dict[UUID, dict[UUID, Any]] = {}
    for group, members in by_group.items():
        for name, plan, _ in members:
            others = [(pk, other) for _, pk, other in members if pk != plan]
            if plan in wanted and others:
                found.setdefault(plan, {})[group] = (name, others)
    return found


@dataclass(frozen=True, slots=True)
class InstancesPlace:
    """An account and Region of a plan, and how much is known of the recovery instances there."""

    account_id: str
    region: str
    listed_at: datetime | None
    status: str
    known: bool


@dataclass(frozen=True, slots=True)
class Existing:
    """The recovery instances that a plan's servers have already, as far as is known."""

    instances: Sequence[RecoveryInstance]
    places: Sequence[InstancesPlace]

    @property
    def any(self) -> bool | None:
        """Whether there are any; None if none is known, but not everywhere could be looked."""
        if self.instances:
            return True
        return False if all(place.known for place in self.places) else None


def existing_instances(servers: Iterable[SourceServer]) -> Existing:
    """The instances that earlier launches of `servers` left behind. Two queries.

    Where they were never listed, or not lately, or where the last listing failed, what is there
    is not known.
    """
    wanted = {place_of_server(server): server for server in servers}
    rows = RecoveryInstance.objects.filter(
        server_id__in={server_id for _, _, server_id in wanted}
    ).exclude(ec2_state="terminated")
    found = [
        row
        for row in rows.select_related("account").order_by("name", "id")
        if (row.account.account_id, row.region, row.server_id) in wanted
    ]
    regions = AccountRegion.objects.filter(
        account__in={server.account_id for server in wanted.values()}
    ).select_related("account")
    listed = {(row.account.account_id, row.region): row for row in regions}
    places = sorted({(account, region) for account, region, _ in wanted})
    return Existing(found, [_instances_place(*place, listed) for place in places])


def _instances_place(
    account_id: str, region: str, listed: Mapping[tuple[str, str], AccountRegion]
) -> InstancesPlace:
    row = listed.get((account_id, region))
    if row is None or row.instances_listed_at is None:
        status = row.instance_status if row else RegionStatus.UNKNOWN
        return InstancesPlace(account_id, region, None, status, known=False)
    fresh = timezone.now() - row.instances_listed_at <= INSTANCES_STALE_AFTER
    known = fresh and row.instance_status == RegionStatus.ACTIVE
    return InstancesPlace(
        account_id, region, row.instances_listed_at, row.instance_status, known=known
    )
