"""Preflights against simulated AWS: what is not answered is never good, and a dead one is taken
over.
"""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from celery import current_app
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditRecord, Outcome
from drportal.actor import SCHEDULE
from drportal.aws.drs import Drs
from drportal.simulator.accounts import Role
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import ValidationState
from protection.models import AccountValidation, TargetAccount
from protection.rules.validation import passed
from protection.services import accounts
from recovery.errors import PreflightAlreadyRunning
from recovery.models import Notice, Preflight, RecoveryPlan
from recovery.schedules import SCHEDULES
from recovery.services import preflight_facts, preflights
from recovery.services.notice_words import message_of
from recovery.services.notices import PREFLIGHT_BAD
from recovery.states import ExecutionState, PreflightState
from recovery.tasks import ask_for_preflights, carry_out_preflight, forget_preflights
from tests.factories.recovery import (
    ExecutionFactory,
    PreflightFactory,
    RecoveryPlanFactory,
    servers_of,
)
from tests.factories.recovery import plan_of as plan_row
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    WEST,
    drill,
    group_of,
    known,
    plan_of,
    registered,
    role,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)

POINT = "recovery_point"
NOBODY_WRITES = ("Start", "Create", "Delete", "Terminate", "Update", "Put", "Tag", "Modify")


@pytest.fixture
def plan(aws) -> RecoveryPlan:
    """Two waves in two accounts and two Regions."""
    others = [server(f"other-{n}") for n in (1, 2, 3)]
    world_of([*others, server("db-1"), server("web-1", account=SOUTH, region=WEST)])
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Web", group_of("web", account=SOUTH, region=WEST), depends_on=(1,)),
    )


def looked(plan: RecoveryPlan) -> Preflight:
    """A preflight that was asked for and carried out."""
    asked = preflights.ask(plan, actor=PERSON)
    carry_out_preflight(preflight_id=str(asked.pk))
    asked.refresh_from_db()
    return asked


def outcomes(found: Preflight, code: str) -> dict[str, str]:
    """What a check found, by account; by nothing where it is of the whole plan."""
    made: list[dict[str, Any]] = found.checks
    return {each["account_id"]: each["outcome"] for each in made if each["code"] == code}


def fault(kind: Kind, operation: str, **more: Any) -> None:
    world.faults.add(Fault(kind, operation=operation, **more))


@pytest.fixture
def asked(monkeypatch):
    """What workers are asked for."""
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "drportal.jobs.current_app.send_task",
        lambda task, *, kwargs, **_: sent.append((task, kwargs)),
    )
    return sent


def test_a_plan_that_is_ready_may_be_started_and_nothing_was_written(plan):
    found = looked(plan)
    assert (found.state, found.outcome, found.plan_version) == (PreflightState.DONE, "WARNING", 1)
    by_code = {each["code"]: each["outcome"] for each in found.checks}
    warned = {code for code, outcome in by_code.items() if outcome != "PASSED"}
    # It has no RPO, and no launch settings: both are said, and do not block.
    assert warned == {"lag", "launch_settings"}
    assert found.score == 90
    for code in ("account", "drs", "permissions", "quotas", "instances", "recovery_point", "held"):
        assert outcomes(found, code) == {NORTH: "PASSED", SOUTH: "PASSED"}, code
    told = [call.operation for call in world.calls.matching()]
    assert not [operation for operation in told if operation.startswith(NOBODY_WRITES)]
    record = AuditRecord.objects.get(event="recovery.preflight.finished")
    assert (record.outcome, record.facts["score"]) == (Outcome.SUCCEEDED, 90)
    assert record.subject_id == str(plan.pk)


