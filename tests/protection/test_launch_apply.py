"""Applying launch settings: exactly what is set, by one worker, whatever dies on the way."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from audit.models import AuditRecord
from drportal.actor import PORTAL
from drportal.aws import session
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection import tasks
from protection.choices import AppliedState, ApplyState, DriftState, LaunchStatus
from protection.errors import ApplyInProgress, GroupHeld, NothingToApply
from protection.models import GroupHold, LaunchApply
from protection.services import launch_apply, launch_settings, launch_status
from protection.services.launch_installation import set_for_installation
from tests.protection.launch_world import Place, carried_out, place_of, said_of, state_of
from tests.worlds import HUB, NORTH, PERSON, known

pytestmark = pytest.mark.django_db(transaction=True)
WRITES = ("UpdateLaunchConfiguration", "CreateLaunchTemplateVersion", "ModifyLaunchTemplate")


@pytest.fixture
def place(aws) -> Place:
    return place_of()


def writes(operation: str = "") -> int:
    return sum(world.calls.count(operation=each) for each in WRITES if operation in ("", each))


def test_other_settings_of_the_template_survive(place) -> None:
    own = {
        "UserData": "aGVsbG8=",
        "MetadataOptions": {"HttpTokens": "required"},
        "NetworkInterfaces": [{"DeviceIndex": 0, "Description": "mine", "SubnetId": place.subnet}],
    }
    place.change_template("web-1", own)
    before = place.template("web-1")
    place.set_server(
        "web-1",
        subnetId=place.other_subnet,
        securityGroupIds=[place.security_group],
        tags={"Owner": "payments"},
    )
    assert place.apply().state == ApplyState.COMPLETED
    after = place.template("web-1")
    assert after["UserData"] == "aGVsbG8="
    assert after["MetadataOptions"] == before["MetadataOptions"]
    assert after["InstanceType"] == before["InstanceType"]
    [interface] = after["NetworkInterfaces"]
    assert (interface["Description"], interface["SubnetId"]) == ("mine", place.other_subnet)
    tags = {each["ResourceType"]: len(each["Tags"]) for each in after["TagSpecifications"]}
    was = {each["ResourceType"]: len(each["Tags"]) for each in before["TagSpecifications"]}
    assert tags == {kind: count + 1 for kind, count in was.items()}


def test_a_new_version_is_made_from_the_default_not_from_the_latest(place) -> None:
    ec2, template = place.aws("ec2"), place.template_id("web-1")
    ec2.create_launch_template_version(
        LaunchTemplateId=template,
        SourceVersion="$Default",
        LaunchTemplateData={"KeyName": "a-draft", "InstanceType": "x1.32xlarge"},
    )
    place.set_server("web-1", monitoring=True)
    assert place.apply().state == ApplyState.COMPLETED
    assert "KeyName" not in place.template("web-1")
    assert place.template("web-1")["InstanceType"] != "x1.32xlarge"


def test_security_groups_beside_interfaces_leave_a_template_that_launches(place) -> None:
    bare = {"InstanceType": "t3.small", "SecurityGroupIds": [place.security_group]}
    place.change_template("web-1", bare, inherit=False)
    place.set_server("web-1", subnetId=place.subnet)
    assert place.apply().state == ApplyState.COMPLETED
    template = place.template("web-1")
    assert "SecurityGroupIds" not in template
    assert template["NetworkInterfaces"][0]["Groups"] == [place.security_group]


def test_drs_is_written_first_and_nothing_is_where_nothing_differs(place) -> None:
    place.set_group(copyTags=True, monitoring=True)
    place.apply()
    servers = [known(name).server_id for name in ("web-1", "web-2")]
    order = [c.operation for c in world.calls.matching() if c.operation in WRITES]
    assert sorted(order) == sorted(WRITES * len(servers))
    assert order[0] == "UpdateLaunchConfiguration"
    count, versions = writes(), place.versions("web-1")
    again = place.apply()
    assert (again.state, writes(), place.versions("web-1")) == (
        ApplyState.COMPLETED,
        count,
        versions,
    )


def test_each_server_gets_its_own_and_those_without_get_their_groups(place) -> None:
    set_for_installation({"recoveryMode": "FAST"}, version=0, actor=PERSON)
    place.set_group(launchDisposition="STOPPED")
    place.set_server("web-1", launchDisposition="STARTED", copyTags=True)
    place.apply()
    first, second = place.configuration("web-1"), place.configuration("web-2")
    assert (first["launchDisposition"], first["copyTags"]) == ("STARTED", True)
    assert (second["launchDisposition"], second["copyTags"]) == ("STOPPED", False)
    assert first["recoveryMode"] == second["recoveryMode"] == "FAST"


def test_a_group_with_nothing_but_a_servers_own_settings_applies_those(place) -> None:
    place.set_server("web-2", copyTags=True)
    assert state_of(place.apply()) == {"web-2": "APPLIED"}
    assert place.configuration("web-2")["copyTags"] is True
    launch_settings.clear(place.group, known("web-2"), actor=PERSON)
    assert launch_status.of_group(place.group).status == LaunchStatus.PENDING
    assert state_of(place.apply()) == {"web-2": "APPLIED"}
    assert place.standing("web-2").applied_values == {}
    assert launch_status.of_group(place.group).status == LaunchStatus.NOT_CONFIGURED
    place.set_server("web-2", version=2, copyTags=True)
    place.apply()
    assert launch_status.of_group(place.group).status == LaunchStatus.READY


def test_drs_and_the_template_are_asked_in_the_same_account(place) -> None:
    since = len(world.calls.matching())
    place.set_group(copyTags=True, monitoring=True)
    place.apply()
    asked = [call for call in world.calls.matching(since=since) if call.service in ("drs", "ec2")]
    assert {call.account for call in asked} == {NORTH}


def test_a_group_of_the_hub_is_entered_without_a_role(aws) -> None:
    place = place_of(account=NORTH)
    hub = place_of_hub()
    since = len(world.calls.matching())
    hub.set_group(copyTags=True, monitoring=True)
    assert hub.apply().state == ApplyState.COMPLETED
    calls = world.calls.matching(since=since)
    assert {call.account for call in calls} == {HUB}
    assert "AssumeRole" not in {call.operation for call in calls}
    assert place.group.account.account_id == NORTH


def place_of_hub() -> Place:
    from protection.services import inventory
    from tests.worlds import group_of, server, world_of

    world_of([server("shop-1", account=HUB)])
    inventory.sync(actor=PORTAL)
    return Place(group_of("shop", account=HUB), "", "", "", "")


def test_an_address_that_is_no_longer_set_is_taken_out_of_the_template(place) -> None:
    place.set_server("web-1", subnetId=place.subnet, staticPrivateIp="10.9.1.20", tags={"a": "1"})
    place.apply()
    launch_settings.clear(place.group, known("web-1"), actor=PERSON)
    place.check()
    assert place.standing("web-1").drift == DriftState.DRIFTED
    assert place.apply().state == ApplyState.COMPLETED
    [interface] = place.template("web-1")["NetworkInterfaces"]
    assert "PrivateIpAddress" not in interface
    assert interface["SubnetId"] == place.subnet
    tags = [
        tag["Key"] for each in place.template("web-1")["TagSpecifications"] for tag in each["Tags"]
    ]
    assert "a" not in tags
    assert place.standing("web-1").applied_values == {}


def test_it_applies_what_was_set_when_it_was_asked_for(place) -> None:
    place.set_group(launchDisposition="STOPPED")
    asked = launch_apply.ask(place.group, actor=PERSON)
    place.set_group(version=1, launchDisposition="STARTED")
    carried_out(asked.pk)
    assert place.configuration("web-1")["launchDisposition"] == "STOPPED"
    standing = place.standing("web-1")
    assert (standing.drift, standing.applied_by) == (DriftState.UNKNOWN, "pat")
    assert launch_status.of_group(place.group).status == LaunchStatus.PENDING


def test_throttling_delays_and_does_not_fail(place) -> None:
    place.set_group(copyTags=True)
    world.faults.add(Fault(Kind.THROTTLE, operation="UpdateLaunchConfiguration", times=6))
    asked = launch_apply.ask(place.group, actor=PERSON)
    waiting = carried_out(asked.pk)
    assert waiting.state == ApplyState.RUNNING
    assert set(state_of(waiting).values()) == {"PENDING"}
    assert "AWS will be asked again" in said_of(waiting, "web-1")
    assert launch_apply.due() == []
    assert carried_out(asked.pk).state == ApplyState.RUNNING
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        assert launch_apply.due() == [asked.pk]
        assert carried_out(asked.pk).state == ApplyState.COMPLETED
    assert place.configuration("web-1")["copyTags"] is True


def test_aws_that_never_comes_back_fails_in_the_end_and_says_so(place) -> None:
    place.set_group(copyTags=True)
    asked = launch_apply.ask(place.group, actor=PERSON)
    asked.servers.update(attempts=launch_apply.MOST_ATTEMPTS - 1)
    world.faults.add(Fault(Kind.THROTTLE, operation="GetLaunchConfiguration"))
    found = carried_out(asked.pk)
    assert (found.state, set(state_of(found).values())) == (ApplyState.FAILED, {"FAILED"})
    assert "GetLaunchConfiguration" in said_of(found, "web-1")


def test_one_server_that_fails_does_not_stop_the_others_and_is_retried_alone(place) -> None:
    place.set_group(monitoring=True)
    template = place.template_id("web-1")
    place.aws("ec2").delete_launch_template(LaunchTemplateId=template)
    found = place.apply()
    assert (found.state, state_of(found)) == (
        ApplyState.PARTIAL,
        {"web-1": "FAILED", "web-2": "APPLIED"},
    )
    assert template in said_of(found, "web-1")
    status = launch_status.of_group(place.group)
    assert status.status == LaunchStatus.PARTIAL
    again = launch_apply.ask(place.group, only_failed=True, actor=PERSON)
    assert state_of(again) == {"web-1": "PENDING"}


def test_a_failed_one_that_is_put_right_is_retried_well(place) -> None:
    place.set_group(copyTags=True)
    denied = world.faults.add(Fault(Kind.ACCESS_DENIED, operation="UpdateLaunchConfiguration"))
    assert place.apply().state == ApplyState.FAILED
    world.faults.remove(denied.id)
    assert place.apply(only_failed=True).state == ApplyState.COMPLETED
    assert launch_status.of_group(place.group).status == LaunchStatus.READY
    with pytest.raises(NothingToApply):
        launch_apply.ask(place.group, only_failed=True, actor=PERSON)


def test_what_no_longer_holds_is_not_written(place) -> None:
    place.set_group(instanceProfileName="recovery", copyTags=True)
    place.aws("iam").delete_instance_profile(InstanceProfileName="recovery")
    found = place.apply()
    assert found.state == ApplyState.FAILED
    assert "IAM_PROFILE_NOT_FOUND" in said_of(found, "web-1")
    assert writes() == 0


def test_what_may_not_be_asked_blocks_unless_somebody_answers_for_it(place) -> None:
    place.set_group(instanceProfileName="recovery")
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="GetInstanceProfile"))
    assert place.apply().state == ApplyState.FAILED
    assert place.apply(unverified=True).state == ApplyState.COMPLETED
    told = AuditRecord.objects.filter(event="protection.launch_apply.requested").latest("id")
    assert told.facts["unverified"] is True


def test_a_write_that_did_not_take_is_no_success(place, monkeypatch) -> None:
    place.set_server("web-1", monitoring=True)
    from drportal.aws.launch_templates import LaunchTemplates

    monkeypatch.setattr(LaunchTemplates, "make_default", lambda *_: None)
    found = place.apply()
    assert state_of(found)["web-1"] == "FAILED"
    assert "monitoring was set to True" in said_of(found, "web-1")


def test_of_two_workers_one_applies(place) -> None:
    place.set_group(copyTags=True, monitoring=True)
    asked = launch_apply.ask(place.group, actor=PERSON)

    def work(_: int) -> None:
        try:
            launch_apply.carry_out(asked.pk, actor=PORTAL)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert LaunchApply.objects.get().state == ApplyState.COMPLETED
    assert writes() == 2 * len(WRITES)


def test_of_many_who_ask_at_once_one_is_served(place) -> None:
    place.set_group(copyTags=True)

    def ask(_: int) -> bool:
        try:
            launch_apply.ask(place.group, actor=PERSON)
        except ApplyInProgress:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(ask, range(4))) == [False, False, False, True]
    assert LaunchApply.objects.count() == 1


class _Killed(BaseException):
    """A worker that is gone at once: nothing of it is tidied up."""


@pytest.mark.parametrize("operation", WRITES)
def test_what_a_killed_worker_left_is_taken_over_and_finished(
    place, monkeypatch, operation
) -> None:
    place.set_server("web-1", copyTags=True, monitoring=True)
    asked = launch_apply.ask(place.group, actor=PERSON)
    real = session.translated

    def deadly(name: str, scope: Any) -> Any:
        if name == operation:
            raise _Killed
        return real(name, scope)

    with monkeypatch.context() as patch:
        patch.setattr("drportal.aws.launch.translated", deadly)
        patch.setattr("drportal.aws.launch_templates.translated", deadly)
        with pytest.raises(_Killed):
            launch_apply.carry_out(asked.pk, actor=PORTAL)
    left = LaunchApply.objects.get()
    assert (left.state, launch_apply.due()) == (ApplyState.RUNNING, [])
    with pytest.raises(ApplyInProgress):
        launch_apply.ask(place.group, force=True, actor=PERSON)
    with time_machine.travel(timezone.now() + timedelta(minutes=5), tick=False):
        sent: list[Any] = []
        monkeypatch.setattr(tasks, "hint", lambda task, **ids: sent.append((task, ids)))
        tasks.apply_due_launch_settings()
        assert sent == [("protection.apply_launch_settings", {"apply_id": str(asked.pk)})]
        tasks.apply_launch_settings(apply_id=str(asked.pk))
    assert LaunchApply.objects.get().state == ApplyState.COMPLETED
    assert place.configuration("web-1")["copyTags"] is True
    assert place.template("web-1")["Monitoring"] == {"Enabled": True}


def test_a_worker_that_lost_its_lease_writes_no_more(place, monkeypatch) -> None:
    place.set_group(copyTags=True)
    asked = launch_apply.ask(place.group, actor=PERSON)
    monkeypatch.setattr(launch_apply, "_keep", _lost)
    launch_apply.carry_out(asked.pk, actor=PORTAL)
    assert writes() == 0
    assert LaunchApply.objects.get().state == ApplyState.RUNNING


def _lost(_: LaunchApply) -> None:
    raise launch_apply._Stopped


def test_a_server_that_kills_its_worker_every_time_is_given_up(place) -> None:
    place.set_group(copyTags=True)
    asked = launch_apply.ask(place.group, actor=PERSON)
    asked.servers.filter(server=known("web-1")).update(attempts=launch_apply.MOST_ATTEMPTS)
    found = carried_out(asked.pk)
    assert state_of(found) == {"web-1": AppliedState.FAILED, "web-2": AppliedState.APPLIED}
    assert "Given up" in said_of(found, "web-1")


def test_a_group_that_is_held_is_not_applied_to(place) -> None:
    place.set_group(copyTags=True)
    asked = launch_apply.ask(place.group, actor=PERSON)
    GroupHold.objects.create(group=place.group, holder_id=place.group.pk, holder="a drill")
    found = carried_out(asked.pk)
    assert (found.state, writes()) == (ApplyState.FAILED, 0)
    assert "a drill" in said_of(found, "web-1")
    with pytest.raises(GroupHeld):
        launch_apply.ask(place.group, only_failed=True, actor=PERSON)


def test_the_end_is_recorded_with_who_asked(place) -> None:
    place.set_group(copyTags=True)
    place.apply()
    told = AuditRecord.objects.get(event="protection.launch_apply.finished")
    assert (told.facts["requested_by"], told.facts["applied"]) == ("pat", 2)


def test_it_is_scheduled_and_routed() -> None:
    from protection.schedules import SCHEDULES

    found = {schedule.task: schedule.every for schedule in SCHEDULES}
    assert found["protection.apply_due_launch_settings"] == 30
    assert found["protection.check_all_launch_drift"] == 86_400
