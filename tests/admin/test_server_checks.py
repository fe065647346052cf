"""Checks after launch in the admin: what is shown, and what a person may say of them."""

import pytest
from django.urls import reverse

from recovery.models import ServerCheck
from recovery.states import Phase, ServerState, WaveState
from tests.admin.conftest import recorded
from tests.factories.checks import failed_by_its_check
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:recovery_execution_{name}", args=ids)


def page(browser, execution) -> str:
    return str(browser.get(link("change", execution.pk)).content.decode())


def test_a_page_shows_each_check_and_offers_no_second_launch(root):
    execution, server = failed_by_its_check(message="Port 5432 refused the connection.")
    shown = page(root, execution)
    assert "Port 5432 refused the connection." in shown
    assert "attempt 3 of 60" in shown
    assert link("pass_check", execution.pk, server.checks.get().pk) in shown
    assert link("check_again", execution.pk, 1) in shown
    assert link("retry", execution.pk, 1) not in shown


def test_a_server_that_is_being_checked_is_not_green(root):
    execution, server = failed_by_its_check()
    type(server).objects.filter(pk=server.pk).update(
        state=ServerState.LAUNCHED, phase=Phase.CHECKING
    )
    assert "Being checked" in page(root, execution)


def test_checking_again_asks_first(root):
    execution, server = failed_by_its_check()
    where = link("check_again", execution.pk, 1)
    assert "Nothing is launched again" in root.get(where).content.decode().replace("\n", " ")
    assert recorded() == []
    root.post(where, {"reason": "Open now"})
    server.refresh_from_db()
    assert (server.being_checked, server.wave.state) == (True, WaveState.LAUNCHING)
    assert recorded() == ["recovery.servers.checked_again"]


def test_a_pass_by_hand_needs_a_reason(root):
    execution, server = failed_by_its_check()
    where = link("pass_check", execution.pk, server.checks.get().pk)
    root.post(where, {"reason": ""})
    assert ServerCheck.objects.get().state == "FAILED"
    root.post(where, {"reason": "I logged in"})
    check = ServerCheck.objects.get()
    assert (check.state, check.by_hand) == ("PASSED", "root")
    assert "Marked as passed by root: I logged in" in page(root, execution)


def test_whoever_may_only_see_says_nothing_of_checks(client):
    execution, server = failed_by_its_check()
    eve = UserFactory.create(username="eve", is_staff=True)
    grant(eve, "recovery.view_recoveryplan", on=execution.plan)
    client.force_login(eve)
    before = list(ServerCheck.objects.values())
    assert link("check_again", execution.pk, 1) not in page(client, execution)
    for where in (
        link("check_again", execution.pk, 1),
        link("pass_check", execution.pk, server.checks.get().pk),
    ):
        assert client.post(where, {"reason": "x"}).status_code == 403
    assert list(ServerCheck.objects.values()) == before
