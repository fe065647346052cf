"""A plan's preflight, as an operator meets it before a start."""

from typing import Any

import pytest
from django.utils import timezone

from recovery.engine.preflight import Check
from recovery.models import Execution, Preflight
from recovery.states import CheckOutcome, PreflightState
from tests.factories.recovery import PreflightFactory, plan_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PLACE = {"account_id": "111122223333", "region": "eu-central-1"}


def check(code: str, outcome: CheckOutcome, found: str, remedy: str = "", **more: Any) -> Check:
    facts: dict[str, Any] = {"facts_at": timezone.now(), **PLACE, **more}
    return Check(code, outcome, found, remedy, **facts)


@pytest.fixture
def plan(operator):
    plan = plan_of(name="Payments")
    checks = [
        check("account", CheckOutcome.PASSED, "AWS knows the portal there as the DR role."),
        check(
            "replication",
            CheckOutcome.FAILED,
            "db-1: its replication is stopped.",
            "Mend the replication in DRS, or take the server out of the plan.",
            wave=1,
            group="databases",
            server_ids=("s-11111111111111111",),
        ),
        check("held", CheckOutcome.UNKNOWN, "db-1: which DRS jobs run there is not known.", "Run."),
        check(
            "instances",
            CheckOutcome.WARNING,
            "A LAUNCH DELETES 1 RECOVERY INSTANCE, drill or recovery, with what is on them, before "
            "it launches: i-0abc (db-1).",
            "Start only if none of them is still needed.",
        ),
    ]
    PreflightFactory.create(
        plan=plan,
        outcome=CheckOutcome.FAILED,
        score=45,
        checks=[each.as_dict() for each in checks],
    )
    return plan


def test_what_blocks_a_start_is_seen_looked_at_again_and_overridden(desk, plan, shoot):
    desk.goto("/admin/recovery/recoveryplan/")
    desk.get_by_text("Failed, 45 of 100").wait_for()
    shoot("plan_list_readiness")
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/change/")
    desk.get_by_text("It cannot be started: something is wrong.").wait_for()
    shoot("plan_preflight")
    desk.get_by_role("link", name="Run preflight").click()
    desk.get_by_role("button", name="Run the preflight").click()
    desk.get_by_text("Below is what the one before found.").wait_for()
    assert Preflight.objects.get(state=PreflightState.RUNNING).plan == plan
    shoot("plan_preflight_running")
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/start/drill/")
    desk.get_by_label("Reason").fill("Quarterly drill")
    desk.get_by_role("button", name="Start the drill").click()
    desk.get_by_text("keeps it from being started").first.wait_for()
    assert not Execution.objects.exists()
    desk.get_by_role("link", name="Start despite the preflight").click()
    desk.get_by_label("Reason, which is recorded").fill("Ticket 4711")
    shoot("start_despite_preflight")
    desk.get_by_role("button", name="Start the drill despite the preflight").click()
    desk.get_by_text("although it would have been refused").first.wait_for()
    assert Execution.objects.get().reason == "Ticket 4711"
