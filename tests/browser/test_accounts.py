"""An operator brings an account in: registers it, makes its role, validates, mends, validates."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from drportal.aws import trials
from drportal.simulator.accounts import Role
from drportal.simulator.world import World
from protection.models import AccountValidation, TargetAccount
from protection.services import accounts
from protection.tasks import validate_account
from tests.world_fixtures import aws
from tests.worlds import EAST, HUB, NORTH, PERSON, WEST, server, world_of

__all__ = ["aws"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def quotas_answer(monkeypatch):
    """Service Quotas tells those of DRS, which moto does not."""
    monkeypatch.setattr(trials, "quotas", lambda _: None)


def make_stack(world: World, template: dict[str, Any], *, without: str = "") -> None:
    """What CloudFormation makes of the template; `without` an action that somebody took out."""
    (role,) = template["Resources"].values()
    properties = role["Properties"]
    (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
    (inline,) = properties["Policies"]
    statements = [each for each in inline["PolicyDocument"]["Statement"] if "Fn::If" not in each]
    for statement in statements:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    made = Role(
        arn=f"arn:aws:iam::{NORTH}:role{properties['Path']}{properties['RoleName']}",
        trust=[trust["Principal"]["AWS"]],
        external_id=trust["Condition"]["StringEquals"]["sts:ExternalId"],
        policy={
            "Version": "2012-10-17",
            "Statement": [each for each in statements if each["Action"]],
        },
    )
    world.accounts.add_role(made)


def a_worker_does_it() -> None:
    validate_account(validation_id=str(AccountValidation.objects.latest("started_at").pk))


def validate(page: Page) -> None:
    page.get_by_role("link", name="Validate").click()
    page.get_by_role("button", name="Validate").click()
    expect(page.get_by_text("A worker was asked")).to_be_visible()


def test_an_account_is_brought_in(desk, aws, shoot, tmp_path: Path):
    world_of([server("web-1")], roles=[])
    accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PERSON)
    desk.goto("/admin/protection/targetaccount/add/")
    desk.get_by_label("Account id").fill(NORTH)
    desk.get_by_label("Name").fill("North")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("was saved")).to_be_visible()
    validation = desk.get_by_label("Validation")
    expect(validation).to_contain_text("Never validated")
    shoot("account-new")

    with desk.expect_download() as downloading:
        desk.get_by_role("link", name="Download the role's template").click()
    assert downloading.value.suggested_filename == f"drportal-role-{NORTH}.json"
    downloading.value.save_as(tmp_path / "role.json")
    template = (tmp_path / "role.json").read_text()
    assert TargetAccount.objects.get(account_id=NORTH).external_id in template

    make_stack(aws, json.loads(template), without="ec2:RunInstances")
    validate(desk)
    expect(validation).to_contain_text("Running")
    shoot("account-validating")
    a_worker_does_it()
    expect(validation.locator(".dr-badge").first).to_have_text("Failed")
    row = validation.locator("tr", has_text="Permissions").filter(has_text=EAST)
    expect(row).to_contain_text("It may not do ec2:RunInstances.")
    expect(row).to_contain_text("Download the role's template here and update its stack")
    expect(validation.locator("tr", has_text="Entering the account")).to_contain_text("Passed")
    expect(desk.locator("#dr-live-status")).to_contain_text("Ended")
    shoot("account-validation-failed")
    desk.goto("/admin/protection/targetaccount/")
    expect(desk.locator("tr", has_text="North")).to_contain_text("never")

    make_stack(aws, json.loads(template))
    desk.get_by_role("link", name="North").click()
    validate(desk)
    a_worker_does_it()
    expect(validation.locator(".dr-badge").first).to_have_text("Passed")
    expect(validation).to_contain_text(f"DRS is asked in {EAST}, {WEST}.")
    expect(validation.locator(".dr-bad, .dr-unsure")).to_have_count(0)
    shoot("account-validated")
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    shoot("account-validated-phone")
    desk.set_viewport_size({"width": 1280, "height": 800})
    desk.goto("/admin/protection/targetaccount/")
    expect(desk.locator("tr", has_text="North").locator("time").first).to_contain_text("ago")
    shoot("accounts-validated")


def test_a_role_that_is_gone_is_said_with_what_to_do(desk, aws, shoot):
    world_of([server("web-1")], roles=[])
    account = accounts.register(account_id=NORTH, name="North", actor=PERSON)
    desk.goto(f"/admin/protection/targetaccount/{account.pk}/change/")
    validate(desk)
    a_worker_does_it()
    validation = desk.get_by_label("Validation")
    expect(validation.locator(".dr-badge").first).to_have_text("Failed")
    expect(validation).to_contain_text("See that the role exists in the account")
    assert account.external_id not in desk.content()
    shoot("account-role-gone")
