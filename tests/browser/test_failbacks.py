"""Failing back, as an operator sees it."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from recovery.failback_states import FailbackState, ReturnState
from recovery.models import Failback
from recovery.states import Kind
from tests.factories.failbacks import returning
from tests.factories.terminations import launched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_recovery_goes_back_through_its_gates(desk, transactional_db, shoot):
    execution = launched(Kind.RECOVERY)
    desk.goto(f"/admin/recovery/execution/{execution.pk}/change/")
    desk.get_by_role("link", name="Fail back 2 servers").click()
    shoot("failback-ask")
    desk.locator("textarea[name=reason]").fill("The site is good again.")
    desk.locator("input[name=typed]").fill(execution.plan_name)
    desk.get_by_role("button", name="Fail back").click()
    panel = desk.locator("#failback")
    expect(panel).to_contain_text("Reversing replication")
    expect(panel).to_contain_text("not told")

    Failback.objects.all().delete()
    failback = returning(execution, FailbackState.WATCHING, app_2=ReturnState.REPLICATING)
    failback.instances.filter(state=ReturnState.READY).update(
        lag=timedelta(seconds=3),
        origin_account_id="210000000001",
        origin_region="us-west-2",
        message="",
    )
    why = "Nothing replicates back yet. Start the failback client on the original machine."
    failback.instances.filter(state=ReturnState.REPLICATING).update(
        message=why, replication_state="NOT_STARTED", origin="ON_PREMISES"
    )
    desk.reload()
    expect(panel).to_contain_text("1 server not ready")
    shoot("failback-watching")
    failback.instances.update(state=ReturnState.READY)
    desk.locator("#failback-gate").click()  # the page looks by itself
    desk.get_by_role("button", name="Launch back: 2 servers").click()
    failback.refresh_from_db()
    assert failback.launch_opened_at is not None
    Failback.objects.update(state=FailbackState.CONFIRMING)
    failback.instances.update(state=ReturnState.LAUNCHED, message="It runs where it came from.")
    expect(panel).to_contain_text("confirm that it works")
    shoot("failback-confirming")
