"""A drill from its schedule to the last instance gone, done by two people in Chromium, with real
workers on simulated AWS over HTTP.
"""

import re
from collections.abc import Iterator

import boto3
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from drportal.actor import PORTAL
from drportal.commandlines import ALL_QUEUES
from drportal.simulator import scenario
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import TargetAccount
from protection.services import accounts, groups, inventory
from recovery.models import DrillSchedule, Execution, RecoveryPlan
from recovery.states import ExecutionState, ServerState, TerminationState
from tests.browser.conftest import log_in
from tests.factories.users import SuperuserFactory
from tests.journeys.conftest import aws, one_at_a_time
from tests.journeys.processes import Beat, Worker, wait_for
from tests.worlds import EAST, EXTERNAL_ID, HUB, NORTH, PERSON, plan_of, role, server, wave

__all__ = ["aws", "one_at_a_time"]

pytestmark = [
    pytest.mark.browser,
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
]
# The longest that anything takes: simulated DRS is fast, a worker beside a browser is not.
SOON = 60_000
SECOND = "ann.approver"


@pytest.fixture
def account(aws) -> TargetAccount:
    """A target account with a database and two web servers in one Region."""
    scenario.load(
        {
            "accounts": [
                {"id": account, "hub": account == HUB, "initialized": [EAST]}
                for account in (HUB, NORTH)
            ],
            "roles": [{"arn": role(NORTH), "trust": [HUB], "externalId": EXTERNAL_ID}],
            "servers": [server("db-1"), server("web-1"), server("web-2")],
        }
    )
    accounts.register(account_id=HUB, name="hub", is_hub=True, actor=PERSON)
    target = accounts.register(
        account_id=NORTH, name="Production", external_id=EXTERNAL_ID, actor=PERSON
    )
    inventory.sync(actor=PORTAL)
    return target


@pytest.fixture
def plan(account) -> RecoveryPlan:
    databases, web = (
        groups.create(name=name, account=account, region=EAST, tags={"Tier": tier}, actor=PERSON)
        for name, tier in (("Databases", "db"), ("Web", "web"))
    )
    return plan_of(
        wave("Databases", databases),
        wave("Web", web, depends_on=(1,), gate=True, gate_instructions="Is the data there?"),
        name="Payments",
        asks=True,
    )


@pytest.fixture
def worker(tmp_path, plan) -> Iterator[Worker]:
    running = Worker(tmp_path / "worker.log", queues=ALL_QUEUES)
    beat = Beat(**{"recovery.start_due_drills": "engine"})
    yield running
    beat.stop()
    running.kill()


def running_instances() -> list[str]:
    """What EC2 itself says still runs in the target account."""
    entered = boto3.client("sts", endpoint_url=world_url(), region_name=EAST).assume_role(
        RoleArn=role(NORTH), RoleSessionName="journey", ExternalId=EXTERNAL_ID
    )["Credentials"]
    ec2 = boto3.client(
        "ec2",
        endpoint_url=world_url(),
        region_name=EAST,
        aws_access_key_id=entered["AccessKeyId"],
        aws_secret_access_key=entered["SecretAccessKey"],
        aws_session_token=entered["SessionToken"],
    )
    return [
        instance["InstanceId"]
        for found in ec2.describe_instances()["Reservations"]
        for instance in found["Instances"]
        if instance["State"]["Name"] != "terminated"
    ]


def world_url() -> str:
    from django.conf import settings

    return str(settings.AWS_ENDPOINT_URL)


def until(page: Page, selector: str, words: str) -> None:
    expect(page.locator(selector).first).to_contain_text(re.compile(words), timeout=SOON)


