"""A list of 50 costs as many queries as a list of 1."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from protection.models import AccountRegion, ProtectionGroup
from recovery.models import Execution, JobLog, PlanVersion, RecoveryPlan
from recovery.services.plans import document
from recovery.states import JobState
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
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
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
MANY = 50


def _accounts(count: int) -> str:
    TargetAccountFactory.create_batch(count)
    return "accounts/targets"


def _regions(count: int) -> str:
    account = TargetAccountFactory.create()
    for number in range(count):
        AccountRegionFactory.create(account=account, region=f"us-east-{number}")
    return f"accounts/targets/{account.pk}/regions"


def _servers(count: int) -> str:
    SourceServerFactory.create_batch(count)
    return "servers"


def _groups(count: int) -> str:
    for _ in range(count):
        ProtectionGroupFactory.create()
        ProtectionGroupFactory.create(tags={"Tier": "web"})
    return "protection-groups"


def _group_servers(count: int) -> str:
    account = TargetAccountFactory.create()
    servers = SourceServerFactory.create_batch(count, account=account)
    group = ProtectionGroupFactory.create(account=account, servers=servers)
    return f"protection-groups/{group.pk}/servers"


def _plans(count: int) -> str:
    for _ in range(count):
        plan_of(ProtectionGroupFactory.create(), ProtectionGroupFactory.create())
    return "recovery-plans"


def _versions(count: int) -> str:
    plan = plan_of()
    PlanVersion.objects.bulk_create(
        PlanVersion(plan=plan, number=number, document=document(plan), created_by="somebody")
        for number in range(2, count + 1)
    )
    return f"recovery-plans/{plan.pk}/versions"


def _executions(count: int) -> str:
    for _ in range(count):
        WaveServerFactory.create(wave=WaveFactory.create())
    return "executions"


def _events(count: int) -> str:
    server = WaveServerFactory.create()
    ExecutionEventFactory.create_batch(
        count, execution=server.execution, wave=server.wave, server=server
    )
    return f"executions/{server.execution.pk}/events"


def _job_logs(count: int) -> str:
    wave = WaveFactory.create()
    for job in LaunchJobFactory.create_batch(count, wave=wave):
        JobLog.objects.create(job=job, items=[{"event": "JOB_START"}] * count, digest="x")
    return f"executions/{wave.execution.pk}/job-logs"


def _sync_runs(count: int) -> str:
    SyncRunFactory.create_batch(count)
    return "sync-runs"


def _execution(count: int) -> str:
    """1 wave with 1 server, or 5 waves with 50 servers, each wave with its jobs."""
    execution = ExecutionFactory.create()
    for position in range(1, max(1, count // 10) + 1):
        wave = WaveFactory.create(execution=execution, position=position, gate=True)
        for number in range(min(count, 10)):
            job = LaunchJobFactory.create(
                wave=wave, state=JobState.STARTED, drs_job_id=f"drsjob-{position}-{number}"
            )
            WaveServerFactory.create(wave=wave, launch_job=job)
    return f"executions/{execution.pk}"


LISTS = [
    _accounts,
    _regions,
    _servers,
    _groups,
    _group_servers,
    _plans,
    _versions,
    _executions,
    _events,
    _job_logs,
    _sync_runs,
    _execution,
]


def _cost(client, make, count: int) -> int:
    path = f"/api/v1/{make(count)}" + ("" if make is _execution else "?page_size=200")
    client.get(path)  # what Django keeps for the whole process is there from now on
    with CaptureQueriesContext(connection) as queries:
        response = client.get(path)
    assert response.status_code == 200
    said = response.json()
    if make is _execution:
        assert sum(len(wave["servers"]) for wave in said["waves"]) == count
        assert said["servers"]["total"] == count
    else:
        assert len(said["results"]) >= count
    return len(queries)


def _clear() -> None:
    Execution.objects.all().delete()
    RecoveryPlan.objects.all().delete()
    ProtectionGroup.objects.all().delete()
    AccountRegion.objects.all().delete()


@pytest.mark.parametrize("make", LISTS, ids=lambda make: make.__name__.strip("_"))
def test_fifty_rows_cost_what_one_costs(client_of, make):
    person = grant(
        UserFactory.create(),
        "protection.view_targetaccount",
        "protection.view_protectiongroup",
        "protection.view_syncrun",
        "recovery.view_recoveryplan",
    )
    client = client_of(person)
    one = _cost(client, make, 1)
    _clear()
    assert _cost(client, make, MANY) == one


def test_fifty_plans_granted_one_by_one_cost_what_one_costs(client_of):
    person = UserFactory.create()
    client = client_of(person)

    def cost(count: int) -> int:
        for _ in range(count):
            grant(person, "recovery.view_recoveryplan", on=plan_of())
        client.get("/api/v1/recovery-plans")
        with CaptureQueriesContext(connection) as queries:
            response = client.get("/api/v1/recovery-plans")
        assert len(response.json()["results"]) >= count
        return len(queries)

    assert cost(1) == cost(MANY - 1)
