"""An operator adds a staging account, sees why a server is held back, mends it, and it is there."""

import pytest
from playwright.sync_api import Page, expect

from protection.models import StagingAccount, TargetAccount
from protection.tasks import sync_staging
from tests.staging_world import (
    DEPOT,
    YARD,
    extended_by,
    replicate_with,
    shareable,
    staged,
    staging_world,
)
from tests.world_fixtures import aws
from tests.worlds import EXTERNAL_ID, NORTH, registered

__all__ = ["aws"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def north(aws, transactional_db) -> TargetAccount:
    default_key = {"ebsEncryption": "DEFAULT"}
    staging_world([staged("orders-1"), staged("orders-2", replicationConfiguration=default_key)])
    return registered()[NORTH]


def test_a_staging_account_is_added_and_its_servers_extended(desk: Page, north, shoot):
    target = f"/admin/protection/targetaccount/{north.pk}/change/"
    desk.goto(target)
    section = desk.get_by_label("Staging accounts")
    expect(section).to_contain_text("None: only servers that replicate in this account itself")
    section.get_by_role("link", name="Add a staging account").click()
    desk.get_by_label("Account id").fill(DEPOT)
    desk.get_by_label("Name").fill("Depot")
    desk.get_by_label("External id").fill("a b")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("STS does not take such an external id.")).to_be_visible()
    shoot("staging-add")
    desk.get_by_label("External id").fill(EXTERNAL_ID)
    desk.get_by_role("button", name="Save").last.click()
    desk.wait_for_url(f"**{target}")
    expect(section).to_contain_text("none known")
    expect(section).to_contain_text("never ran")

    sync_staging()
    desk.goto(target)
    expect(section).to_contain_text("1 extended")
    expect(section).to_contain_text("1 held back")
    assert EXTERNAL_ID not in desk.content()
    shoot("staging-of-target")
    section.get_by_role("link", name="Depot").click()
    row = desk.get_by_label("Servers").locator("tr", has_text="orders-2")
    expect(row.locator(".dr-badge")).to_have_text("Held back")
    expect(row).to_contain_text("default EBS key, which cannot be shared")
    good = desk.get_by_label("Servers").locator("tr", has_text="orders-1")
    expect(good.locator(".dr-badge.dr-good")).to_have_text("Extended")
    shoot("staging-account")

    replicate_with("orders-2", **shareable())
    desk.goto(target)
    section.get_by_role("link", name="Run the staging sync now").click()
    desk.get_by_role("button", name="Run the sync").click()
    expect(desk.get_by_text("A worker was asked for a staging sync.")).to_be_visible()
    sync_staging()
    desk.goto(target)
    expect(section).to_contain_text("2 extended")
    assert extended_by() == ["orders-1", "orders-2"]
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    account = StagingAccount.objects.get()
    desk.goto(f"/admin/protection/stagingaccount/{account.pk}/change/")
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    shoot("staging-account-phone")


def test_what_aws_knows_is_discovered(desk: Page, north, shoot):
    desk.goto(f"/admin/protection/targetaccount/{north.pk}/staging/discover/")
    desk.get_by_role("button", name="Ask AWS now").click()
    expect(desk.get_by_label("Found")).to_contain_text(
        "every account that was found is one already"
    )
    TargetAccount.objects.filter(pk=north.pk).update(active=True)
    north.regions.filter(region="us-west-2").update(status="THROTTLED", message="Rate exceeded")
    desk.get_by_role("button", name="Ask AWS now").click()
    expect(desk.get_by_label("Missing")).to_contain_text("Rate exceeded")
    expect(desk.get_by_label("Found")).to_contain_text("None was found where AWS answered.")
    assert YARD not in desk.content()
    shoot("staging-discovery")