@pytest.mark.parametrize(
    "kind", [Kind.THROTTLE, Kind.ACCESS_DENIED, Kind.UNREACHABLE, Kind.SERVER_ERROR]
)
@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("DescribeJobs", ["held", "quotas"]),
        ("DescribeRecoveryInstances", ["instances"]),
        ("DescribeRecoverySnapshots", ["recovery_point"]),
        ("GetLaunchConfiguration", ["launch_target"]),
    ],
)
def test_what_aws_does_not_answer_is_unknown_there_and_only_there(plan, kind, operation, codes):
    # E-23: no check passes because it could not be made.
    fault(kind, operation, account=SOUTH)
    found = looked(plan)
    for code in codes:
        assert outcomes(found, code) == {NORTH: "PASSED", SOUTH: "UNKNOWN"}
    assert found.outcome == "UNKNOWN"
    assert AuditRecord.objects.get(event="recovery.preflight.finished").outcome == Outcome.FAILED


def test_an_account_that_cannot_be_entered_is_known_by_nothing_else(plan):
    world.accounts.add_role(Role(role(NORTH), trust=[HUB], external_id="changed"))
    world.accounts.add_role(Role(role(SOUTH), trust=[HUB], external_id="changed"))
    found = looked(plan)
    assert found.outcome == "FAILED"
    assert set(outcomes(found, "account").values()) == {"FAILED"}
    for code in ("drs", "permissions", "held", "quotas", "instances", "recovery_point"):
        assert set(outcomes(found, code).values()) == {"UNKNOWN"}, code


def test_an_account_that_is_switched_off_is_not_asked(plan):
    accounts.edit(TargetAccount.objects.get(account_id=SOUTH), active=False, actor=PERSON)
    before = len(world.calls.matching(account=SOUTH))
    found = looked(plan)
    assert outcomes(found, "account") == {NORTH: "PASSED", SOUTH: "FAILED"}
    assert outcomes(found, "held")[SOUTH] == "UNKNOWN"
    assert len(world.calls.matching(account=SOUTH)) == before


def test_where_drs_is_not_initialized_nothing_else_is_known(plan):
    fault(Kind.UNINITIALIZED, "*", account=NORTH)
    found = looked(plan)
    assert outcomes(found, "drs") == {NORTH: "FAILED", SOUTH: "PASSED"}
    assert outcomes(found, "quotas") == {NORTH: "UNKNOWN", SOUTH: "PASSED"}


def test_a_server_in_a_job_that_somebody_else_started_is_found_on_whichever_page(plan):
    # E-26: jobs are read to the last page, and the oldest of them is on it.
    world.settings.default_page_size = 2
    drs = Drs(TargetAccount.objects.get(account_id=NORTH).scope(EAST))
    for name in ("db-1", "other-1", "other-2", "other-3"):
        drs.start_recovery([known(name).server_id], drill=True)
    found = looked(plan)
    assert outcomes(found, "held") == {NORTH: "FAILED", SOUTH: "PASSED"}


def test_a_recovery_instance_that_a_launch_would_delete_is_said(plan, driver):
    # E-32: AWS is asked, and not a list of some time ago.
    driver.run(drill(plan))
    found = looked(plan)
    assert outcomes(found, "instances") == {NORTH: "WARNING", SOUTH: "WARNING"}
    (check, _) = [each for each in found.checks if each["code"] == "instances"]
    assert "A LAUNCH DELETES" in check["found"]


@pytest.mark.parametrize(
    ("hours", "expected"), [(None, "UNKNOWN"), (3, "WARNING"), (25, "UNKNOWN")]
)
def test_where_iam_does_not_answer_a_validation_of_the_last_day_counts(plan, hours, expected):
    if hours is not None:
        AccountValidation.objects.create(
            target=TargetAccount.objects.get(account_id=NORTH),
            state=ValidationState.PASSED,
            requested_by="pat",
            finished_at=timezone.now() - timedelta(hours=hours),
            checks=[passed("permissions", "It may.", region=EAST).as_dict()],
        )
    fault(Kind.THROTTLE, "SimulatePrincipalPolicy")
    found = looked(plan)
    assert outcomes(found, "permissions") == {NORTH: expected, SOUTH: "UNKNOWN"}


