"""Steering an execution with a mouse: what is asked is shown where it was asked."""

import pytest
from playwright.sync_api import expect

from recovery.models import Execution
from recovery.states import ExecutionState, WaveState
from tests.factories.admin import busy_execution, ended_execution

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def address(execution: Execution) -> str:
    return f"/admin/recovery/execution/{execution.pk}/change/"


def test_a_pause_is_requested_shown_and_lifted(desk, transactional_db, shoot):
    execution = busy_execution()
    desk.goto(address(execution))
    desk.locator("#pause").click()
    desk.get_by_label("Reason").fill("Look at the databases first")
    shoot("execution-pause", whole=False)
    desk.get_by_role("button", name="Pause").click()
    expect(desk.locator(".dr-note", has_text="A pause was requested by")).to_contain_text(
        "Look at the databases first"
    )
    expect(desk.locator("#pause")).to_have_count(0)
    shoot("execution-paused", whole=False)
    desk.locator("#lift").click()
    desk.get_by_role("button", name="Lift the pause").click()
    expect(desk.locator("#pause")).to_be_visible()
    execution.refresh_from_db()
    assert execution.pause_requested_at is None


def test_a_wave_is_left_out_where_it_stands(desk, transactional_db, shoot):
    execution = busy_execution()
    desk.goto(address(execution))
    desk.locator("#skip-4").click()
    desk.get_by_label("Reason").fill("Reporting can wait")
    shoot("execution-skip", whole=False)
    desk.get_by_role("button", name="Leave out").click()
    expect(desk.locator("#wave-4")).to_contain_text("Reporting can wait")
    shoot("execution-left-out")
    assert execution.waves.get(position=4).state == WaveState.LEFT_OUT


def test_failed_servers_are_launched_again(desk, transactional_db, shoot):
    execution = ended_execution()
    execution.servers.filter(state="UNKNOWN").update(state="FAILED", message="No capacity.")
    desk.goto(address(execution))
    desk.locator("#retry-2").click()
    shoot("execution-retry", whole=False)
    desk.get_by_label("Reason").fill("There is room again")
    desk.get_by_role("button", name="Launch again").click()
    expect(desk.locator("#timeline")).to_contain_text("There is room again")
    execution.refresh_from_db()
    assert execution.state == ExecutionState.RUNNING
