"""The list of plans: its filters, and what stands beside each plan."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from recovery.models import ServerClaim
from recovery.permissions import PlanPermission
from recovery.states import ExecutionState
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import (
    ExecutionFactory,
    LaunchJobFactory,
    PlanWaveFactory,
    RecoveryPlanFactory,
    WaveFactory,
    WaveServerFactory,
    plan_of,
)
from tests.factories.users import UserFactory, grant

PLANS = "/api/v1/recovery-plans"
pytestmark = pytest.mark.django_db


def rows(client, query=""):
    response = client.get(f"{PLANS}?{query}")
    assert response.status_code == 200, response.content
    return {row["name"]: row for row in response.json()["results"]}


def hold(execution, server):
    return ServerClaim.objects.create(
        execution=execution,
        account_id=server.account.account_id,
        region=server.region,
        server_id=server.server_id,
    )


def test_the_latest_execution_is_shown(root):
    """D1: the reference's columns of the last execution are always empty."""
    plan = plan_of(name="Plan")
    plan_of(name="Idle")
    now = timezone.now()
    ExecutionFactory.create(plan=plan, state="COMPLETED", created_at=now - timedelta(days=2))
    latest = ExecutionFactory.create(
        plan=plan, state="PARTIAL", started_at=now - timedelta(hours=1), finished_at=now
    )
    found = rows(root)
    row = found["Plan"]
    assert row["lastExecutionStatus"] == "PARTIAL"
    assert parse_datetime(row["lastStartTime"]) == latest.started_at
    assert parse_datetime(row["lastEndTime"]) == latest.finished_at
    assert row["lastEndTime"].endswith("Z")
    assert "+" not in row["lastEndTime"]  # D44: never "+00:00Z"
    idle = found["Idle"]
    keys = ("lastExecutionStatus", "lastStartTime", "lastEndTime")
    assert [idle[key] for key in keys] == [None, None, None]


@pytest.fixture
def several():
    """Plans in two accounts, one through its second group only (D34)."""
    first, second = ProtectionGroupFactory.create(), ProtectionGroupFactory.create()
    both = RecoveryPlanFactory.create(name="Both", tags={"dr:priority": "high", "team": "shop"})
    PlanWaveFactory.create(plan=both, groups=[first, second])
    plan_of(first, name="First", tags={"dr:priority": "low"})
    plan_of(name="Other", tags={"Dr:Priority": "high"})
    ExecutionFactory.create(plan=both, state=ExecutionState.FAILED)
    return {"first": first.account.account_id, "second": second.account.account_id}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", {"Both", "First", "Other"}),
        ("name=O", {"Both", "Other"}),
        ("nameExact=both", {"Both"}),
        ("nameExact=bot", set()),
        ("accountId={second}", {"Both"}),
        ("account_id={first}", {"Both", "First"}),
        ("accountId=999999999999", set()),
        ("tag=dr:priority=high", {"Both"}),
        ("tag=dr:priority=high&tag=team=shop", {"Both"}),
        ("tag=dr:priority=low&tag=team=shop", set()),
        ("tag=dr:priority=", set()),
        ("status=FAILED", {"Both"}),
        ("status=COMPLETED", set()),
        ("hasConflict=true", set()),
        ("hasConflict=false", {"Both", "First", "Other"}),
    ],
)
def test_filters_of_plans(root, several, query, names):
    assert set(rows(root, query.format(**several))) == names


@pytest.mark.parametrize("query", ["tag=priority", "tag==high", "status=NICE", "colour=red"])
def test_a_filter_that_cannot_be(root, query):
    response = root.get(f"{PLANS}?{query}")
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


@pytest.fixture
def conflict():
    server = SourceServerFactory.create(tags={"Tier": "db"})
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    by_tag = ProtectionGroupFactory.create(account=server.account, tags={"Tier": "db"})
    running, waiting = plan_of(group, name="Running"), RecoveryPlanFactory.create(name="Waiting")
    PlanWaveFactory.create(plan=waiting, groups=[ProtectionGroupFactory.create(), by_tag])
    execution = ExecutionFactory.create(plan=running, state=ExecutionState.RUNNING)
    wave = WaveFactory.create(execution=execution)
    job = LaunchJobFactory.create(wave=wave, drs_job_id="drsjob-1")
    WaveServerFactory.create(
        wave=wave,
        launch_job=job,
        account_id=server.account.account_id,
        region=server.region,
        server_id=server.server_id,
    )
    hold(execution, server)
    return execution, server


def test_who_holds_servers_of_a_plan_is_told(root, conflict):
    execution, server = conflict
    found = rows(root)
    assert not found["Running"]["hasServerConflict"]  # its own execution is no conflict
    assert found["Running"]["conflictInfo"]["hasConflict"] is False
    row = found["Waiting"]
    assert row["hasServerConflict"] is True
    assert row["conflictInfo"] == {
        "hasConflict": True,
        "conflictingServers": [server.server_id],
        "conflictingExecutionId": str(execution.pk),
        "conflictingPlanId": str(execution.plan_id),
        "conflictingStatus": "RUNNING",
        "conflictingDrsJobId": "drsjob-1",
        "reason": "1 of its servers are held by 1 other execution.",
    }
    assert set(rows(root, "hasConflict=true")) == {"Waiting"}
    assert set(rows(root, "hasConflict=false")) == {"Running"}


def test_of_executions_that_one_does_not_see_only_the_hold_is_told(client_of, conflict):
    execution, server = conflict
    waiting = type(execution.plan).objects.get(name="Waiting")
    person = grant(UserFactory.create(), PlanPermission.VIEW, on=waiting)
    row = rows(client_of(person))["Waiting"]
    assert row["conflictInfo"]["conflictingServers"] == [server.server_id]
    for name in ("ExecutionId", "PlanId", "Status", "DrsJobId"):
        assert row["conflictInfo"][f"conflicting{name}"] is None


def test_plans_that_share_a_group_are_named(root, client_of):
    group = ProtectionGroupFactory.create()
    one, two = plan_of(group, name="One"), plan_of(group, name="Two")
    plan_of(name="Alone")
    found = rows(root)
    assert found["One"]["sharedProtectionGroups"] == [
        {
            "id": str(group.pk),
            "name": group.name,
            "plans": [{"id": str(two.pk), "name": "Two"}],
        }
    ]
    assert found["Alone"]["sharedProtectionGroups"] == []
    assert (found["One"]["waveCount"], len(found["One"]["waves"])) == (1, 1)
    person = grant(UserFactory.create(), PlanPermission.VIEW, on=one)
    assert rows(client_of(person))["One"]["sharedProtectionGroups"] == []


def test_fifty_plans_with_everything_cost_what_one_costs(root):
    def make():
        server = SourceServerFactory.create()
        group = ProtectionGroupFactory.create(account=server.account, servers=[server])
        plan_of(group, ProtectionGroupFactory.create())
        ExecutionFactory.create(plan=plan_of(group))
        hold(ExecutionFactory.create(state="RUNNING"), server)

    def cost():
        root.get(f"{PLANS}?hasConflict=true&page_size=200")
        with CaptureQueriesContext(connection) as queries:
            found = rows(root, "hasConflict=true&page_size=200")
        assert all(row["hasServerConflict"] for row in found.values())
        return len(queries), len(found)

    make()
    one, few = cost()
    for _ in range(49):
        make()
    many, all_of_them = cost()
    assert (few, all_of_them) == (2, 100)
    assert many == one
