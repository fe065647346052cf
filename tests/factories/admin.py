"""Rows for every page of the admin: two of each kind, so that one can be hidden."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from audit.models import AuditRecord
from audit.services import record
from drportal.actor import SCHEDULE
from drportal.mirror.models import OutboxEntry
from protection.choices import SettingsLevel, SyncState
from protection.models import LaunchSettings, TagSyncSettings
from recovery.models import (
    Delivery,
    Execution,
    ImportRun,
    JobWatch,
    Notice,
    NoticeChannel,
    NoticePreference,
)
from recovery.models.notices import Medium
from recovery.states import (
    ExecutionState,
    JobState,
    Kind,
    Phase,
    ServerState,
    WaveState,
)
from tests.factories.drills import DrillOccurrenceFactory
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    RecoveryInstanceFactory,
    SourceServerFactory,
    StagingAccountFactory,
    StagingServerFactory,
    SyncRunFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import (
    ExecutionEventFactory,
    ExecutionFactory,
    LaunchJobFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import UserFactory


@dataclass(frozen=True)
class Estate:
    """One object of each model that has a page, by its label."""

    rows: dict[str, Model]

    def __getitem__(self, label: str) -> Any:
        return self.rows[label]


def schedule_of(task: str, *, every: int = 60, name: str = "") -> PeriodicTask:
    """A task that beat sends every so many seconds."""
    interval, _ = IntervalSchedule.objects.get_or_create(every=every, period="seconds")
    made: PeriodicTask = PeriodicTask.objects.create(
        name=name or task, task=task, interval=interval
    )
    return made


def estate() -> Estate:
    """An account with a Region, a server, a group, a plan, an execution and the rest."""
    account = TargetAccountFactory.create()
    staging = StagingAccountFactory.create(targets=[account])
    StagingServerFactory.create(link=staging.links.get())
    server = SourceServerFactory.create(account=account)
    group = ProtectionGroupFactory.create(account=account, servers=[server])
    plan = plan_of(group)
    execution = ExecutionFactory.create(
        plan=plan, state=ExecutionState.RUNNING, started_at=timezone.now()
    )
    wave = WaveFactory.create(
        execution=execution, gate=True, state=WaveState.WAITING, gate_reached_at=timezone.now()
    )
    WaveServerFactory.create(wave=wave)
    ExecutionEventFactory.create(execution=execution)
    with transaction.atomic():
        record("protection.inventory.synced", actor=SCHEDULE, subject=account)
    rows: tuple[Model, ...] = (
        AuditRecord.objects.latest("id"),
        OutboxEntry.objects.latest("id"),
        account,
        staging,
        server,
        group,
        plan,
        execution,
        LaunchSettings.objects.create(
            level=SettingsLevel.GROUP, group=group, values={"copyTags": True}
        ),
        SyncRunFactory.create(),
        RecoveryInstanceFactory.create(account=account),
        TagSyncSettings.objects.get_or_create(pk=1)[0],
        ImportRun.objects.create(
            mode="ADD_ONLY", dry_run=True, succeeded=True, document_digest="0" * 64
        ),
        *notices_of(plan, execution),
        DrillOccurrenceFactory.create(schedule__plan=plan).schedule,
        UserFactory.create(),
        Group.objects.create(name=f"role of {account.account_id}"),
        schedule_of("protection.sync_inventory", name=f"sync {account.account_id}"),
    )
    return Estate({row._meta.label_lower: row for row in rows})


def notices_of(plan: Any, execution: Execution) -> tuple[Model, ...]:
    """A channel of the plan, what somebody wants to be told of, and a notice that waits for it."""
    channel = NoticeChannel.objects.create(
        plan=plan,
        name="Room",
        medium=Medium.SERVICE,
        address="jsons://hooks.example.com/never-shown",
        masked="Webhook, JSON at hooks.example.com [masked]",
        kinds=["WAITING"],
    )
    notice = Notice.objects.create(
        key=f"estate:{execution.pk}",
        kind="WAITING",
        plan=plan,
        plan_name=plan.name,
        about=execution.kind,
        execution=execution,
        addressed_at=timezone.now(),
    )
    delivery = Delivery.objects.create(
        notice=notice,
        medium=channel.medium,
        channel=channel,
        target=f"channel:{channel.pk}",
        shown=f"Room: {channel.masked}",
    )
    preference = NoticePreference.objects.create(person=UserFactory.create(), kinds=["WAITING"])
    return channel, delivery, preference


def busy_execution(*, kind: Kind = Kind.DRILL, plan: Any = None, **fields: Any) -> Execution:
    """An execution with a wave in each of the states that matter: ended well, under way with
    servers in every phase, and at its gate.
    """
    now = timezone.now()
    execution = ExecutionFactory.create(
        plan=plan or plan_of(name="Payments, Frankfurt"),
        kind=kind,
        state=ExecutionState.RUNNING,
        started_at=now - timedelta(minutes=14),
        created_at=now - timedelta(minutes=14, seconds=5),
        due_at=now + timedelta(hours=1),
        requested_by="olivia.operator",
        reason="Quarterly drill",
        **fields,
    )
    account = TargetAccountFactory.create(name="Production")
    _done_wave(execution, account)
    _wave_under_way(execution, account)
    _gate(execution)
    reporting = WaveFactory.create(
        execution=execution, position=4, name="Reporting", depends_on=[2, 3], group_names=["bi"]
    )
    WaveServerFactory.create(wave=reporting, name="bi-01")
    for minutes, message in (
        (14, "Drill requested by olivia.operator."),
        (13, "Wave 1 (Databases) started: 3 servers in 1 job."),
        (6, "Wave 1 (Databases) completed: 3 launched."),
        (5, "Wave 2 (Applications) started: 7 servers in 2 jobs."),
        (4, "Wave 3 (Web) waits at its gate."),
        (2, "app-03 failed: no capacity for m6i.4xlarge in us-east-1a."),
    ):
        ExecutionEventFactory.create(
            execution=execution, message=message, at=now - timedelta(minutes=minutes)
        )
    return execution


def _done_wave(execution: Execution, account: Any) -> None:
    now = timezone.now()
    wave = WaveFactory.create(
        execution=execution,
        name="Databases",
        state=WaveState.COMPLETED,
        group_names=["payments-db"],
        started_at=now - timedelta(minutes=13),
        finished_at=now - timedelta(minutes=6),
    )
    job = LaunchJobFactory.create(
        wave=wave,
        account=account,
        state=JobState.ENDED,
        drs_job_id="drsjob-0f1e2d3c4b5a69788",
        server_ids=["s-1", "s-2", "s-3"],
    )
    for number in (1, 2, 3):
        WaveServerFactory.create(
            wave=wave,
            launch_job=job,
            account_id=account.account_id,
            name=f"db-{number:02}",
            state=ServerState.LAUNCHED,
            phase=Phase.DONE,
            recovery_instance_id=f"i-0abc{number:013}",
            instance_state="running",
            instance_type="r6i.2xlarge",
            private_ip=f"10.20.1.{10 + number}",
            availability_zone="us-east-1a",
            facts_at=now - timedelta(minutes=6),
            started_at=now - timedelta(minutes=13),
            finished_at=now - timedelta(minutes=6, seconds=10 * number),
        )


_APPLICATIONS: tuple[tuple[str, ServerState, Phase, str], ...] = (
    ("app-01", ServerState.LAUNCHED, Phase.DONE, ""),
    ("app-02", ServerState.LAUNCHING, Phase.CONVERSION, ""),
    (
        "app-03",
        ServerState.FAILED,
        Phase.LAUNCH,
        "Launch failed: no capacity for m6i.4xlarge in us-east-1a.",
    ),
    ("app-04", ServerState.SKIPPED, Phase.SNAPSHOT, "DRS skipped it: it has no snapshot yet."),
    ("app-05", ServerState.UNKNOWN, Phase.LAUNCH, "DRS has not told what became of it."),
    ("app-06", ServerState.LAUNCHING, Phase.SNAPSHOT, ""),
    ("app-07", ServerState.PENDING, Phase.QUEUED, ""),
)


def _wave_under_way(execution: Execution, account: Any) -> None:
    now = timezone.now()
    wave = WaveFactory.create(
        execution=execution,
        position=2,
        name="Applications",
        depends_on=[1],
        state=WaveState.LAUNCHING,
        group_names=["payments-app", "payments-batch"],
        started_at=now - timedelta(minutes=5),
        deadline_at=now + timedelta(minutes=55),
    )
    started = LaunchJobFactory.create(
        wave=wave,
        account=account,
        state=JobState.STARTED,
        drs_job_id="drsjob-00aa11bb22cc33dd4",
        started_at=now - timedelta(minutes=5),
        server_ids=["s-4", "s-5", "s-6", "s-7", "s-8", "s-9"],
    )
    LaunchJobFactory.create(
        wave=wave,
        account=account,
        state=JobState.QUEUED,
        message="Waits in line: 20 of 20 jobs run in this account and Region.",
    )
    JobWatch.objects.create(account=account, region="us-east-1", polled_at=now)
    for name, state, phase, message in _APPLICATIONS:
        ended = state not in {ServerState.LAUNCHING, ServerState.PENDING}
        WaveServerFactory.create(
            wave=wave,
            launch_job=started,
            account_id=account.account_id,
            name=name,
            state=state,
            phase=phase,
            message=message,
            started_at=now - timedelta(minutes=5),
            finished_at=now - timedelta(minutes=2) if ended else None,
        )


def _gate(execution: Execution) -> None:
    now = timezone.now()
    wave = WaveFactory.create(
        execution=execution,
        position=3,
        name="Web",
        depends_on=[1],
        gate=True,
        gate_instructions="Check the replica's lag with the database team, then open.",
        gate_reached_at=now - timedelta(minutes=4),
        state=WaveState.WAITING,
        group_names=["payments-web"],
    )
    for number in (1, 2):
        WaveServerFactory.create(wave=wave, name=f"web-{number:02}")


def ended_execution() -> Execution:
    """A recovery that ended partly well: one wave launched, one timed out, one blocked."""
    now = timezone.now()
    execution = ExecutionFactory.create(
        plan=plan_of(name="Ledger, Ireland"),
        kind=Kind.RECOVERY,
        state=ExecutionState.PARTIAL,
        created_at=now - timedelta(hours=2),
        started_at=now - timedelta(hours=2),
        finished_at=now - timedelta(hours=1),
        due_at=None,
        requested_by="olivia.operator",
    )
    for position, (name, state, became, why) in enumerate(
        (
            ("Core", WaveState.COMPLETED, ServerState.LAUNCHED, ""),
            ("Batch", WaveState.TIMED_OUT, ServerState.UNKNOWN, "No answer within 60 min."),
            ("Portal", WaveState.BLOCKED, ServerState.BLOCKED, "Wave 2 (Batch) timed out."),
        ),
        start=1,
    ):
        wave = WaveFactory.create(
            execution=execution,
            position=position,
            name=name,
            depends_on=[position - 1] if position > 1 else [],
            state=state,
            message=why,
            started_at=now - timedelta(hours=2),
        )
        WaveServerFactory.create(wave=wave, name=f"{name.lower()}-01", state=became, message=why)
    return execution


def silent_region(status: str, *, message: str, name: str = "Sandbox") -> Any:
    """A Region that answered before and does not any more."""
    account = TargetAccountFactory.create(name=name)
    return AccountRegionFactory.create(
        account=account,
        region="us-west-2",
        status=status,
        message=message,
        server_count=7,
        listed_at=timezone.now() - timedelta(hours=3),
    )


def partial_sync() -> Any:
    """A sync in which one Region did not answer."""
    return SyncRunFactory.create(
        state=SyncState.PARTIAL,
        scopes_listed=5,
        scopes_failed=1,
        seen=61,
        added=2,
        changed=4,
        problems=[
            {
                "account": "444455556666",
                "region": "us-west-2",
                "status": "IAM_PERMISSION_DENIED",
                "message": "User is not authorized to perform drs:DescribeSourceServers.",
            }
        ],
    )