def test_permissions_that_the_role_lacks_fail(plan):
    policy = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "drs:*", "Resource": "*"},
    }
    world.accounts.add_role(Role(role(SOUTH), trust=[HUB], external_id=EXTERNAL_ID, policy=policy))
    assert outcomes(looked(plan), "permissions")[SOUTH] != "PASSED"


@pytest.mark.parametrize(
    ("kind", "times", "calls", "expected"),
    [
        (Kind.ACCESS_DENIED, None, 3, {"UNKNOWN": 8}),
        # boto tries each three times by itself.
        (Kind.THROTTLE, None, 9, {"UNKNOWN": 8}),
        (Kind.THROTTLE, 3, 10, {"UNKNOWN": 1, "PASSED": 7}),
    ],
)
def test_who_does_not_answer_for_several_servers_in_a_row_is_not_asked_for_the_rest(
    aws, kind, times, calls, expected
):
    world_of([server(f"db-{n}") for n in range(8)])
    registered()
    plan = plan_of(wave("Databases", group_of("db")))
    fault(kind, "DescribeRecoverySnapshots", times=times)
    found = looked(plan)
    made: list[dict[str, Any]] = found.checks
    told = {each["outcome"]: len(each["server_ids"]) for each in made if each["code"] == POINT}
    assert told == expected
    assert world.calls.count(operation="DescribeRecoverySnapshots") == calls


def test_one_preflight_of_a_plan_at_a_time(plan):
    first = preflights.ask(plan, actor=PERSON)
    with pytest.raises(PreflightAlreadyRunning) as refused:
        preflights.ask(plan, actor=PERSON)
    assert refused.value.context["preflight_id"] == str(first.pk)
    assert Preflight.objects.count() == 1


def test_carrying_it_out_twice_is_carrying_it_out_once(plan):
    found = looked(plan)
    calls = len(world.calls.matching())
    carry_out_preflight(preflight_id=str(found.pk))
    assert len(world.calls.matching()) == calls
    assert AuditRecord.objects.filter(event="recovery.preflight.finished").count() == 1


def test_a_dead_one_is_taken_over(plan, asked):
    dead = preflights.ask(plan, actor=PERSON)
    now = timezone.now()
    rows = Preflight.objects.filter(pk=dead.pk)
    rows.update(leased_until=now + timedelta(minutes=1), lease_token=uuid4(), started_at=now)
    carry_out_preflight(preflight_id=str(dead.pk))
    assert rows.get().state == PreflightState.RUNNING  # somebody is at it
    asked.clear()
    rows.update(leased_until=now - timedelta(seconds=1))
    ask_for_preflights()
    assert asked == [("recovery.carry_out_preflight", {"preflight_id": str(dead.pk)})]
    carry_out_preflight(preflight_id=str(dead.pk))
    assert rows.get().state == PreflightState.DONE


def test_who_was_taken_over_writes_nothing(plan, monkeypatch):
    asked = preflights.ask(plan, actor=PERSON)
    other = uuid4()

    def taken_over(known, *, alive):
        Preflight.objects.filter(pk=asked.pk).update(lease_token=other)
        return real(known, alive=alive)

    real = preflight_facts.facts_of
    monkeypatch.setattr(preflights, "facts_of", taken_over)
    carry_out_preflight(preflight_id=str(asked.pk))
    asked.refresh_from_db()
    assert (asked.state, asked.checks, asked.lease_token) == (PreflightState.RUNNING, [], other)
    assert not AuditRecord.objects.filter(event="recovery.preflight.finished").exists()


def test_one_that_nobody_ends_is_given_up_and_tells_nothing(plan):
    asked = preflights.ask(plan, actor=PERSON)
    long_ago = timezone.now() - preflights.GIVEN_UP_AFTER
    Preflight.objects.update(created_at=long_ago, leased_until=long_ago)
    again = preflights.ask(plan, actor=PERSON)
    asked.refresh_from_db()
    assert (asked.state, asked.outcome, asked.score) == (PreflightState.ABANDONED, "", None)
    assert again.state == PreflightState.RUNNING


