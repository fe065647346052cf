"""Whatever goes wrong in AWS: what was known stays, no count becomes zero, and the words are right.

Every sync under every fault. The rules that hold for one sync only are in its own tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from drportal.actor import PORTAL
from drportal.aws import session
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.roles import forget_sessions
from drportal.simulator.clock import ManualClock
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import RegionStatus, SyncKind, SyncState
from protection.errors import SyncAlreadyRunning
from protection.models import AccountRegion, RecoveryInstance, SourceServer, SyncRun
from protection.services import instances, inventory, sync_runs, tag_sync
from protection.tasks import sync_inventory, sync_recovery_instances, sync_tags
from tests.protection.origins import from_ec2, in_drs
from tests.worlds import EAST, NORTH, SOUTH, known, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True)
class Sync:
    """A sync, the DRS operation that it lists with, and its job."""

    run: Callable[..., SyncRun]
    operation: str
    job: Any

    def __call__(self) -> SyncRun:
        return self.run(actor=PORTAL)


SYNCS = {
    SyncKind.INVENTORY: Sync(inventory.sync, "DescribeSourceServers", sync_inventory),
    SyncKind.RECOVERY_INSTANCES: Sync(
        instances.sync, "DescribeRecoveryInstances", sync_recovery_instances
    ),
    SyncKind.TAGS: Sync(tag_sync.sync, "DescribeSourceServers", sync_tags),
}
SCP = "is not authorized, with an explicit deny in a service control policy"
FAULTS = [
    (Kind.THROTTLE, {"seconds": 0}, RegionStatus.THROTTLED),
    (Kind.ACCESS_DENIED, {}, RegionStatus.IAM_PERMISSION_DENIED),
    (Kind.ACCESS_DENIED, {"raw_error": SCP}, RegionStatus.SCP_DENIED),
    (Kind.UNINITIALIZED, {}, RegionStatus.NOT_INITIALIZED),
    (Kind.OPT_IN_REQUIRED, {}, RegionStatus.REGION_NOT_ENABLED),
    (Kind.UNREACHABLE, {}, RegionStatus.ENDPOINT_UNREACHABLE),
    (Kind.SERVER_ERROR, {"seconds": 0}, RegionStatus.ERROR),
]


@pytest.fixture(params=list(SYNCS), ids=str)
def kind(request) -> SyncKind:
    wanted: SyncKind = request.param
    return wanted


@pytest.fixture
def sync(kind, aws) -> Sync:
    """A world in which every sync has run once and knows something."""
    world_of([*(server(f"db-{n}") for n in (1, 2)), server("app-1", account=SOUTH)])
    accounts = registered()
    from_ec2("db-1", account=SOUTH, CostCenter="7")
    scope = accounts[NORTH].scope(EAST)
    Drs(scope).start_recovery([known("db-2").server_id], drill=True)
    clock = world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(timedelta(minutes=25))
    for each in SYNCS.values():
        assert each().state == SyncState.COMPLETED
    inventory.sync(actor=PORTAL)
    return SYNCS[kind]


def everything() -> list[Any]:
    """Everything that is known, and the tags in DRS."""
    counts = AccountRegion.objects.order_by("pk")
    return [
        *SourceServer.objects.order_by("pk").values(),
        *RecoveryInstance.objects.order_by("pk").values(),
        *counts.values("account_id", "region", "server_count", "instance_count"),
        in_drs("db-1"),
    ]


def row() -> AccountRegion:
    return AccountRegion.objects.get(account__account_id=NORTH, region=EAST)


def status(kind: SyncKind) -> str | None:
    """What the Region's row says to this sync; the tag sync says it in its run only."""
    found = {
        SyncKind.INVENTORY: row().status,
        SyncKind.RECOVERY_INSTANCES: row().instance_status,
    }
    return found.get(kind)


@pytest.mark.parametrize(("fault", "more", "word"), FAULTS, ids=[word for _, _, word in FAULTS])
def test_a_region_that_fails_keeps_everything_and_says_why(sync, kind, fault, more, word):
    before = everything()
    world.faults.add(Fault(fault, operation=sync.operation, account=NORTH, region=EAST, **more))
    run = sync()
    assert everything() == before
    assert run.state == SyncState.PARTIAL
    assert [problem["status"] for problem in run.problems] == [word]
    assert run.problems[0].items() >= {"account": NORTH, "region": EAST}.items()
    assert run.problems[0]["message"]
    assert status(kind) in {None, word}
    world.faults.clear()
    assert sync().state == SyncState.COMPLETED
    assert status(kind) in {None, RegionStatus.ACTIVE}
    assert everything() == before


