"""Building a group of tagged servers: look first, then decide, save, and go back."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from protection.choices import RegionStatus
from protection.models import AccountRegion, ProtectionGroup, SourceServer, TargetAccount
from protection.services import groups, holds
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.worlds import PERSON

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(transactional_db) -> TargetAccount:
    """A shop of web servers, one of which a group of databases has by hand."""
    made = TargetAccountFactory.create(name="Production", account_id="111122223333")
    for number in range(1, 4):
        SourceServerFactory.create(
            account=made, name=f"web-{number:02}", tags={"Tier": "web", "App": "shop"}
        )
    SourceServerFactory.create(
        account=made,
        name="web-04",
        tags={"Tier": "web"},
        replication_state="BACKLOG",
        lag=timedelta(minutes=42),
    )
    last = SourceServer.objects.get(name="web-03")
    ProtectionGroupFactory.create(name="Front doors", account=made, servers=[last])
    return made


def go(page: Page, path: str) -> None:
    page.goto(f"/admin/protection/protectiongroup/{path}")


def preview(desk: Page) -> None:
    desk.get_by_role("button", name="Show the servers").click()


def save(desk: Page) -> None:
    desk.get_by_role("button", name="Save").last.click()


def test_a_tag_group_is_built_with_a_preview(desk, account, shoot):
    go(desk, "add/")
    desk.get_by_label("Name").fill("Web")
    desk.get_by_label("Owner").fill("web team")
    desk.get_by_label("Account").select_option(str(account.pk))
    desk.get_by_label("Region").select_option("us-east-1")
    desk.get_by_label("Tags", exact=True).fill("Tier=web")
    preview(desk)
    shown = desk.get_by_label("Preview")
    expect(shown).to_contain_text("4 servers would be in the group now.")
    expect(shown).to_contain_text("4 of 100 that a launch job may hold.")
    expect(shown).to_contain_text("3 ready")
    expect(shown).to_contain_text("1 ready, but behind")
    expect(shown.get_by_role("alert")).to_contain_text("web-03")
    expect(shown.get_by_role("alert")).to_contain_text("is in Front doors")
    shoot("group-shared-preview")
    save(desk)
    expect(desk.get_by_text("Servers would be in more than one group")).to_be_visible()
    assert ProtectionGroup.objects.count() == 1
    shoot("group-shared-refused")
    desk.get_by_label("Let this group share servers").check()
    save(desk)
    expect(desk.get_by_text("Web was saved.")).to_be_visible()
    group = ProtectionGroup.objects.get(name="Web")
    assert (group.tags, group.owner, group.allows_overlap) == ({"Tier": "web"}, "web team", True)
    shoot("group-page")
    go(desk, "")
    expect(desk.locator("tr", has_text="Front doors")).to_contain_text("1, not allowed")
    expect(desk.locator("tr", has_text="web team")).to_have_count(0)
    shoot("groups", whole=False)


def test_an_edit_shows_who_comes_and_who_leaves_and_is_undone(desk, account, shoot):
    ProtectionGroup.objects.all().delete()
    group = ProtectionGroupFactory.create(
        name="Web", account=account, tags={"Tier": "web", "App": "shop"}, description="The shop"
    )
    go(desk, f"{group.pk}/edit/")
    desk.get_by_label("Tags", exact=True).fill("Tier=web")
    preview(desk)
    shown = desk.get_by_label("Preview")
    expect(shown).to_contain_text("New in the group: web-04")
    expect(shown.locator("tr", has_text="web-04")).to_contain_text("New")
    shoot("group-edit-preview")
    save(desk)
    expect(desk.get_by_text("Web was saved.")).to_be_visible()
    desk.get_by_role("link", name="Versions").click()
    expect(desk.get_by_label("Version 2")).to_contain_text("tags.App")
    expect(desk.get_by_label("Version 2")).to_contain_text("As it is now")
    shoot("group-versions")
    desk.get_by_role("link", name="Restore version 1").click()
    expect(desk.get_by_label("Changes")).to_contain_text("tags.App")
    shoot("group-restore")
    desk.get_by_role("button", name="Restore").click()
    expect(desk.get_by_text("Version 1 was restored.")).to_be_visible()
    group.refresh_from_db()
    assert (group.version, group.tags) == (3, {"Tier": "web", "App": "shop"})


def test_a_lost_update_shows_both(desk, account, shoot):
    group = ProtectionGroupFactory.create(
        name="Shop", account=account, tags={"App": "shop"}, allows_overlap=True
    )
    go(desk, f"{group.pk}/edit/")
    groups.amend(group, owner="somebody else", description="Theirs", actor=PERSON)
    desk.get_by_label("Description").fill("Mine")
    save(desk)
    changed = desk.get_by_label("Changed meanwhile")
    expect(changed).to_contain_text("somebody else")
    expect(changed).to_contain_text("Theirs")
    expect(desk.get_by_label("Description")).to_have_value("Mine")
    shoot("group-lost-update")
    group.refresh_from_db()
    assert group.description == "Theirs"
    save(desk)
    expect(desk.get_by_text("Shop was saved.")).to_be_visible()
    group.refresh_from_db()
    assert (group.description, group.version) == ("Mine", 3)


def test_a_group_that_is_needed_says_by_what_and_an_old_listing_is_in_doubt(desk, account, shoot):
    group = ProtectionGroup.objects.get(name="Front doors")
    with transaction.atomic():
        held = ProtectionGroup.objects.filter(pk=group.pk)
        holds.hold(held, holder_id=uuid4(), holder="drill of Payments")
    AccountRegion.objects.update(
        status=RegionStatus.THROTTLED, listed_at=timezone.now() - timedelta(hours=3)
    )
    go(desk, f"{group.pk}/change/")
    expect(desk.get_by_label("Holds")).to_contain_text("drill of Payments")
    expect(desk.get_by_label("Servers", exact=True)).to_contain_text("may not be what is there")
    shoot("group-held")
    go(desk, f"{group.pk}/edit/")
    desk.get_by_label("Owner").fill("web team")
    save(desk)
    expect(desk.get_by_role("alert").first).to_contain_text("needed as it is")
    group.refresh_from_db()
    assert group.owner == ""