def test_a_plan_that_goes_takes_its_preflight_along(plan):
    asked = preflights.ask(plan, actor=PERSON)
    plan.delete()
    carry_out_preflight(preflight_id=str(asked.pk))
    assert not Preflight.objects.exists()


def test_the_schedule_asks_for_each_plan_that_nobody_has_looked_at_lately(asked, settings):
    old, young, running, never = (plan_row() for _ in range(4))
    RecoveryPlanFactory.create()  # without waves
    every = timedelta(minutes=settings.PREFLIGHT_EVERY_MINUTES)
    Preflight.objects.update(created_at=timezone.now() - every - timedelta(seconds=1))
    Preflight.objects.filter(plan=young).update(created_at=timezone.now() - every / 2)
    Preflight.objects.filter(plan=never).delete()
    ExecutionFactory.create(plan=running, state=ExecutionState.RUNNING)
    ask_for_preflights()
    made = Preflight.objects.filter(state=PreflightState.RUNNING)
    assert {each.plan_id for each in made} == {old.pk, never.pk}
    assert {each.requested_by for each in made} == {SCHEDULE.name}
    assert {task for task, _ in asked} == {"recovery.carry_out_preflight"}
    assert {said["preflight_id"] for _, said in asked} == {str(each.pk) for each in made}
    assert len(asked) == 2
    assert not AuditRecord.objects.filter(event="recovery.preflight.requested").exists()


def test_old_ones_go_and_the_latest_of_each_plan_stays(settings):
    plan, other = plan_row(), plan_row()
    kept = timedelta(days=settings.PREFLIGHTS_KEPT_DAYS)
    Preflight.objects.update(created_at=timezone.now() - kept - timedelta(days=1))
    older = PreflightFactory.create(plan=plan, created_at=timezone.now() - kept - timedelta(days=2))
    young = PreflightFactory.create(plan=other)
    forget_preflights()
    left = set(Preflight.objects.values_list("plan_id", flat=True))
    assert left == {plan.pk, other.pk}
    assert Preflight.objects.count() == 2
    assert not Preflight.objects.filter(pk=older.pk).exists()
    assert Preflight.objects.filter(pk=young.pk).exists()


def test_what_the_database_is_asked_does_not_grow_with_the_servers():
    few, many = RecoveryPlanFactory.create(), RecoveryPlanFactory.create()
    servers_of(few, 1)
    servers_of(many, 50)

    def queries(plan: RecoveryPlan) -> int:
        with CaptureQueriesContext(connection) as asked:
            assert preflight_facts.known_of(plan).servers
        return len(asked)

    assert queries(few) == queries(many)


def test_that_it_turned_bad_is_told_once_and_again_after_it_was_good(plan):
    def told() -> list[str]:
        bad = Notice.objects.filter(kind=PREFLIGHT_BAD).order_by("at")
        return list(bad.values_list("message", flat=True))

    looked(plan)
    assert told() == []
    spoilt = Fault(Kind.THROTTLE, operation="DescribeJobs", account=SOUTH)
    world.faults.add(spoilt)
    looked(plan)
    looked(plan)
    assert len(told()) == 1
    assert "Held by others: web-1: which DRS jobs run there is not known" in told()[0]
    world.faults.clear()
    looked(plan)
    world.faults.add(spoilt)
    looked(plan)
    assert len(told()) == 2
    notice = Notice.objects.filter(kind=PREFLIGHT_BAD).first()
    assert notice is not None
    words = message_of(notice, key="k")
    assert words.subject == "[DR portal] Plan: preflight turned bad"


def test_looking_does_not_hold_up_what_is_being_recovered():
    def queue(task: str) -> str:
        return str(current_app.amqp.router.route({}, task)["queue"].name)

    assert queue("recovery.carry_out_preflight") == "sync"
    assert queue("recovery.advance") == "engine"
    assert {each.queue for each in SCHEDULES if "preflight" in each.task} == {"sync"}