def schedule_a_drill(desk: Page) -> None:
    """A yearly drill that the second person approves, and one of it right now."""
    desk.goto("/admin/recovery/drillschedule/add/")
    desk.get_by_label("Plan").select_option(label="Payments")
    desk.get_by_label("Repeats").select_option("MONTHLY")
    desk.get_by_label("Every so many weeks or months").fill("12")
    desk.get_by_label("First day").fill("2035-01-31")
    desk.get_by_label("Time of day").fill("02:30")
    desk.get_by_label("Time zone").fill("Europe/Berlin")
    desk.get_by_label("Who may approve").fill(SECOND)
    desk.get_by_label("Reason").fill("The yearly drill")
    desk.get_by_role("button", name="Save").last.click()
    desk.get_by_text("2035-01-31 02:30 Europe/Berlin (2035-01-31 01:30 UTC)").wait_for()
    desk.get_by_role("link", name="Run now").click()
    desk.get_by_label("Reason").fill("The auditor is here.")
    desk.get_by_role("button", name="Run", exact=True).click()
    until(desk, "#occurrences", "Waiting for approval")


def approve(second: Page, schedule: DrillSchedule) -> None:
    """The second person approves; before that, nothing was launched."""
    assert not Execution.objects.exists()
    second.goto(f"/admin/recovery/drillschedule/{schedule.pk}/change/")
    second.get_by_role("link", name="Approve").click()
    second.get_by_label("Comment").fill("Go ahead.")
    second.get_by_role("button", name="Approve").click()
    until(second, "#occurrences", "Go ahead.")


@pytest.fixture
def second(context: BrowserContext, chromium, live_server) -> Iterator[Page]:
    """The browser of a second person."""
    opened = chromium.new_context(base_url=live_server.url, locale="en-GB")
    opened.set_default_timeout(15_000)
    page = opened.new_page()
    log_in(page, SuperuserFactory.create(username=SECOND))
    yield page
    opened.close()


def test_a_drill_from_its_schedule_to_the_last_instance_gone(desk, second, plan, worker, shoot):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server="db-1", times=1))
    schedule_a_drill(desk)
    shoot("journey-scheduled")
    schedule = DrillSchedule.objects.get()
    approve(second, schedule)
    execution = wait_for(Execution.objects.first, within=60, what=lambda: "the drill")
    desk.goto(f"/admin/recovery/recoveryplan/{plan.pk}/change/")
    card = desk.locator("section[aria-label=Preflight]")
    expect(card).to_contain_text("It can be started", timeout=SOON)
    shoot("journey-preflight")

    desk.goto(f"/admin/recovery/execution/{execution.pk}/change/")
    until(desk, "#wave-1", "Failed")
    until(desk, "#wave-2", "Blocked")
    shoot("journey-failed")
    desk.locator("#retry-1").click()
    desk.get_by_label("Reason").fill("The fault is mended.")
    desk.get_by_role("button", name="Launch again").click()
    until(desk, "#wave-1", "Completed")
    until(desk, "#wave-2", "Waiting at its gate")
    desk.locator("#gate-2").click()
    desk.get_by_label("Comment").fill("The data is there.")
    desk.get_by_role("button", name="Open the gate").click()
    until(desk, "#wave-2", "Completed")
    wait_for(lambda: Execution.objects.get().state == ExecutionState.COMPLETED, within=30)
    assert set(execution.servers.values_list("state", flat=True)) == {ServerState.LAUNCHED}
    assert len(running_instances()) == 3

    until(desk, "#dr-live-status", "Ended")
    shoot("journey-completed")
    desk.locator("#report").click()
    expect(desk.locator("#servers tbody tr")).to_have_count(3)
    expect(desk.locator("body")).to_contain_text("The yearly drill")
    shoot("journey-report")
    desk.locator("#execution").click()
    desk.get_by_role("link", name="Terminate 3 instances").click()
    desk.locator("textarea[name=reason]").fill("The drill is over.")
    desk.get_by_role("button", name="Terminate 3 instances").click()
    until(desk, "#termination", "3 terminated of 3")
    until(desk, "#termination", "Completed")
    shoot("journey-terminated")
    assert execution.terminations.get().state == TerminationState.COMPLETED
    assert running_instances() == []
