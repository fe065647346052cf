"""What operators do beside watching: register, look, choose, plan and start."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from protection.choices import RegionStatus
from protection.models import AccountRegion, ProtectionGroup, SourceServer, TargetAccount
from recovery.models import Execution, RecoveryPlan
from recovery.states import Kind
from tests.factories.admin import busy_execution, ended_execution, partial_sync, silent_region
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import PlanWaveFactory, RecoveryPlanFactory, plan_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def estate(transactional_db) -> TargetAccount:
    """Servers in every readiness, in Regions that answer, are old, are denied or never answered."""
    account = TargetAccountFactory.create(name="Production", account_id="111122223333")
    tags = {"Application": "payments", "Environment": "production", "Tier": "web", "Owner": "ops"}
    for number in range(1, 4):
        SourceServerFactory.create(account=account, name=f"web-{number:02}", tags=tags)
    SourceServerFactory.create(
        account=account,
        name="web-04",
        tags=tags,
        replication_state="BACKLOG",
        lag=timedelta(minutes=42),
    )
    SourceServerFactory.create(
        account=account,
        name="db-01",
        tags={**tags, "Tier": "database"},
        replication_state="DISCONNECTED",
        lag=None,
    )
    SourceServerFactory.create(account=account, name="gone-01", gone_at=timezone.now())
    old = SourceServerFactory.create(account=account, name="old-01", region="eu-west-1")
    AccountRegion.objects.filter(account=account, region=old.region).update(
        listed_at=timezone.now() - timedelta(hours=5)
    )
    AccountRegionFactory.create(
        account=account,
        region="eu-central-1",
        status=RegionStatus.NOT_INITIALIZED,
        message="DRS was never initialized here.",
        server_count=None,
        listed_at=None,
    )
    AccountRegionFactory.create(
        account=account,
        region="ap-south-1",
        status=RegionStatus.UNKNOWN,
        server_count=None,
        listed_at=None,
        checked_at=None,
    )
    denied = silent_region(
        RegionStatus.IAM_PERMISSION_DENIED, message="drs:DescribeSourceServers is denied."
    )
    SourceServerFactory.create(
        account=denied.account, region="us-west-2", name="sandbox-01", listed=False
    )
    return account


def go(page: Page, path: str) -> None:
    page.goto(f"/admin/{path}")


def test_the_overview_says_what_runs_waits_and_does_not_answer(desk, estate, shoot):
    busy_execution()
    ended_execution()
    partial_sync()
    go(desk, "")
    expect(desk.get_by_label("Waits for a person")).to_contain_text("Web")
    expect(desk.get_by_label("Running", exact=True)).to_contain_text("Payments, Frankfurt")
    expect(desk.get_by_label("Does not answer")).to_contain_text("Permission denied")
    expect(desk.get_by_label("Does not answer")).to_contain_text("never asked")
    expect(desk.get_by_label("Ended")).to_contain_text("Ledger, Ireland")
    shoot("overview")
    desk.set_viewport_size({"width": 390, "height": 844})
    assert desk.evaluate("document.documentElement.scrollWidth") <= 390
    shoot("overview-phone")


def test_the_overview_refreshes_itself(desk):
    desk.clock.install()
    go(desk, "")
    expect(desk.get_by_text("Nothing is running.")).to_be_visible()
    busy_execution()
    desk.clock.run_for(10_000)
    expect(desk.get_by_label("Running", exact=True)).to_contain_text("Payments, Frankfurt")
    desk.route("**/admin/live/", lambda route: route.fulfill(status=500))
    desk.clock.run_for(45_000)
    expect(desk.locator("#dr-live-status")).to_contain_text("OUT OF DATE")


def test_an_overview_of_nothing_is_honest(desk, shoot):
    go(desk, "")
    expect(desk.get_by_text("The inventory was never synced.")).to_be_visible()
    expect(desk.get_by_text("No source server is known")).to_be_visible()


def test_an_account_is_registered_and_its_external_id_never_shown(desk, shoot):
    go(desk, "protection/targetaccount/add/")
    secret = desk.get_by_label("External id").input_value()
    assert len(secret) >= 24
    desk.get_by_label("Account id").fill("12")
    desk.get_by_label("Name").fill("Payments")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("An account id has 12 digits.")).to_be_visible()
    assert desk.get_by_label("External id").input_value() == secret
    shoot("account-form")
    desk.get_by_label("Account id").fill("123456789012")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("was saved")).to_be_visible()
    account = TargetAccount.objects.get()
    assert (account.account_id, account.external_id) == ("123456789012", secret)
    for path in ("change", "edit", "history"):
        go(desk, f"protection/targetaccount/{account.pk}/{path}/")
        assert secret not in desk.content()


def test_accounts_show_each_region_with_its_age(desk, estate, shoot):
    go(desk, "protection/targetaccount/")
    expect(desk.get_by_text("1 never asked")).to_be_visible()
    shoot("accounts")
    go(desk, f"protection/targetaccount/{estate.pk}/change/")
    row = desk.locator("tr", has_text="ap-south-1")
    expect(row).to_contain_text("Unknown")
    expect(row).to_contain_text("unknown")
    expect(desk.locator("tr", has_text="eu-west-1").locator("time.dr-old").first).to_be_visible()
    shoot("account")


def test_servers_show_readiness_and_the_age_of_what_is_seen(desk, estate, shoot):
    go(desk, "protection/sourceserver/")
    for name, said in (
        ("web-01", "Ready"),
        ("web-04", "Ready, but behind"),
        ("db-01", "Not ready"),
        ("old-01", "Unknown"),
        ("sandbox-01", "Unknown"),
    ):
        expect(desk.locator("tr", has_text=name).locator(".dr-badge").first).to_have_text(said)
    old = desk.locator("tr", has_text="old-01").locator("time")
    expect(old).to_have_class(re.compile("dr-old"))
    expect(old).to_have_text(re.compile(r"5 h( 1 min)? ago"))
    expect(desk.locator("tr", has_text="web-01").locator("time")).not_to_have_class(
        re.compile("dr-old")
    )
    assert desk.evaluate(
        "() => { const list = document.querySelector('#result_list');"
        " return list.scrollWidth <= list.closest('#content-main').clientWidth; }"
    )
    shoot("servers", whole=False)
    desk.set_viewport_size({"width": 390, "height": 844})
    shoot("servers-phone")
    desk.set_viewport_size({"width": 1280, "height": 800})
    desk.get_by_role("link", name="db-01").click()
    expect(desk.get_by_text("Its replication is disconnected.")).to_be_visible()
    shoot("server")


def test_a_list_that_was_left_open_says_so(desk, estate, shoot):
    desk.clock.install()
    go(desk, "protection/sourceserver/")
    desk.clock.run_for(25 * 60_000)
    expect(desk.get_by_text("This page was loaded 25 min ago")).to_be_visible()
    age = desk.locator("tr", has_text="web-01").locator("time")
    expect(age).to_have_class(re.compile("dr-old"))
    shoot("servers-left-open", whole=False)


def test_servers_are_found_by_tag_and_account(desk, estate):
    go(desk, "protection/sourceserver/?q=Tier%3Ddatabase")
    expect(desk.locator("#result_list tbody tr")).to_have_count(1)
    go(desk, "protection/sourceserver/?account=111122223333&region=eu-west-1")
    expect(desk.get_by_text("old-01")).to_be_visible()
    expect(desk.get_by_text("web-01")).to_have_count(0)


def test_a_group_is_previewed_by_tags_then_saved(desk, estate, shoot):
    go(desk, "protection/protectiongroup/add/")
    desk.get_by_label("Account").select_option(str(estate.pk))
    desk.get_by_label("Region").select_option("us-east-1")
    desk.get_by_label("Tags", exact=True).fill("Application=payments\nTier=web")
    desk.get_by_role("button", name="Show the servers").click()
    preview = desk.get_by_label("Preview")
    expect(preview).to_contain_text("4 servers would be in the group now.")
    expect(preview.locator("tr", has_text="web-04")).to_contain_text("Ready, but behind")
    assert not ProtectionGroup.objects.exists()
    shoot("group-preview")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("This field is required.")).to_be_visible()
    desk.get_by_label("Name").fill("payments-web")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("payments-web was saved.")).to_be_visible()
    assert ProtectionGroup.objects.get().tags == {"Application": "payments", "Tier": "web"}
    shoot("group")


def test_a_group_of_ticked_servers_names_who_has_the_others(desk, estate, shoot):
    taken = SourceServer.objects.get(name="web-01")
    ProtectionGroupFactory.create(name="other", account=estate, servers=[taken])
    go(desk, "protection/protectiongroup/add/")
    desk.get_by_label("Name").fill("by hand")
    desk.get_by_label("Account").select_option(str(estate.pk))
    desk.get_by_label("Region").select_option("us-east-1")
    desk.get_by_label("Explicit servers").check()
    desk.get_by_role("button", name="Show the servers").click()
    expect(desk.get_by_label("Choose web-01")).to_be_disabled()
    expect(desk.get_by_text("In the group other already.")).to_be_visible()
    desk.get_by_label("Choose web-02").check()
    desk.get_by_label("Choose web-03").check()
    shoot("group-by-hand")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("by hand was saved.")).to_be_visible()
    group = ProtectionGroup.objects.get(name="by hand")
    assert set(group.servers.values_list("name", flat=True)) == {"web-02", "web-03"}


@pytest.fixture
def groups(estate) -> list[ProtectionGroup]:
    return [
        ProtectionGroupFactory.create(name=name, account=estate)
        for name in ("payments-db", "payments-app", "payments-web")
    ]


def test_a_plan_is_built_wave_by_wave(desk, groups, shoot):
    go(desk, "recovery/recoveryplan/add/")
    desk.get_by_label("Name", exact=False).first.fill("Payments")
    for number, (name, group) in enumerate(
        (("Databases", "payments-db"), ("Applications", "payments-app"), ("Web", "payments-web"))
    ):
        wave = desk.locator(f"#wave-{number + 1}")
        wave.get_by_label("Name of the wave").fill(name)
        wave.get_by_label(group).check()
        if number < 2:
            desk.get_by_role("button", name="Add a wave").click()
            expect(desk.locator(f"#wave-{number + 2}")).to_be_visible()
    desk.locator("#wave-2").get_by_label("1 Databases").check()
    desk.locator("#wave-1").get_by_label("2 Applications").check()
    desk.get_by_role("button", name="Draw and check").click()
    expect(desk.get_by_text("These waves wait for each other in a circle")).to_be_visible()
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("The waves wait for each other in a circle: ")).to_be_visible()
    assert not RecoveryPlan.objects.exists()
    desk.locator("#wave-1").get_by_label("2 Applications").uncheck()
    desk.locator("#wave-3").get_by_label("2 Applications").check()
    desk.locator("#wave-3").get_by_label("A person must open a gate").check()
    desk.get_by_role("button", name="Draw and check").click()
    expect(desk.locator("svg.dr-graph")).to_be_visible()
    shoot("plan-form")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("Payments was saved.")).to_be_visible()
    shoot("plan")
    plan = RecoveryPlan.objects.get()
    said = [(wave.name, wave.depends_on, wave.gate) for wave in plan.waves.order_by("position")]
    assert said == [
        ("Databases", [], False),
        ("Applications", [1], False),
        ("Web", [2], True),
    ]


def test_moving_a_wave_keeps_who_waits_for_whom(desk, groups):
    plan = plan_of(*groups)
    go(desk, f"recovery/recoveryplan/{plan.pk}/edit/")
    desk.get_by_role("button", name="Move wave 3 up").click()
    wave = desk.locator("#wave-2")
    expect(wave.get_by_label("Name of the wave")).to_have_value("wave 3")
    expect(wave.get_by_label("3 wave 2")).to_be_checked()
    plan.refresh_from_db()
    assert plan.version == 1


def test_a_drill_is_started_from_the_plan(desk, groups, shoot):
    plan = plan_of(*groups, name="Payments", gates=(2,))
    go(desk, f"recovery/recoveryplan/{plan.pk}/change/")
    desk.get_by_role("link", name="Start a drill").click()
    expect(desk.get_by_text("What would be launched")).to_be_visible()
    desk.get_by_label("Reason").fill("Quarterly drill")
    shoot("start-drill")
    desk.get_by_role("button", name="Start the drill").click()
    desk.wait_for_url("**/recovery/execution/*/change/")
    expect(desk.get_by_text("was started")).to_be_visible()
    execution = Execution.objects.get()
    assert (execution.kind, execution.reason) == (Kind.DRILL, "Quarterly drill")


def test_a_recovery_wants_the_plans_name(desk, groups, shoot):
    plan = plan_of(*groups, name="Payments")
    go(desk, f"recovery/recoveryplan/{plan.pk}/start/recovery/")
    desk.get_by_label("Type the plan's name").fill("payment")
    desk.get_by_role("button", name="Start the recovery").click()
    expect(desk.get_by_text("This is not Payments.")).to_be_visible()
    shoot("start-recovery")
    assert not Execution.objects.exists()
    desk.get_by_label("Type the plan's name").fill("Payments")
    desk.get_by_role("button", name="Start the recovery").click()
    desk.wait_for_url("**/recovery/execution/*/change/")
    assert Execution.objects.get().kind == Kind.RECOVERY


def test_a_start_that_is_refused_says_why_and_keeps_what_was_typed(desk, estate, shoot):
    server = SourceServer.objects.get(name="db-01")
    plan = RecoveryPlanFactory.create(name="Databases only")
    PlanWaveFactory.create(
        plan=plan, groups=[ProtectionGroupFactory.create(account=estate, servers=[server])]
    )
    go(desk, f"recovery/recoveryplan/{plan.pk}/start/drill/")
    desk.get_by_label("Reason").fill("Try")
    desk.get_by_role("button", name="Start the drill").click()
    expect(desk.get_by_role("alert").first).to_contain_text("replication is disconnected")
    expect(desk.get_by_label("Reason")).to_have_value("Try")
    shoot("start-refused")
    assert not Execution.objects.exists()


def test_executions_and_syncs_are_listed(desk, shoot, transactional_db):
    busy_execution()
    ended_execution()
    go(desk, "recovery/execution/")
    expect(desk.locator("#result_list tbody tr")).to_have_count(2)
    expect(desk.locator("tr", has_text="Ledger")).to_contain_text("RECOVERY")
    shoot("executions")
    run = partial_sync()
    go(desk, "protection/syncrun/")
    expect(desk.get_by_role("link", name="Source-server inventory")).to_be_visible()
    shoot("sync-runs")
    go(desk, f"protection/syncrun/{run.pk}/change/")
    expect(desk.get_by_text("not authorized")).to_be_visible()
    shoot("sync-run")


def test_permissions_are_shared_on_one_plan(desk, groups, shoot):
    from tests.factories.users import UserFactory

    person = UserFactory.create(username="derek.dba", is_staff=True)
    plan = plan_of(*groups, name="Payments")
    go(desk, f"recovery/recoveryplan/{plan.pk}/share/")
    desk.get_by_label("Person or role").select_option(label="derek.dba")
    desk.get_by_role("button", name="Add to the list").click()
    desk.get_by_label("See", exact=True).check()
    desk.get_by_label("Start drills").check()
    shoot("share")
    desk.get_by_role("button", name="Save for derek.dba").click()
    expect(desk.get_by_text("Permissions of derek.dba were changed.")).to_be_visible()
    assert person.has_perm("recovery.drill_recoveryplan", plan)
