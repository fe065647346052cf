"""Steering in the admin: buttons appear where they work, and every request asks first."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from recovery.models import Execution, Wave
from recovery.states import ExecutionState, WaveState
from tests.admin.conftest import recorded
from tests.factories.protection import TargetAccountFactory
from tests.factories.recovery import ExecutionFactory, WaveFactory, WaveServerFactory, plan_of
from tests.factories.users import grant

STEER = ("recovery.view_recoveryplan", "recovery.steer_recoveryplan")


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=ids)


@pytest.fixture
def running(db) -> Execution:
    """An execution with a wave that launches and one that waits for it."""
    execution = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.RUNNING)
    first = WaveFactory.create(
        execution=execution,
        state=WaveState.LAUNCHING,
        started_at=timezone.now(),
        deadline_at=timezone.now() + timedelta(hours=1),
    )
    WaveServerFactory.create(wave=first)
    second = WaveFactory.create(execution=execution, position=2, depends_on=[1])
    WaveServerFactory.create_batch(2, wave=second)
    return execution


def page(browser: Client, execution: Execution) -> str:
    return browser.get(link("change", execution.pk)).content.decode()


def test_a_pause_is_asked_for_shown_and_lifted(root, running):
    assert "A pause was requested" not in page(root, running)
    assert "No further wave starts" in root.get(link("pause", running.pk)).content.decode()
    assert recorded() == []
    root.post(link("pause", running.pk), {"reason": "Look first"})
    shown = page(root, running)
    assert "A pause was requested by root" in shown
    assert "Look first" in shown
    assert (link("pause", running.pk) in shown, link("lift", running.pk) in shown) == (False, True)
    root.post(link("lift", running.pk), {"reason": "Fine"})
    shown = page(root, running)
    assert (link("pause", running.pk) in shown, link("lift", running.pk) in shown) == (True, False)
    running.refresh_from_db()
    assert running.pause_requested_at is None
    lifted, asked = recorded()  # newest first
    assert asked == "recovery.execution.pause_requested"
    assert lifted == "recovery.execution.pause_lifted"


def test_where_nothing_would_be_held_there_is_no_button_and_no_pause(root, running):
    Wave.objects.filter(position=2).update(state=WaveState.BLOCKED, finished_at=timezone.now())
    assert link("pause", running.pk) not in page(root, running)
    refused = root.post(link("pause", running.pk), {"reason": "x"}).content.decode()
    assert "cannot be paused" in refused
    running.refresh_from_db()
    assert (running.pause_requested_at, recorded()) == (None, [])


@pytest.mark.parametrize("permission", ["view", "change", "drill", "recover", "share"])
@pytest.mark.parametrize("name", ["pause", "lift"])
def test_only_whoever_may_steer_does(person, browser, running, permission, name):
    grant(
        person,
        "recovery.view_recoveryplan",
        f"recovery.{permission}_recoveryplan",
        on=running.plan,
    )
    Execution.objects.update(pause_requested_at=timezone.now() if name == "lift" else None)
    before = Execution.objects.values().get()
    assert browser.post(link(name, running.pk), {"reason": "x"}).status_code == 403
    assert link(name, running.pk) not in page(browser, running)
    assert (Execution.objects.values().get(), recorded()) == (before, [])


def test_whoever_may_steer_one_plan_pauses_its_execution(person, browser, running):
    grant(person, *STEER, on=running.plan)
    browser.post(link("pause", running.pk), {"reason": "x"})
    running.refresh_from_db()
    assert running.pause_requested_by == "person"


@pytest.fixture
def ended(db) -> Execution:
    """An execution that ended PARTIAL: of two servers one failed."""
    execution = ExecutionFactory.create(plan=plan_of(), state=ExecutionState.PARTIAL)
    wave = WaveFactory.create(execution=execution, state=WaveState.PARTIAL)
    account = TargetAccountFactory.create().account_id
    WaveServerFactory.create(
        wave=wave, name="db-1", state="FAILED", message="No capacity.", account_id=account
    )
    WaveServerFactory.create(wave=wave, name="db-2", state="LAUNCHED", account_id=account)
    return execution


def test_failed_servers_are_named_before_they_are_launched_again(root, ended):
    assert link("retry", ended.pk, 1) in page(root, ended)
    asked = root.get(link("retry", ended.pk, 1)).content.decode()
    assert "No capacity." in asked
    assert ("db-1" in asked, "db-2" in asked) == (True, False)
    root.post(link("retry", ended.pk, 1), {"reason": "Room again"})
    ended.refresh_from_db()
    assert ended.state == ExecutionState.RUNNING
    shown = page(root, ended)
    assert "(attempt 2)" in shown
    assert link("retry", ended.pk, 1) not in shown
    assert recorded() == ["recovery.wave.retried"]


@pytest.mark.parametrize("state", ["UNKNOWN", "LAUNCHED"])
def test_where_nothing_may_be_launched_again_there_is_no_button(root, ended, state):
    ended.servers.update(state=state)
    assert link("retry", ended.pk, 1) not in page(root, ended)
    answer = root.post(link("retry", ended.pk, 1), {"reason": "x"}).content.decode()
    assert "is not known" in answer if state == "UNKNOWN" else "No server" in answer
    ended.refresh_from_db()
    assert (ended.state, recorded()) == (ExecutionState.PARTIAL, [])


@pytest.mark.parametrize("permission", ["view", "change", "drill", "recover", "share"])
def test_only_whoever_may_steer_tries_again(person, browser, ended, permission):
    named = ("recovery.view_recoveryplan", f"recovery.{permission}_recoveryplan")
    grant(person, *named, on=ended.plan)
    assert browser.post(link("retry", ended.pk, 1), {"reason": "x"}).status_code == 403
    assert link("retry", ended.pk, 1) not in page(browser, ended)
    ended.refresh_from_db()
    assert (ended.state, recorded()) == (ExecutionState.PARTIAL, [])


def test_there_is_no_wave_to_try_again(root, ended):
    assert root.get(link("retry", ended.pk, 7)).status_code == 404


def test_a_wave_is_left_out_with_a_reason_only(root, running):
    assert link("skip", running.pk, 2) in page(root, running)
    assert link("skip", running.pk, 1) not in page(root, running)
    answer = root.post(link("skip", running.pk, 2), {"reason": ""}).content.decode()
    assert ("Say why" in answer, recorded()) == (True, [])
    root.post(link("skip", running.pk, 2), {"reason": "Retired"})
    assert running.waves.get(position=2).state == WaveState.LEFT_OUT
    shown = page(root, running)
    assert "Left out by root: Retired" in shown
    assert link("skip", running.pk, 2) not in shown
    assert recorded() == ["recovery.servers.left_out"]


def test_one_server_is_left_out_by_its_own_link(root, running):
    first, second = running.waves.get(position=2).servers.all()
    at = link("skip_server", running.pk, 2, first.server_id)
    assert at in page(root, running)
    root.post(at, {"reason": "Retired"})
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.state, second.state) == ("LEFT_OUT", "PENDING")
    assert at not in page(root, running)


def test_what_launches_is_not_left_out(root, running):
    answer = root.post(link("skip", running.pk, 1), {"reason": "x"}).content.decode()
    assert "does not wait to be launched" in answer
    assert recorded() == []


def test_a_wave_is_given_more_time(root, running):
    before = running.waves.get(position=1).deadline_at
    assert link("extend", running.pk, 1) in page(root, running)
    assert link("extend", running.pk, 2) not in page(root, running)
    for wrong in ({"minutes": 0, "reason": "x"}, {"minutes": 30, "reason": ""}):
        assert root.post(link("extend", running.pk, 1), wrong).status_code == 200
    assert running.waves.get(position=1).deadline_at == before
    root.post(link("extend", running.pk, 1), {"minutes": 30, "reason": "Large snapshots"})
    assert running.waves.get(position=1).deadline_at == before + timedelta(minutes=30)
    assert recorded() == ["recovery.wave.extended"]


def test_a_wave_whose_time_is_up_gets_none(root, running):
    past = timezone.now() - timedelta(minutes=1)
    Wave.objects.filter(position=1).update(deadline_at=past)
    assert link("extend", running.pk, 1) not in page(root, running)
    wanted = {"minutes": 30, "reason": "x"}
    assert "time is up" in root.post(link("extend", running.pk, 1), wanted).content.decode()
    assert (running.waves.get(position=1).deadline_at, recorded()) == (past, [])


@pytest.mark.parametrize("permission", ["view", "change", "drill", "recover", "share"])
@pytest.mark.parametrize(("name", "position"), [("skip", 2), ("extend", 1)])
def test_only_whoever_may_steer_leaves_out_and_extends(
    person, browser, running, permission, name, position
):
    named = ("recovery.view_recoveryplan", f"recovery.{permission}_recoveryplan")
    grant(person, *named, on=running.plan)
    before = list(Wave.objects.order_by("pk").values())
    wanted = {"reason": "x", "minutes": 5}
    assert browser.post(link(name, running.pk, position), wanted).status_code == 403
    assert link(name, running.pk, position) not in page(browser, running)
    assert (list(Wave.objects.order_by("pk").values()), recorded()) == (before, [])
