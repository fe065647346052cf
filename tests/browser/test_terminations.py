"""Cleaning up, as an operator sees it."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from drportal.state import move
from recovery.models import Termination, TerminationInstance
from recovery.states import INSTANCE, TERMINATION, InstanceOutcome, Kind, TerminationState
from tests.factories.terminations import ended, launched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_a_recovery_launched_goes_after_its_name_was_typed(desk, transactional_db, shoot):
    execution = launched(Kind.RECOVERY)
    desk.goto(f"/admin/recovery/execution/{execution.pk}/change/")
    desk.get_by_role("link", name="Terminate 2 instances").click()
    expect(desk.locator("main, body").first).to_contain_text("people may be working on them")
    shoot("terminate")
    desk.get_by_role("button", name="Terminate 2 instances").click()
    expect(desk.locator(".dr-error").first).to_be_visible()
    desk.locator("input[name=typed]").fill(execution.plan_name)
    desk.locator("textarea[name=reason]").fill("The disaster is over.")
    desk.get_by_role("button", name="Terminate 2 instances").click()

    panel = desk.locator("#termination")
    expect(panel).to_contain_text("Under way")
    expect(panel).to_contain_text("2 waiting of 2")
    shoot("termination-under-way")
    now = timezone.now()
    first, second = TerminationInstance.objects.order_by("server__name")
    move(first, InstanceOutcome.TERMINATED, lifecycle=INSTANCE, finished_at=now)
    expect(panel).to_contain_text("1 terminated, 1 waiting of 2")  # the page looks by itself
    why = "DRS reports FAILED, and the instance is still there: it is protected"
    move(second, InstanceOutcome.FAILED, lifecycle=INSTANCE, message=why, finished_at=now)
    move(
        Termination.objects.get(),
        TerminationState.INCOMPLETE,
        lifecycle=TERMINATION,
        finished_at=now,
    )
    expect(panel).to_contain_text("Incomplete")
    expect(desk.locator("#dr-live-status")).to_contain_text("Ended")


def test_what_is_left_is_offered_again(desk, transactional_db, shoot):
    execution = launched()
    ended(execution)
    desk.goto(f"/admin/recovery/execution/{execution.pk}/change/")
    expect(desk.get_by_role("link", name="Terminate 1 instance")).to_be_visible()
    expect(desk.locator("#wave-1")).to_contain_text("gone")
    desk.locator("#termination summary").click()
    expect(desk.locator("#termination")).to_contain_text("it is protected")
    shoot("termination-incomplete")