def test_half_of_the_pages_are_none(sync, monkeypatch):
    before = everything()
    whole = session.pages

    def half(made, method, *, operation, scope, **arguments):
        for page in whole(made, method, operation=operation, scope=scope, **arguments):
            yield {"items": page["items"][:1]}
            call = Call(operation, scope.account_id, scope.region)
            raise AwsError(Failure.CONNECTION_LOST, "broke off", call=call)

    monkeypatch.setattr(session, "pages", half)
    assert sync().state == SyncState.FAILED
    assert everything() == before


def test_an_answer_without_its_list_is_no_empty_list(sync, monkeypatch):
    before = everything()
    monkeypatch.setattr(session, "pages", lambda *_, **__: iter([{"message": "welcome"}]))
    run = sync()
    assert run.state == SyncState.FAILED
    assert "cannot be read" in str(run.problems)
    assert everything() == before


def test_a_role_that_is_gone_costs_nothing_known(sync, kind):
    before = everything()
    world.accounts.roles.clear()
    forget_sessions()
    run = sync()
    assert everything() == before
    assert run.state == SyncState.PARTIAL
    assert {problem["status"] for problem in run.problems} == {RegionStatus.IAM_PERMISSION_DENIED}
    assert status(kind) in {None, RegionStatus.IAM_PERMISSION_DENIED}


def test_keys_that_lead_into_nobody_are_no_region_that_is_switched_off(sync, kind):
    """They fail in the words of a Region that is not enabled, in every Region of every account."""
    before = everything()
    forget_sessions()
    world.faults.add(Fault(Kind.OPT_IN_REQUIRED, service="sts"))
    run = sync()
    assert everything() == before
    assert run.state == SyncState.FAILED
    assert {problem["status"] for problem in run.problems} == {RegionStatus.ERROR}


def test_nothing_that_answers_is_a_failed_run(sync):
    before = everything()
    world.faults.add(Fault(Kind.UNREACHABLE))
    forget_sessions()
    assert sync().state == SyncState.FAILED
    assert everything() == before


@pytest.fixture
def killed(sync, kind, monkeypatch) -> SyncRun:
    """A run whose worker was killed in its middle, as SIGKILL does: it wrote no end."""

    def killed(*_, **__):
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(sync_runs, "fail", killed)
        patch.setattr(sync_runs, "finish", killed)
        with pytest.raises(SystemExit):
            sync()
    return SyncRun.objects.get(kind=kind, state=SyncState.RUNNING)


def test_a_killed_run_is_taken_over_once_its_lease_ran_out(sync, kind, killed):
    with pytest.raises(SyncAlreadyRunning):
        sync()
    with pytest.raises(SyncAlreadyRunning):
        sync_runs.ask(kind, actor=PORTAL)
    SyncRun.objects.filter(pk=killed.pk).update(leased_until=timezone.now())
    assert sync().state == SyncState.COMPLETED
    killed.refresh_from_db()
    assert killed.state == SyncState.ABANDONED
    assert killed.finished_at is not None


def test_who_comes_to_after_being_taken_over_writes_no_end(sync, killed):
    SyncRun.objects.filter(pk=killed.pk).update(leased_until=timezone.now())
    sync()
    with pytest.raises(SyncAlreadyRunning):
        sync_runs.keep_alive(killed)
    sync_runs.finish(killed, sync_runs.Tally(scopes_listed=1), actor=PORTAL)
    assert killed.state == SyncState.ABANDONED


def test_the_job_runs_its_sync_and_lets_another_be(sync, kind):
    SyncRun.objects.all().delete()
    sync.job()
    run = SyncRun.objects.get()
    assert (run.kind, run.state, run.requested_by) == (kind, SyncState.COMPLETED, "schedule")
    until = timezone.now() + timedelta(minutes=1)
    SyncRun.objects.create(kind=kind, requested_by="x", leased_until=until)
    sync.job()
    assert SyncRun.objects.count() == 2
