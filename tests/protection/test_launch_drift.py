"""Drift: what DRS and EC2 hold now, whoever put it there, against what is set now."""

from typing import Any

import pytest

from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection import tasks
from protection.choices import DriftState, LaunchStatus
from protection.services import launch_drift, launch_status
from protection.services.launch_installation import set_for_installation
from tests.protection.launch_world import Place, place_of
from tests.worlds import PERSON, known

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(aws) -> Place:
    place = place_of()
    place.set_group(
        subnetId=place.subnet,
        securityGroupIds=[place.security_group],
        copyTags=True,
        tags={"Owner": "payments"},
    )
    place.apply()
    return place


def _found(place: Place, name: str = "web-1") -> list[tuple[str, Any, Any]]:
    place.check()
    differences = place.standing(name).differences
    return [(each["field"], each["intended"], each["actual"]) for each in differences]


def test_what_was_changed_in_the_console_is_seen_field_by_field(place) -> None:
    assert _found(place) == []
    place.change_template(
        "web-1", {"NetworkInterfaces": [{"DeviceIndex": 0, "SubnetId": place.other_subnet}]}
    )
    place.aws("drs").update_launch_configuration(
        sourceServerID=known("web-1").server_id, copyTags=False
    )
    assert _found(place) == [
        ("copyTags", True, False),
        ("securityGroupIds", [place.security_group], None),
        ("subnetId", place.subnet, place.other_subnet),
    ]
    assert place.standing("web-1").drift == DriftState.DRIFTED
    assert place.standing("web-2").drift == DriftState.IN_STEP
    assert launch_status.of_group(place.group).status == LaunchStatus.DRIFTED
    place.apply()
    assert _found(place) == []


def test_what_the_portal_does_not_set_is_no_drift(place) -> None:
    place.change_template("web-1", {"KeyName": "mine", "Monitoring": {"Enabled": True}})
    assert _found(place) == []


def test_what_cannot_be_read_is_unknown_and_not_in_step(place) -> None:
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeLaunchTemplateVersions"))
    place.check()
    standing = place.standing("web-1")
    assert (standing.drift, standing.differences) == (DriftState.UNKNOWN, [])
    assert "DescribeLaunchTemplateVersions" in standing.message
    assert launch_status.of_group(place.group).status == LaunchStatus.UNKNOWN


@pytest.mark.parametrize("kind", [Kind.THROTTLE, Kind.TIMEOUT_BEFORE, Kind.SERVER_ERROR])
def test_an_aws_that_is_away_is_unknown(place, kind) -> None:
    world.faults.add(Fault(kind, operation="GetLaunchConfiguration"))
    place.check()
    assert {place.standing(name).drift for name in ("web-1", "web-2")} == {DriftState.UNKNOWN}


def test_new_settings_are_not_in_step_before_somebody_has_looked(place) -> None:
    place.set_server("web-1", copyTags=False)
    assert place.standing("web-1").drift == DriftState.UNKNOWN
    assert place.standing("web-2").drift == DriftState.IN_STEP
    set_for_installation({"recoveryMode": "FAST"}, version=0, actor=PERSON)
    assert place.standing("web-2").drift == DriftState.UNKNOWN
    assert launch_status.of_group(place.group).status == LaunchStatus.PENDING


def test_settings_that_change_while_aws_is_asked_leave_no_old_verdict(place, monkeypatch) -> None:
    changed: list[Any] = []

    def looks(*asked: Any) -> Any:
        for number, each in enumerate(launch_looks(*asked)):
            if number == 0:
                changed.append(place.set_group(version=1, copyTags=False))
            yield each

    launch_looks = launch_drift._looks
    monkeypatch.setattr(launch_drift, "_looks", looks)
    place.check()
    assert changed
    assert place.standing("web-1").drift == DriftState.UNKNOWN


def test_every_night_each_group_with_settings_is_looked_at(place, monkeypatch) -> None:
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(launch_drift, "hint", lambda task, **ids: sent.append((task, ids)))
    tasks.check_all_launch_drift()
    assert sent == [("protection.check_launch_drift", {"group_id": str(place.group.pk)})]
    place.change_template("web-1", {"NetworkInterfaces": [{"DeviceIndex": 0}]})
    tasks.check_launch_drift(group_id=str(place.group.pk))
    assert place.standing("web-1").drift == DriftState.DRIFTED
    tasks.check_launch_drift(group_id="00000000-0000-0000-0000-000000000000")
