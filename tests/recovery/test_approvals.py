"""A recovery waits for a second person: nothing is launched before, and nobody is their own."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import Group, User
from django.core import management
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from audit.models import AuditRecord
from drportal.access import allowed
from drportal.actor import SCHEDULE, Actor, ActorKind, Door
from protection.models import GroupHold
from recovery.errors import (
    BeingCancelled,
    ExecutionEnded,
    NotAwaitingApproval,
    OverrideNeedsReason,
    OwnExecution,
    PreflightNeeded,
    ReasonNeeded,
    ServersHeld,
)
from recovery.models import Execution, Notice, Preflight, ServerClaim
from recovery.permissions import PlanPermission
from recovery.services import (
    advance,
    approval_terms,
    approvals,
    deliveries,
    executions,
    reminders,
    steering,
)
from recovery.services.preflight_facts import known_of
from recovery.states import ExecutionState, Kind
from tests.factories.recovery import PreflightFactory
from tests.factories.recovery import plan_of as row_of
from tests.factories.users import UserFactory, grant
from tests.worlds import (
    PERSON,
    drill,
    group_of,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)
SECOND = Actor(kind=ActorKind.PERSON, name="sam", door=Door.ADMIN, user_id=77)


def recovery(plan, *, actor=PERSON, **more):
    return executions.start(plan, kind=Kind.RECOVERY, confirmation=plan.name, actor=actor, **more)


@pytest.fixture
def plan(db):
    return row_of(name="Plan", approval_needed=True)


@pytest.fixture
def real(aws):
    """A plan whose recoveries need approval, in a world that can launch it."""
    world_of([server("db-1"), server("web-1")])
    registered()
    made = plan_of(wave("Databases", group_of("db")), wave("Web", group_of("web")))
    type(made).objects.update(approval_needed=True)
    made.refresh_from_db()
    PreflightFactory.create(plan=made)
    return made


@committed
def test_nothing_is_launched_before_somebody_else_approves_it(real, driver):
    execution = recovery(real)
    assert execution.state == ExecutionState.AWAITING
    assert ServerClaim.objects.filter(execution=execution, released_at=None).count() == 2
    assert GroupHold.objects.filter(holder_id=execution.pk).count() == 2
    for _ in range(3):
        driver.step(execution)
    execution.refresh_from_db()
    assert (execution.state, launches(), execution.started_at) == ("AWAITING", [], None)
    assert execution.leased_until is None  # no worker is at it while it waits

    approvals.approve(execution, comment="Frankfurt is down.", actor=SECOND)
    driver.run(execution)
    assert (execution.state, len(launches())) == (ExecutionState.COMPLETED, 2)
    assert (execution.approved_by, execution.approved_by_id) == ("sam", 77)
    assert execution.events.get(kind="execution.approved").message == (
        "Approved by sam: Frankfurt is down."
    )
    told = AuditRecord.objects.get(event="recovery.execution.approved")
    assert (told.actor_name, told.facts["requested_by"]) == ("sam", "pat")
    assert told.facts["comment"] == "Frankfurt is down."


def test_the_plan_says_whether_and_a_drill_asks_nobody_unless_told_to(plan):
    approvals.reject(recovery(plan), reason="No.", actor=SECOND)
    Execution.objects.update(state="CANCELLED", finished_at=timezone.now())
    ServerClaim.objects.update(released_at=timezone.now())
    PreflightFactory.create(plan=plan)
    first = executions.start(plan, kind=Kind.DRILL, actor=PERSON)
    assert (first.state, first.approval_needed) == (ExecutionState.PENDING, False)
    free = row_of(name="Free")
    assert recovery(free).state == ExecutionState.PENDING
    asked = executions.start(row_of(), kind=Kind.DRILL, approval_needed=True, actor=SCHEDULE)
    assert asked.state == ExecutionState.AWAITING
    assert approvals.approve(asked, actor=PERSON).approved_by == "pat"


@pytest.mark.parametrize("decide", ["approve", "reject"])
@pytest.mark.parametrize(
    ("starter", "again"),
    [
        (
            Actor(ActorKind.PERSON, "ann", Door.ADMIN, 5),
            Actor(ActorKind.PERSON, "ann", Door.API, 5),
        ),
        # A token or JWT of the same person, whatever it calls itself.
        (
            Actor(ActorKind.PERSON, "ann", Door.API, 5),
            Actor(ActorKind.API_CLIENT, "t", Door.API, 5),
        ),
        # After a restore people have other ids; a client has none at all.
        (
            Actor(ActorKind.PERSON, "ann", Door.API, 5),
            Actor(ActorKind.PERSON, "Ann", Door.ADMIN, 9),
        ),
        (Actor(ActorKind.API_CLIENT, "ci", Door.API), Actor(ActorKind.API_CLIENT, "ci", Door.API)),
    ],
)
def test_whoever_started_it_cannot_decide_by_any_door(plan, starter, again, decide):
    execution = recovery(plan, actor=starter)
    before = Execution.objects.values().get(pk=execution.pk)
    said = {"reason": "x"} if decide == "reject" else {}
    with pytest.raises(OwnExecution):
        getattr(approvals, decide)(execution, **said, actor=again)
    assert Execution.objects.values().get(pk=execution.pk) == before
    assert not AuditRecord.objects.filter(event__startswith="recovery.execution.app").exists()


def test_the_database_lets_nobody_approve_their_own_and_nothing_begin_without(plan):
    execution = recovery(plan, actor=Actor(ActorKind.PERSON, "ann", Door.API, 5))
    rows = Execution.objects.filter(pk=execution.pk)
    for wrong in (
        {"approved_at": timezone.now(), "approved_by": "ann", "approved_by_id": 6},
        {"approved_at": timezone.now(), "approved_by": "bob", "approved_by_id": 5},
        {"state": ExecutionState.RUNNING},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.update(**wrong)


@committed
def test_a_rejection_cancels_with_its_reason_and_frees_the_servers(real, driver):
    execution = recovery(real)
    with pytest.raises(ReasonNeeded):
        approvals.reject(execution, reason=" ", actor=SECOND)
    approvals.reject(execution, reason="The region is back.", actor=SECOND)
    with pytest.raises(BeingCancelled):
        approvals.approve(execution, actor=SECOND)
    driver.run(execution)
    assert (execution.state, launches()) == (ExecutionState.CANCELLED, [])
    assert execution.cancel_reason == "Rejected: The region is back."
    assert not ServerClaim.objects.filter(released_at=None).exists()
    assert not GroupHold.objects.filter(released_at=None).exists()
    told = AuditRecord.objects.get(event="recovery.execution.rejected")
    assert (told.actor_name, told.facts["reason"]) == ("sam", "The region is back.")
    with pytest.raises(ExecutionEnded):
        approvals.approve(execution, actor=SECOND)


def test_what_nobody_approves_in_time_is_cancelled_and_told(plan, settings):
    settings.APPROVAL_HOURS = 2
    execution = recovery(plan)
    advance.advance(execution.pk)
    execution.refresh_from_db()
    assert execution.due_at == execution.approval_until
    assert execution.approval_until - execution.created_at <= timedelta(hours=2, seconds=5)
    over = timezone.now() - timedelta(seconds=1)
    Execution.objects.update(approval_until=over, due_at=over)
    with pytest.raises(NotAwaitingApproval):
        approvals.approve(execution, actor=SECOND)
    advance.advance(execution.pk)
    execution.refresh_from_db()
    assert (execution.state, execution.approved_at) == (ExecutionState.CANCELLED, None)
    assert "Nobody approved it by" in execution.cancel_reason
    assert Notice.objects.filter(kind="REJECTED").count() == 1
    assert AuditRecord.objects.filter(event="recovery.approval.expired").count() == 1


def test_an_approval_that_came_in_time_counts_however_late_a_worker_looks(plan):
    execution = recovery(plan)
    approvals.approve(execution, actor=SECOND)
    Execution.objects.update(approval_until=timezone.now() - timedelta(hours=1))
    advance.advance(execution.pk)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.RUNNING


def test_an_old_preflight_launches_nothing_and_a_fresh_one_does(plan):
    execution = recovery(plan)
    Preflight.objects.update(started_at=timezone.now() - timedelta(hours=3))
    with pytest.raises(PreflightNeeded, match="180 minutes ago"):
        approvals.approve(execution, actor=SECOND)
    with pytest.raises(OverrideNeedsReason):
        approvals.approve(execution, overriding=True, actor=SECOND)
    execution.refresh_from_db()
    assert execution.approved_at is None
    # The plan may have another version by now: that execution is a snapshot of its servers.
    type(plan).objects.update(version=9)
    plan.refresh_from_db()
    assert all(not found.held_by for found in known_of(plan).servers)
    PreflightFactory.create(plan=plan)
    assert approvals.approve(execution, actor=SECOND).approved_at is not None


def test_an_old_preflight_can_be_overridden_with_a_comment_on_record(plan):
    execution = recovery(plan)
    Preflight.objects.all().delete()
    approvals.approve(execution, overriding=True, comment="AWS is away.", actor=SECOND)
    told = AuditRecord.objects.get(event="recovery.preflight.overridden")
    assert (told.actor_name, told.facts["reason"]) == ("sam", "AWS is away.")
    assert "Approved by sam although" in execution.events.get(kind="preflight.overridden").message


@committed
def test_its_servers_are_held_from_the_start(real):
    recovery(real)
    other = plan_of(wave("Databases", real.waves.first().groups.get()), name="Other")
    with pytest.raises(ServersHeld):
        drill(other)


@committed
def test_of_an_approval_and_a_rejection_at_once_one_is_made(plan):
    execution, start = recovery(plan), Barrier(2)
    said: list[str] = []

    def decide(what):
        start.wait()
        try:
            if what == "approve":
                approvals.approve(execution, actor=SECOND)
            else:
                approvals.reject(execution, reason="No.", actor=SECOND)
            said.append(what)
        except (BeingCancelled, NotAwaitingApproval):
            pass
        finally:
            connection.close()

    threads = [Thread(target=decide, args=(what,)) for what in ("approve", "reject")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    execution.refresh_from_db()
    assert len(said) == 1
    assert (execution.approved_at is None) != (execution.cancel_requested_at is None)


@committed
def test_a_pause_asked_for_meanwhile_holds_after_the_approval(real, driver):
    execution = recovery(real)
    steering.pause(execution, actor=PERSON)
    approvals.approve(execution, actor=SECOND)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    assert launches() == []


@pytest.mark.parametrize(
    "how", ["model", "role", "object", "object role", "superuser", "view", "inactive"]
)
def test_who_may_approve_is_who_the_door_lets_in(plan, how):
    execution = recovery(plan)
    person = UserFactory.create(is_superuser=how == "superuser", is_active=how != "inactive")
    role = Group.objects.create(name="approvers")
    person.groups.add(role)
    what = PlanPermission.VIEW if how == "view" else PlanPermission.APPROVE
    holder = role if "role" in how else person
    if how != "superuser":
        grant(holder, what, on=plan if "object" in how else None)
    person = User.objects.get(pk=person.pk)
    found = set(approval_terms.approvers(execution))
    assert (person in found) == allowed(person, PlanPermission.APPROVE, plan)
    Execution.objects.update(requested_by=person.username)
    execution.refresh_from_db()
    assert person not in approval_terms.approvers(execution)


def test_whoever_may_approve_is_told_and_reminded_until_somebody_decides(plan, settings):
    settings.NOTICE_REMINDER_MINUTES = 30
    person = UserFactory.create(email="sam@example.com")
    starter = UserFactory.create(username="pat", email="pat@example.com")
    for each in (person, starter):
        grant(each, PlanPermission.APPROVE)
    execution = recovery(plan)
    deliveries.address_new()
    sent_to = Notice.objects.get(kind="APPROVAL").deliveries.values_list("address", flat=True)
    assert list(sent_to) == ["sam@example.com"]
    Execution.objects.update(created_at=timezone.now() - timedelta(minutes=61))
    reminders.remind()
    reminders.remind()
    assert Notice.objects.filter(kind="APPROVAL", number=2).count() == 1
    approvals.approve(execution, actor=SECOND)
    deliveries.send_due()
    states = {
        row.state
        for notice in Notice.objects.filter(kind="APPROVAL")
        for row in notice.deliveries.all()
    }
    assert states == {"DROPPED"}


def test_by_command_with_the_permission_only(plan):
    execution = recovery(plan)
    person = UserFactory.create(username="sam")
    grant(person, PlanPermission.VIEW, PlanPermission.STEER)
    with pytest.raises(management.CommandError, match="may not approve"):
        management.call_command("executions", "approve", str(execution.pk), "--as", "sam")
    execution.refresh_from_db()
    assert execution.approved_at is None
    grant(person, PlanPermission.APPROVE)
    Preflight.objects.all().delete()
    command = ("executions", "approve", str(execution.pk), "--as", "sam", "--reason", "Away.")
    with pytest.raises(management.CommandError, match="override the preflight"):
        management.call_command(*command, "--override-preflight")
    grant(person, PlanPermission.OVERRIDE_PREFLIGHT)
    management.call_command(*command, "--override-preflight")
    execution.refresh_from_db()
    assert (execution.approved_by, execution.approval_comment) == ("sam", "Away.")
