"""The page of an execution, in the states that an operator meets."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from drportal.state import move
from recovery.models import Execution, Wave, WaveServer
from recovery.states import EXECUTION, SERVER, WAVE, ExecutionState, Kind, ServerState, WaveState
from tests.factories.admin import busy_execution, ended_execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def address(execution: Execution) -> str:
    return f"/admin/recovery/execution/{execution.pk}/change/"


@pytest.fixture
def execution(transactional_db) -> Execution:
    return busy_execution()


def test_it_shows_each_wave_job_and_server(desk, execution, shoot):
    desk.goto(address(execution))
    expect(desk.locator(".dr-kind-DRILL").first).to_have_text("DRILL")
    wave = desk.locator("#wave-2")
    for said in (
        "drsjob-00aa11bb22cc33dd4",
        "Waits in line: 20 of 20 jobs",
        "Launch failed: no capacity",
        "DRS skipped it",
        "Unknown",
        "Converting",
        "Taking snapshots",
    ):
        expect(wave).to_contain_text(said)
    expect(desk.locator("#wave-3")).to_contain_text("Gate: waits for a person")
    expect(desk.locator("#timeline li").first).to_contain_text("app-03 failed")
    expect(desk.get_by_role("link", name="Open gate")).to_be_visible()
    expect(desk.locator("#dr-live-status")).to_contain_text("Last updated")
    shoot("execution")
    desk.set_viewport_size({"width": 1280, "height": 1180})
    shoot("execution-top", whole=False)
    desk.evaluate("document.documentElement.classList.add('dark')")
    shoot("execution-dark", whole=False)


def test_it_refreshes_itself_and_keeps_what_was_open(desk, execution):
    desk.goto(address(execution))
    desk.locator("#summary-1").click()
    expect(desk.locator("#servers-1")).to_have_attribute("open", "")
    server = WaveServer.objects.get(name="app-06")
    move(server, ServerState.LAUNCHED, lifecycle=SERVER, finished_at=timezone.now())
    row = desk.locator("#wave-2 tr", has_text="app-06")
    expect(row.locator(".dr-good")).to_have_text("Launched")
    expect(desk.locator("#servers-1")).to_have_attribute("open", "")


def test_when_the_refresh_fails_it_says_so_and_recovers(desk, execution, shoot):
    desk.clock.install()
    desk.goto(address(execution))
    desk.route("**/live/", lambda route: route.abort())
    desk.clock.run_for(8_000)
    status = desk.locator("#dr-live-status")
    expect(status).to_have_class(re.compile("dr-wait"))
    expect(status).to_contain_text("cannot be reached")
    desk.clock.run_for(12_000)
    expect(status).to_have_class(re.compile("dr-bad"))
    expect(status).to_contain_text("OUT OF DATE")
    expect(desk.locator("[data-live]")).to_have_class(re.compile("dr-outdated"))
    shoot("execution-out-of-date", whole=False)
    desk.unroute("**/live/")
    desk.clock.run_for(3_000)
    expect(status).to_contain_text("Last updated")
    expect(desk.locator("[data-live]")).not_to_have_class(re.compile("dr-outdated"))


def test_when_the_session_ends_it_says_so(desk, execution, context):
    desk.clock.install()
    desk.goto(address(execution))
    context.clear_cookies()
    desk.clock.run_for(3_000)
    expect(desk.locator("#dr-live-status")).to_contain_text("you are logged out")


def test_a_hidden_page_asks_for_nothing_and_looks_when_it_is_shown_again(desk, execution):
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url) if "/live/" in request.url else 0)
    desk.clock.install()
    desk.goto(address(execution))

    def hide(hidden: bool) -> None:
        desk.evaluate(
            "hidden => { Object.defineProperty(document, 'hidden',"
            " { value: hidden, configurable: true });"
            " document.dispatchEvent(new Event('visibilitychange')); }",
            hidden,
        )

    hide(hidden=True)
    before = len(asked)
    desk.clock.run_for(30_000)
    assert len(asked) == before
    with desk.expect_response("**/live/"):
        hide(hidden=False)
    expect(desk.locator("#dr-live-status")).to_contain_text("Last updated")


def test_an_ended_execution_is_asked_for_no_more(desk, execution, shoot):
    desk.goto(address(execution))
    now = timezone.now()
    for wave in Wave.objects.exclude(position=1):
        if wave.state != WaveState.LAUNCHING:
            move(wave, WaveState.LAUNCHING, lifecycle=WAVE)
        move(wave, WaveState.PARTIAL, lifecycle=WAVE, finished_at=now)
    move(execution, ExecutionState.PARTIAL, lifecycle=EXECUTION, finished_at=now)
    status = desk.locator("#dr-live-status")
    expect(status).to_have_text("Ended: nothing is under way here, so this page stands still")
    expect(desk.get_by_role("link", name="Cancel this drill")).to_have_count(0)


def test_an_execution_that_ended_partly_well_is_nowhere_green_for_it(desk, shoot, transactional_db):
    execution = ended_execution()
    desk.goto(address(execution))
    expect(desk.locator(".dr-kind-RECOVERY").first).to_have_text("RECOVERY")
    for position in (2, 3):
        expect(desk.locator(f"#wave-{position} .dr-badge.dr-good")).to_have_count(0)
    expect(desk.get_by_text("What did not go well (2)")).to_be_visible()
    shoot("execution-ended")


def test_an_engine_that_does_not_look_is_reported(desk, shoot, transactional_db):
    execution = busy_execution(kind=Kind.RECOVERY)
    Execution.objects.filter(pk=execution.pk).update(due_at=timezone.now() - timedelta(minutes=3))
    desk.goto(address(execution))
    expect(desk.get_by_role("alert").first).to_contain_text("No worker has looked")


def test_a_gate_is_opened_with_a_comment(desk, execution, operator, shoot):
    desk.goto(address(execution))
    desk.get_by_role("link", name="Open gate").click()
    expect(desk.get_by_text("Check the replica's lag")).to_be_visible()
    desk.get_by_label("Comment").fill("Lag is 2 s, said the database team.")
    shoot("gate")
    desk.get_by_role("button", name="Open the gate").click()
    desk.wait_for_url(f"**{address(execution)}")
    expect(desk.locator("#wave-3")).to_contain_text("Lag is 2 s")
    wave = Wave.objects.get(execution=execution, position=3)
    assert (wave.gate_opened_by, wave.gate_opened_at is None) == (operator.username, False)


def test_a_drill_is_cancelled_with_a_reason(desk, execution):
    desk.goto(address(execution))
    desk.get_by_role("link", name="Cancel this drill").click()
    desk.get_by_label("Reason").fill("Wrong plan.")
    desk.get_by_role("button", name="Cancel the drill").click()
    desk.wait_for_url(f"**{address(execution)}")
    expect(desk.get_by_text("Cancelling was requested by olivia.operator")).to_be_visible()
    execution.refresh_from_db()
    assert execution.cancel_reason == "Wrong plan."


def test_it_can_be_read_on_a_phone(desk, execution, shoot):
    desk.set_viewport_size({"width": 390, "height": 844})
    desk.goto(address(execution))
    wide = desk.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
    shoot("execution-phone")


def test_its_report_can_be_read_and_printed(desk, shoot):
    execution = ended_execution()
    desk.goto(address(execution))
    desk.locator("#report").click()
    expect(desk.locator("#targets")).to_contain_text("RTO")
    expect(desk.locator("#spent")).to_contain_text("The portal polled and decided")
    expect(desk.locator("#servers tbody tr")).to_have_count(execution.servers.count())
    shoot("report")
    desk.emulate_media(media="print")
    expect(desk.locator("#execution")).to_be_hidden()
    shoot("report-print")
