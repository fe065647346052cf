"""An operator sets launch settings for one server, applies them, and sees what drifts later."""

import pytest
from playwright.sync_api import Page, expect

from protection.models import LaunchApply
from tests.protection.launch_world import Place, carried_out, place_of
from tests.world_fixtures import aws
from tests.worlds import known

__all__ = ["aws"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def place(aws, transactional_db) -> Place:
    return place_of()


def _page(place: Place) -> str:
    return f"/admin/protection/protectiongroup/{place.group.pk}/launch/"


def test_settings_for_one_server_are_applied_and_drift_is_seen(
    place: Place, desk: Page, shoot
) -> None:
    desk.goto(f"/admin/protection/protectiongroup/{place.group.pk}/change/")
    desk.get_by_role("link", name="Launch settings", exact=True).last.click()
    expect(desk.get_by_text("They were never applied.")).to_be_visible()

    card = desk.get_by_role("region", name="web-1")
    card.get_by_role("link", name="Edit").click()
    options = desk.locator("datalist#choices-subnetId option")
    assert place.subnet in options.evaluate_all("all => all.map(one => one.value)")
    desk.fill("input[name=subnetId]", place.subnet)
    desk.fill("input[name=staticPrivateIp]", "10.9.1.3")
    desk.select_option("select[name=monitoring]", "true")
    desk.fill("textarea[name=tags]", "Owner=payments")
    shoot("launch-form")
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_text("AWS keeps the first four addresses")).to_be_visible()
    shoot("launch-form-refused")
    desk.fill("input[name=staticPrivateIp]", "10.9.1.30")
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_text("The launch settings were saved.")).to_be_visible()
    expect(card.get_by_text("To be applied")).to_be_visible()
    expect(card.get_by_role("row", name="copyPrivateIp")).to_contain_text(
        "Server, because of staticPrivateIp"
    )

    desk.get_by_role("button", name="Apply to all servers").click()
    expect(desk.get_by_text("The launch settings are being applied.")).to_be_visible()
    carried_out(LaunchApply.objects.get().pk)
    # The page fetches itself every few seconds.
    expect(card.get_by_text("In step")).to_be_visible(timeout=15_000)
    expect(desk.get_by_text("1 applied of 1")).to_be_visible()
    expect(card.get_by_text("Applied by olivia.operator")).to_be_visible()
    shoot("launch-applied")
    assert place.template("web-1")["Monitoring"] == {"Enabled": True}

    place.change_template("web-1", {"Monitoring": {"Enabled": False}})
    desk.get_by_role("button", name="Check for drift").click()
    expect(desk.get_by_text("The servers are being compared")).to_be_visible()
    place.check()
    expect(card.get_by_text("Drifted")).to_be_visible(timeout=15_000)
    row = card.get_by_role("region").or_(card).get_by_role("row", name="monitoring").first
    expect(row).to_contain_text("yes")
    expect(row).to_contain_text("no")
    shoot("launch-drifted")


def test_several_at_once_then_back_to_an_earlier_version(place: Place, desk: Page, shoot) -> None:
    desk.goto(_page(place))
    desk.get_by_role("link", name="Set for several servers").click()
    for name in ("web-1", "web-2"):
        desk.get_by_label(name, exact=True).check()
    desk.select_option("select[name=copyTags]", "true")
    shoot("launch-bulk")
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_text("The settings of 2 servers were saved.")).to_be_visible()

    place.set_server("web-1", version=1, copyTags=False)
    desk.goto(f"{_page(place)}history/?server={known('web-1').pk}")
    shoot("launch-versions")
    desk.get_by_role("button", name="Restore version 1").click()
    expect(desk.get_by_text("Version 1 was restored.")).to_be_visible()
    expect(desk.get_by_role("region", name="Version 3")).to_contain_text("As it is now")


def test_the_installations_settings_lie_beneath(place: Place, desk: Page, shoot) -> None:
    desk.goto("/admin/protection/launchsettings/installation/")
    desk.select_option("select[name=recoveryMode]", "FAST")
    desk.get_by_role("button", name="Save", exact=True).last.click()
    expect(desk.get_by_text("The launch settings of the installation were saved.")).to_be_visible()
    shoot("launch-installation")
    desk.goto(_page(place))
    row = desk.get_by_role("region", name="web-1").get_by_role("row", name="recoveryMode")
    expect(row).to_contain_text("Installation")
    desk.goto("/admin/protection/launchsettings/")
    expect(desk.get_by_role("link", name="Installation").first).to_be_visible()
