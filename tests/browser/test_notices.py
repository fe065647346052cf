"""Saying who is told, trying it, and reading what became of it."""

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from recovery.models import RecoveryPlan
from recovery.services import deliveries
from recovery.services.events import note
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.notify.servers import webhook

SECRET = "never-shown-7FQ"


@pytest.fixture
def plan(transactional_db) -> RecoveryPlan:
    return plan_of(name="Payments, Frankfurt", notification_addresses=["ops@example.com"])


def test_a_channel_is_set_up_tried_and_told(desk: Page, plan, settings, shoot):
    settings.EMAIL_HOST = ""
    with webhook() as hook:
        desk.goto("/admin/recovery/noticechannel/")
        desk.locator("a[href$='/noticechannel/add/']").first.click()
        desk.get_by_label("Told of").select_option(label=plan.name)
        desk.get_by_label("Name").fill("Operations room")
        desk.get_by_label("Address").fill(f"{hook.url}/{SECRET}")
        shoot("notice-channel-form")
        desk.get_by_role("button", name="Save", exact=True).last.click()
        expect(desk.get_by_text("Webhook, JSON, without TLS at 127.0.0.1 [masked]")).to_be_visible()
        desk.get_by_role("link", name="Send a test message").click()
        desk.get_by_role("button", name="Send it").click()
        expect(desk.get_by_text("A test message was asked for.")).to_be_visible()
        shoot("notice-channel")
        execution = ExecutionFactory.create(plan=plan, plan_name=plan.name)
        with transaction.atomic():
            note(execution, "execution.requested", "Drill requested by olivia.operator.")
        deliveries.send_due()
    assert [body["title"] for _, body in hook.posts] == [
        "[DR portal] Payments, Frankfurt: test message",
        "[DRILL] Payments, Frankfurt: requested",
    ]
    desk.goto("/admin/recovery/delivery/")
    rows = desk.locator("#result_list tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.locator(".dr-badge.dr-good")).to_have_count(2)
    expect(rows.filter(has_text="ops@example.com")).to_contain_text("No mail server is set")
    assert SECRET not in desk.content()
    shoot("delivery-log")
    rows.filter(has_text="ops@example.com").locator("a").first.click()
    expect(desk.get_by_text("Next attempt (UTC)")).to_be_visible()
    shoot("delivery")


def test_a_person_chooses_what_they_are_told_of(desk: Page, plan, shoot):
    desk.goto("/admin/recovery/noticepreference/")
    expect(desk.get_by_text("nowhere: there is no e-mail address")).to_be_visible()
    desk.get_by_role("link", name="Edit").click()
    desk.get_by_label("A gate waits for a person, with reminders").check()
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_text("There is no e-mail address of this person")).to_be_visible()
    shoot("notice-preference-form")
