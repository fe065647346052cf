"""The pages of launch settings: who may do what, and what is refused changes nothing."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import LaunchApply, LaunchSettings
from protection.services.launch_installation import set_for_installation
from tests.factories.users import SuperuserFactory, UserFactory, grant
from tests.protection.launch_world import Place, place_of
from tests.world_fixtures import aws
from tests.worlds import PERSON, known

__all__ = ["aws"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(aws) -> Place:
    cache.clear()
    return place_of()


def _browser(user: Any) -> Client:
    client = Client()
    client.force_login(user)
    return client


def _link(place: Place, name: str = "launch", query: str = "") -> str:
    return reverse(f"admin:protection_protectiongroup_{name}", args=[place.group.pk]) + query


def test_whoever_may_only_look_applies_and_restores_nothing(place) -> None:
    row = place.set_group(copyTags=True)
    watcher = grant(
        UserFactory.create(is_staff=True), "protection.view_protectiongroup", on=place.group
    )
    browser = _browser(watcher)
    shown = browser.get(_link(place)).content.decode()
    assert "Apply to all servers" not in shown
    for wanted in ("apply", "retry", "check"):
        assert browser.post(_link(place), {"do": wanted}).status_code == 403
    restoring = {"number": "1", "version": "1"}
    assert browser.post(_link(place, "launch_history"), restoring).status_code == 403
    installation = reverse("admin:protection_launchsettings_installation")
    assert browser.get(installation).status_code == 404
    assert browser.post(installation, {"version": "0", "copyTags": "true"}).status_code == 404
    row.refresh_from_db()
    assert (row.version, LaunchApply.objects.count(), LaunchSettings.objects.count()) == (1, 0, 1)


def test_a_form_that_was_overtaken_is_refused_with_what_was_typed(place) -> None:
    browser = _browser(SuperuserFactory.create())
    place.set_group(copyTags=True)
    answer = browser.post(_link(place, "launch_edit"), {"version": "0", "recoveryMode": "FAST"})
    shown = answer.content.decode()
    assert "changed meanwhile" in shown
    assert '<option value="FAST" selected>' in shown
    assert LaunchSettings.objects.get().values == {"copyTags": True}


def test_the_form_shows_every_setting_as_it_is_and_saves_it_unchanged(place) -> None:
    values = {
        "subnetId": place.subnet,
        "securityGroupIds": [place.security_group],
        "staticPrivateIp": "10.9.1.20",
        "licensing": {"osByol": True},
        "tags": {"Owner": "payments", "Tier": "web"},
        "creditSpecification": {"cpuCredits": "unlimited"},
        "monitoring": False,
        "instanceType": "m7i-flex.large",
    }
    place.set_server("web-1", **values)
    browser = _browser(SuperuserFactory.create())
    link = _link(place, "launch_edit", f"?server={known('web-1').pk}")
    form = browser.get(link).context_data["form"]  # type: ignore[index]  # a template's
    sent = {name: form[name].value() or "" for name in form.fields}
    assert browser.post(link, sent).status_code == 302
    row = LaunchSettings.objects.get()
    assert (row.values, row.version) == (values, 1)


def test_what_wider_levels_set_is_shown_beneath(place) -> None:
    set_for_installation({"recoveryMode": "FAST"}, version=0, actor=PERSON)
    place.set_group(copyTags=True)
    browser = _browser(SuperuserFactory.create())
    link = _link(place, "launch_edit", f"?server={known('web-1').pk}")
    beneath = browser.get(link).context_data["beneath"]  # type: ignore[index]  # a template's
    assert [(each.label, each.level) for each in beneath] == [
        ("copyTags", "Group"),
        ("recoveryMode", "Installation"),
    ]


def test_choices_that_aws_does_not_tell_leave_room_for_free_text(place) -> None:
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeSubnets"))
    browser = _browser(SuperuserFactory.create())
    shown = browser.get(_link(place, "launch_edit")).content.decode()
    assert "type what is not offered" in shown
    assert "DescribeSubnets" in shown
    assert 'name="subnetId"' in shown


def test_choices_are_kept_for_a_while_with_their_age(place) -> None:
    browser = _browser(SuperuserFactory.create())
    browser.get(_link(place, "launch_edit"))
    asked = world.calls.count(operation="DescribeSubnets")
    browser.get(_link(place, "launch_edit"))
    assert world.calls.count(operation="DescribeSubnets") == asked == 1


def test_several_keep_what_is_not_typed_and_nothing_is_saved_if_one_is_refused(place) -> None:
    place.set_server("web-1", copyTags=True)
    browser = _browser(SuperuserFactory.create())
    both = [str(known(name).pk) for name in ("web-1", "web-2")]
    link = _link(place, "launch_bulk")
    refused = browser.post(link, {"servers": both, "instanceType": "m5.enormous"})
    assert "does not offer" in refused.content.decode()
    assert LaunchSettings.objects.count() == 1
    assert browser.post(link, {"servers": both, "recoveryMode": "FAST"}).status_code == 302
    values = dict(LaunchSettings.objects.values_list("server__name", "values"))
    assert values == {
        "web-1": {"copyTags": True, "recoveryMode": "FAST"},
        "web-2": {"recoveryMode": "FAST"},
    }


def test_a_refusal_is_told_and_recorded(place) -> None:
    browser = _browser(SuperuserFactory.create())
    answer = browser.post(_link(place), {"do": "apply"}, follow=True)
    assert "Nothing is set for any server" in answer.content.decode()
    told = AuditRecord.objects.filter(outcome="REFUSED").latest("id")
    assert told.facts["code"] == "protection.nothing_to_apply"
