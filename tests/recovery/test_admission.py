"""A start needs a preflight that is young, of just this, and blocks nothing; or somebody who
answers for it.
"""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.errors import DomainError
from drportal.mirror.models import OutboxEntry
from protection.models import AccountRegion, GroupHold
from recovery.engine.preflight import Check
from recovery.errors import (
    OverrideNeedsReason,
    PreflightBlocks,
    PreflightNeeded,
    ServersHeld,
    ServersNotReady,
)
from recovery.models import AccountClaim, Execution, Preflight, ServerClaim, Wave, WaveServer
from recovery.services import executions
from recovery.states import CheckOutcome, Kind, PreflightState
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import PreflightFactory, plan_of
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db

REASON = "Ticket 4711: the database is known to be slow"


@pytest.fixture
def plan():
    return plan_of()


def start(plan, **more) -> Execution:
    return executions.start(plan, kind=Kind.DRILL, actor=PERSON, **more)


def says(plan, outcome: CheckOutcome, found: str = "db-1: its replication is stopped.") -> None:
    """Let the latest preflight of a plan have found this."""
    check = Check("replication", outcome, found, "Mend it.")
    PreflightFactory.create(plan=plan, outcome=outcome, score=50, checks=[check.as_dict()])


def refused(plan, **more) -> DomainError:
    """Why a start is refused; and that it left nothing behind."""
    tables = (Execution, Wave, WaveServer, ServerClaim, AccountClaim, GroupHold)
    before = [table.objects.count() for table in tables]
    sent, told = OutboxEntry.objects.count(), AuditRecord.objects.count()
    with pytest.raises(DomainError) as caught:
        start(plan, **more)
    assert [table.objects.count() for table in tables] == before
    assert (OutboxEntry.objects.count(), AuditRecord.objects.count()) == (sent, told)
    return caught.value


def test_a_young_preflight_lets_a_plan_start_and_the_record_names_it(plan):
    execution = start(plan)
    record = AuditRecord.objects.get(event="recovery.execution.started")
    assert record.facts["preflight"] == str(Preflight.objects.get().pk)
    assert not execution.events.filter(kind="preflight.overridden").exists()


def test_a_warning_does_not_keep_it_from_starting(plan):
    says(plan, CheckOutcome.WARNING)
    assert start(plan).plan == plan


@pytest.mark.parametrize("outcome", [CheckOutcome.FAILED, CheckOutcome.UNKNOWN])
def test_what_failed_or_is_unknown_does(plan, outcome):
    says(plan, outcome)
    error = refused(plan)
    assert isinstance(error, PreflightBlocks)
    assert "Replication: db-1: its replication is stopped." in error.detail
    assert error.context["checks"] == ["replication"]


def test_checks_that_say_nothing_do_not_let_it_start(plan):
    PreflightFactory.create(plan=plan, checks=[])
    assert isinstance(refused(plan), PreflightBlocks)


def test_without_any_it_is_not_started(plan):
    Preflight.objects.all().delete()
    error = refused(plan)
    assert isinstance(error, PreflightNeeded)
    assert "Nobody has looked yet" in error.detail


@pytest.mark.parametrize("state", [PreflightState.RUNNING, PreflightState.ABANDONED])
def test_one_that_was_not_brought_to_an_end_is_none(plan, state):
    found = {"state": state, "outcome": "", "score": None}
    Preflight.objects.all().delete()
    PreflightFactory.create(plan=plan, **found)
    assert isinstance(refused(plan), PreflightNeeded)


def test_while_another_runs_the_one_before_counts(plan):
    PreflightFactory.create(plan=plan, state=PreflightState.RUNNING, outcome="", score=None)
    assert start(plan).plan == plan


def test_an_old_one_is_none(plan, settings):
    worth = timedelta(minutes=settings.PREFLIGHT_WORTH_MINUTES)
    Preflight.objects.update(started_at=timezone.now() - worth - timedelta(seconds=1))
    error = refused(plan)
    assert isinstance(error, PreflightNeeded)
    assert "looked 15 minutes ago" in error.detail
    Preflight.objects.update(started_at=timezone.now() - worth + timedelta(minutes=1))
    assert start(plan).plan == plan


def test_one_of_another_version_is_none(plan):
    Preflight.objects.update(plan_version=plan.version + 1)
    assert isinstance(refused(plan), PreflightNeeded)


def test_a_server_that_has_come_since_was_not_looked_at():
    server = SourceServerFactory.create(tags={"Tier": "db"})
    group = ProtectionGroupFactory.create(account=server.account, tags={"Tier": "db"})
    plan = plan_of(group)
    SourceServerFactory.create(account=server.account, tags={"Tier": "db"})
    error = refused(plan)
    assert isinstance(error, PreflightNeeded)
    assert "other servers" in error.detail
    PreflightFactory.create(plan=plan)
    assert start(plan).servers.count() == 2


@pytest.mark.parametrize("why", ["blocked", "needed"])
def test_whoever_answers_for_it_starts_it_and_that_is_in_the_record_and_the_timeline(plan, why):
    if why == "blocked":
        says(plan, CheckOutcome.FAILED)
    else:
        Preflight.objects.all().delete()
    execution = start(plan, overriding=True, reason=REASON)
    record = AuditRecord.objects.get(event="recovery.preflight.overridden")
    assert (record.actor_name, record.subject_id) == (PERSON.name, str(execution.pk))
    assert record.facts["reason"] == REASON
    (told,) = record.facts["against"]
    assert ("its replication is stopped" in told) == (why == "blocked")
    event = execution.events.get(kind="preflight.overridden")
    assert (event.actor, REASON in event.message) == (PERSON.name, True)


@pytest.mark.parametrize("reason", ["", "   "])
def test_nobody_overrides_without_a_reason(plan, reason):
    says(plan, CheckOutcome.UNKNOWN)
    error = refused(plan, overriding=True, reason=reason)
    assert isinstance(error, OverrideNeedsReason)
    assert [each["field"] for each in error.errors] == ["reason"]


def test_nothing_is_overridden_where_nothing_stands_in_the_way(plan):
    execution = start(plan, overriding=True)
    assert not execution.events.filter(kind="preflight.overridden").exists()
    assert not AuditRecord.objects.filter(event="recovery.preflight.overridden").exists()


def test_that_the_inventory_is_old_can_be_overridden(plan):
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(hours=1))
    assert isinstance(refused(plan), ServersNotReady)
    execution = start(plan, overriding=True, reason=REASON)
    record = AuditRecord.objects.get(event="recovery.preflight.overridden")
    assert "was last listed 60 minutes ago" in record.facts["against"][0]
    assert execution.servers.count() == 1


def test_that_another_execution_holds_a_server_cannot(plan):
    other = plan_of(*(entry.group for entry in plan.waves.get().entries.all()))
    start(plan)
    assert isinstance(refused(other, overriding=True, reason=REASON), ServersHeld)
