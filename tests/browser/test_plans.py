"""Editing and restoring a plan, as an operator does it."""

import pytest

from recovery.models import RecoveryPlan
from recovery.services.plan_documents import document
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import plan_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def plan(operator):
    servers = [SourceServerFactory.create(name="db-1")]
    servers.append(SourceServerFactory.create(name="db-2", account=servers[0].account))
    databases = ProtectionGroupFactory.create(
        name="databases", account=servers[0].account, servers=servers
    )
    web = SourceServerFactory.create(name="web-1", replication_state="STOPPED")
    webs = ProtectionGroupFactory.create(name="web servers", account=web.account, servers=[web])
    return plan_of(databases, webs, name="Payments")


def test_edit_and_restore_a_plan(desk, plan, shoot):
    before = document(plan)
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/change/")
    desk.get_by_text("web-1: its replication is stopped").wait_for()
    shoot("plan_page")
    desk.get_by_role("link", name="Edit").click()
    desk.get_by_label("Owner").fill("Payments team")
    desk.get_by_label("Recovery time objective (minutes)").fill("240")
    desk.get_by_label("Notification addresses").fill("payments@example.com")
    first = desk.locator("#wave-1")
    first.get_by_label("Success threshold (%)").fill("50")
    first.get_by_label("Timer (minutes)").fill("10")
    first.get_by_text("Servers of databases").click()
    first.get_by_label("db-2 is optional").check()
    desk.get_by_role("button", name="Draw and check, without saving").click()
    desk.locator("#checks-1").get_by_text("It would launch 2 servers now").wait_for()
    desk.locator("#checks-2").get_by_text("web-1: its replication is stopped").wait_for()
    assert first.get_by_label("db-2 is optional").is_checked()
    assert RecoveryPlan.objects.get().version == 1
    shoot("plan_form_checked")
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_text("Payments was saved.").wait_for()
    desk.get_by_text("Payments team").first.wait_for()
    saved = RecoveryPlan.objects.get()
    assert saved.version == 2
    wave = document(saved)["waves"][0]
    assert (wave["success_threshold"], wave["wait_seconds"]) == (50, 600)
    assert len(wave["groups"][0]["optional_server_ids"]) == 1

    desk.get_by_role("link", name="Version 2").click()
    desk.get_by_role("heading", name="What version 2 changed").wait_for()
    shoot("plan_version")
    desk.get_by_role("link", name="Back to the plan").click()
    desk.get_by_role("link", name="Version 1").click()
    desk.get_by_role("link", name="Restore this version").click()
    desk.get_by_role("cell", name="success threshold").wait_for()
    shoot("plan_restore")
    desk.get_by_role("button", name="Restore it").click()
    desk.get_by_text("Version 1 was restored.").wait_for()
    restored = RecoveryPlan.objects.get()
    assert restored.version == 3
    assert document(restored) == before


def test_copy_a_plan(desk, plan):
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/change/")
    desk.get_by_role("link", name="Copy").click()
    desk.get_by_label("Name of the copy").fill("Payments again")
    desk.get_by_role("button", name="Save", exact=True).click()
    desk.get_by_text("Payments again was made.").wait_for()
    assert RecoveryPlan.objects.filter(name="Payments again", version=1).exists()
