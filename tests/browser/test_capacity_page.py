"""An operator looks at how full accounts and Regions are."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from drportal.aws.drs import Drs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import AccountRegion, SourceServer, StagingAccount, StagingLink
from tests.factories.protection import SourceServerFactory, TargetAccountFactory
from tests.queries.worlds import STAGING, extended, staged, world_with_staging
from tests.world_fixtures import aws
from tests.worlds import EAST, EXTERNAL_ID, NORTH, SOUTH, registered, role, server

__all__ = ["aws"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def estate(aws, transactional_db, monkeypatch) -> None:
    """Accounts that are fine, nearly full, in doubt, silent and unreadable, with a job running."""
    # A slow machine is no slow AWS.
    monkeypatch.setattr("queries.live.PATIENCE", 60.0)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    world_with_staging(
        [server(f"web-{number}") for number in range(4)]
        + [staged(f"app-{number}") for number in range(3)]
        + [server("db-1", account=SOUTH)],
        extensions=[extended("app-0"), extended("app-1")],
        quotas={"replicating_servers": 5},
    )
    made = registered()
    staging = StagingAccount.objects.create(
        account_id=STAGING, name="staging", role_arn=role(STAGING), external_id=EXTERNAL_ID
    )
    StagingLink.objects.create(target=made[NORTH], staging=staging, added_by="somebody")
    ids = SourceServer.objects.filter(account=made[NORTH], name__startswith="web")
    Drs(made[NORTH].scope(EAST)).start_recovery(
        list(ids.values_list("server_id", flat=True)), drill=True
    )
    AccountRegion.objects.filter(account=made[SOUTH], region=EAST).update(
        status="THROTTLED", message="Rate exceeded", listed_at=timezone.now() - timedelta(hours=2)
    )
    world.faults.add(Fault(Kind.ACCESS_DENIED, service="servicequotas", account=SOUTH))
    world.faults.add(Fault(Kind.THROTTLE, operation="DescribeJobs", account=SOUTH))
    TargetAccountFactory.create(name="new account", account_id="550000000001")
    SourceServerFactory.create(
        account=made[SOUTH],
        name="foreign",
        staging_account_id="660000000001",
        listed=False,
    )


def test_an_operator_sees_what_is_full_what_is_in_doubt_and_how_old_it_is(
    desk: Page, estate, shoot
):
    desk.get_by_role("link", name="Capacity").click()
    desk.wait_for_url("**/admin/capacity/")
    north = desk.get_by_label(NORTH, exact=True)
    expect(north).to_contain_text("4 of 5")
    expect(north).to_contain_text("Warning")
    expect(north).to_contain_text("1 of 20")
    expect(north).to_contain_text("limit: Service Quotas")
    south = desk.get_by_label(SOUTH, exact=True)
    expect(south).to_contain_text("Throttled")
    expect(south).to_contain_text("at least 1 of")
    expect(south).to_contain_text("unknown of 20")
    expect(south).to_contain_text("limit: documented default")
    staging = desk.get_by_label(STAGING, exact=True)
    expect(staging).to_contain_text("read in the account itself")
    expect(staging).to_contain_text(f"Its staging area serves {NORTH}")
    expect(desk.get_by_label("550000000001", exact=True)).to_contain_text("is unknown")
    expect(desk.get_by_label("660000000001", exact=True)).to_contain_text("at least")
    shoot("capacity")
    desk.get_by_text("could not be counted").click()
    expect(desk.get_by_text("550000000001: us-east-1 was never asked")).to_be_visible()
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    shoot("capacity-phone")


def test_asking_aws_now_shows_that_a_silence_has_ended(desk: Page, estate):
    desk.goto(f"/admin/capacity/?account={SOUTH}")
    expect(desk.get_by_label(SOUTH, exact=True)).to_contain_text("unknown of 20")
    world.faults.clear()
    desk.get_by_role("link", name="Ask AWS now").click()
    expect(desk.get_by_label(SOUTH, exact=True)).to_contain_text("0 of 20")
    expect(desk.get_by_role("link", name="All accounts")).to_be_visible()
