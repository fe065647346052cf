"""Saving launch settings: what AWS has against them, who has an address, and who was first."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from audit.models import AuditRecord
from drportal.aws.instance_types import InstanceTypes
from drportal.aws.network import Network
from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import Combination
from protection.errors import GroupHeld, InvalidLaunchSettings, LaunchSettingsChanged
from protection.models import (
    GroupHold,
    LaunchAddress,
    LaunchSettings,
    LaunchSettingsVersion,
    TargetAccount,
)
from protection.services import groups, inventory, launch_settings, launch_validation
from protection.services.launch_installation import set_for_installation
from protection.services.launch_rows import Wanted
from tests.protection.launch_world import Place, place_of
from tests.worlds import EAST, HUB, NORTH, PERSON, known

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(aws) -> Place:
    return place_of()


def _codes(raised: Any) -> dict[str, str]:
    return {each["field"]: each["code"] for each in raised.value.errors}


def _rows() -> tuple[int, int, int]:
    found = (LaunchSettings, LaunchSettingsVersion, LaunchAddress)
    return tuple(model.objects.count() for model in found)  # type: ignore[return-value]


def _refused(act: Any) -> dict[str, str]:
    before, told = _rows(), AuditRecord.objects.count()
    with pytest.raises(InvalidLaunchSettings) as raised:
        act()
    assert (_rows(), AuditRecord.objects.count()) == (before, told)
    return _codes(raised)


def test_each_live_check_has_its_code(place) -> None:
    ec2 = place.aws("ec2")
    other = ec2.create_vpc(CidrBlock="10.50.0.0/16")["Vpc"]["VpcId"]
    elsewhere = ec2.create_security_group(GroupName="x", Description="x", VpcId=other)["GroupId"]
    ec2.create_network_interface(SubnetId=place.subnet, PrivateIpAddress="10.9.1.40")
    subnet = {"subnetId": place.subnet}
    static = "staticPrivateIp"
    cases: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({"subnetId": "subnet-0123456789abcdef0"}, {"subnetId": "SUBNET_NOT_FOUND"}),
        (
            {"securityGroupIds": ["sg-0123456789abcdef0"]},
            {"securityGroupIds": "SECURITY_GROUPS_NOT_FOUND"},
        ),
        (
            {**subnet, "securityGroupIds": [elsewhere]},
            {"securityGroupIds": "SECURITY_GROUPS_WRONG_VPC"},
        ),
        (
            {"securityGroupIds": [elsewhere, place.security_group]},
            {"securityGroupIds": "SECURITY_GROUPS_WRONG_VPC"},
        ),
        ({"instanceType": "m5.enormous"}, {"instanceType": "INSTANCE_TYPE_UNAVAILABLE"}),
        ({"instanceProfileName": "nobody"}, {"instanceProfileName": "IAM_PROFILE_NOT_FOUND"}),
        ({static: "10.9.1.50"}, {static: "MISSING_SUBNET"}),
        ({**subnet, static: "10.9.2.50"}, {static: "IP_OUT_OF_RANGE"}),
        ({**subnet, static: "10.9.1.255"}, {static: "IP_RESERVED"}),
        ({**subnet, static: "10.9.1.40"}, {static: "IP_IN_USE"}),
        ({**subnet, static: "198.18.0.1"}, {static: "IP_NOT_PRIVATE"}),
        ({**subnet, static: "ten"}, {static: "INVALID_IP_FORMAT"}),
        (
            {"launchIntoInstanceProperties": {"launchIntoEC2InstanceID": "i-0123456789abcdef0"}},
            {"launchIntoInstanceProperties": "LAUNCH_INTO_INSTANCE_NOT_FOUND"},
        ),
    ]
    for values, expected in cases:
        assert _refused(lambda wanted=values: place.set_server("web-1", **wanted)) == expected


def test_a_type_must_be_offered_in_the_zone_of_the_subnet(place) -> None:
    ec2 = place.aws("ec2")
    here = ec2.create_subnet(VpcId=place.vpc, CidrBlock="10.9.9.0/24", AvailabilityZone=f"{EAST}e")[
        "Subnet"
    ]["SubnetId"]
    types = InstanceTypes(place.scope)
    rare = min(types.offered() - types.offered(f"{EAST}e"))
    place.set_group(instanceType=rare)
    with pytest.raises(InvalidLaunchSettings) as raised:
        place.set_server("web-1", subnetId=here)
    assert _codes(raised) == {"instanceType": "INSTANCE_TYPE_UNAVAILABLE"}
    assert f"{EAST}e" in raised.value.detail


def test_an_instance_to_launch_into_must_be_prepared(place) -> None:
    ec2 = place.aws("ec2")
    [made] = ec2.run_instances(
        ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=place.subnet
    )["Instances"]
    into = {"launchIntoInstanceProperties": {"launchIntoEC2InstanceID": made["InstanceId"]}}
    with pytest.raises(InvalidLaunchSettings) as raised:
        place.set_server("web-1", **into)
    assert {each["code"] for each in raised.value.errors} == {
        "LAUNCH_INTO_INSTANCE_NOT_TAGGED",
        "LAUNCH_INTO_INSTANCE_NOT_STOPPED",
    }


def test_the_checks_are_made_in_the_groups_own_account(place) -> None:
    hub = TargetAccount.objects.get(account_id=HUB).scope(EAST)
    in_hub = Network(hub).subnets()[0].subnet_id
    since = len(world.calls.matching())
    assert _refused(lambda: place.set_group(subnetId=in_hub)) == {"subnetId": "SUBNET_NOT_FOUND"}
    asked = world.calls.matching(since=since, service="ec2")
    assert {(call.account, call.region) for call in asked} == {(NORTH, EAST)}


def test_what_cannot_be_asked_blocks_unless_somebody_answers_for_it(place) -> None:
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="GetInstanceProfile"))
    values = {"instanceProfileName": "recovery"}
    assert _refused(lambda: place.set_group(**values)) == {"instanceProfileName": "AWS_API_ERROR"}
    row = launch_settings.set_for_group(
        place.group, values, version=0, unverified=True, actor=PERSON
    )
    assert row.values == values
    told = AuditRecord.objects.filter(event="protection.launch_settings.set").latest("id")
    assert "GetInstanceProfile" in told.facts["unverified"][0]


def test_what_aws_denies_is_not_overridden(place) -> None:
    with pytest.raises(InvalidLaunchSettings):
        launch_settings.set_for_group(
            place.group, {"instanceProfileName": "nobody"}, version=0, unverified=True, actor=PERSON
        )
    assert _rows() == (0, 0, 0)


def test_an_address_that_is_not_answered_in_time_is_not_free(place, monkeypatch) -> None:
    monkeypatch.setattr(launch_validation, "IN_A_REQUEST", 0.0)
    subjects = [launch_validation.Subject({"subnetId": place.subnet})]
    [found] = launch_validation.complaints(place.scope, subjects, seconds=0.0)
    assert {each.code for each in found} == {"AWS_API_ERROR"}


def test_an_address_is_given_once_in_a_subnet_whatever_the_group(place) -> None:
    other = groups.create(
        name="web too",
        account=place.group.account,
        region=EAST,
        tags={"Name": "web-2"},
        allow_overlap=True,
        actor=PERSON,
    )
    values = {"subnetId": place.subnet, "staticPrivateIp": "10.9.1.60"}
    place.set_server("web-1", **values)
    assert _refused(lambda: place.set_server("web-2", **values)) == {
        "staticPrivateIp": "DUPLICATE_IP"
    }
    with pytest.raises(InvalidLaunchSettings) as raised:
        launch_settings.set_for_server(
            other, known("web-2"), values, combination=Combination.ADD, version=0, actor=PERSON
        )
    assert _codes(raised) == {"staticPrivateIp": "DUPLICATE_IP"}
    assert "web-1" in raised.value.detail
    found = launch_settings.check_address(
        other, known("web-2"), "10.9.1.60", subnet_id=place.subnet
    )
    assert [each.code for each in found.complaints] == ["DUPLICATE_IP"]


def test_of_many_who_want_one_address_at_once_one_gets_it(place) -> None:
    place.set_group(subnetId=place.subnet)

    def try_it(name: str) -> bool:
        try:
            place.set_server(name, staticPrivateIp="10.9.1.61")
        except InvalidLaunchSettings:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_it, ["web-1", "web-2"])) == [False, True]
    assert LaunchAddress.objects.count() == 1


def test_two_servers_may_exchange_their_addresses(place) -> None:
    def wanted(first: str, second: str, version: int) -> list[Wanted]:
        return [
            Wanted({"subnetId": place.subnet, "staticPrivateIp": ip}, version, known(name))
            for name, ip in (("web-1", first), ("web-2", second))
        ]

    launch_settings.set_many(place.group, wanted("10.9.1.7", "10.9.1.8", 0), actor=PERSON)
    launch_settings.set_many(place.group, wanted("10.9.1.8", "10.9.1.7", 1), actor=PERSON)
    held = dict(LaunchAddress.objects.values_list("settings__server__name", "private_ip"))
    assert held == {"web-1": "10.9.1.8", "web-2": "10.9.1.7"}


def test_a_new_subnet_of_the_group_must_fit_the_addresses_in_it(place) -> None:
    place.set_group(subnetId=place.subnet)
    place.set_server("web-1", staticPrivateIp="10.9.1.70")
    with pytest.raises(InvalidLaunchSettings) as raised:
        place.set_group(version=1, subnetId=place.other_subnet)
    assert _codes(raised) == {"subnetId": "SUBNET_CHANGE_IP_INVALID"}
    assert "web-1" in raised.value.detail
    assert LaunchAddress.objects.get().subnet_id == place.subnet
    place.set_server("web-1", version=1)
    place.set_group(version=1, subnetId=place.other_subnet)
    assert LaunchAddress.objects.count() == 0


def test_an_address_of_the_servers_own_last_instance_is_free_for_it(place) -> None:
    place.aws("ec2").run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        SubnetId=place.subnet,
        PrivateIpAddress="10.9.1.80",
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {
                        "Key": "AWSElasticDisasterRecoverySourceServerID",
                        "Value": known("web-1").server_id,
                    }
                ],
            }
        ],
    )
    values = {"subnetId": place.subnet, "staticPrivateIp": "10.9.1.80"}
    with pytest.raises(InvalidLaunchSettings) as raised:
        place.set_server("web-2", **values)
    [error] = raised.value.context["errors"]
    assert error["conflictingResource"]["isDrsResource"] is True
    assert place.set_server("web-1", **values).version == 1


def test_every_save_is_a_version_recorded_and_mirrored(place) -> None:
    OutboxEntry.objects.all().delete()
    row = place.set_group(copyTags=True)
    assert OutboxEntry.objects.filter(kind="LaunchConfigurations", object_id=str(row.pk)).exists()
    told = AuditRecord.objects.filter(event="protection.launch_settings.set").latest("id")
    assert (told.subject_id, told.actor_name) == (str(place.group.pk), "pat")
    assert told.facts["new"]["values"] == {"copyTags": True}
    version = row.versions.get()
    assert (version.number, version.created_by) == (1, "pat")
    same = place.set_group(version=1, copyTags=True)
    assert (same.version, same.versions.count()) == (1, 1)


def test_a_change_of_what_was_built_on_is_noticed(place) -> None:
    checked = launch_settings.check(place.group, [Wanted({"copyTags": True}, 0, known("web-1"))])
    place.set_group(copyTags=False)
    with pytest.raises(LaunchSettingsChanged):
        launch_settings.save(checked, actor=PERSON)
    checked = launch_settings.check(place.group, [Wanted({"copyTags": True}, 0, known("web-1"))])
    set_for_installation({"copyTags": True}, version=0, actor=PERSON)
    with pytest.raises(LaunchSettingsChanged):
        launch_settings.save(checked, actor=PERSON)
    assert not LaunchSettings.objects.filter(server=known("web-1")).exists()


def test_a_group_that_is_held_keeps_its_settings(place) -> None:
    GroupHold.objects.create(group=place.group, holder_id=place.group.pk, holder="a drill")
    with pytest.raises(GroupHeld, match="a drill"):
        place.set_group(copyTags=True)
    assert _rows() == (0, 0, 0)


def test_what_was_cleared_is_in_the_history_and_comes_back(place) -> None:
    row = place.set_server(
        "web-1", combination=Combination.REPLACE, subnetId=place.subnet, staticPrivateIp="10.9.1.90"
    )
    launch_settings.clear(place.group, known("web-1"), actor=PERSON)
    row.refresh_from_db()
    assert (row.version, row.values, row.combination) == (2, {}, Combination.ADD)
    assert LaunchAddress.objects.count() == 0
    checked = launch_settings.check_restore(row, 1, version=2)
    [restored] = launch_settings.save(checked, actor=PERSON)
    assert (restored.version, restored.combination) == (3, Combination.REPLACE)
    assert LaunchAddress.objects.get().private_ip == "10.9.1.90"


def test_installation_settings_are_made_once_by_two_at_once(place) -> None:
    def try_it(value: bool) -> bool:
        try:
            set_for_installation({"copyTags": value}, version=0, actor=PERSON)
        except LaunchSettingsChanged:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(try_it, [True, False])) == [False, True]
    assert LaunchSettings.objects.count() == LaunchSettingsVersion.objects.count() == 1


def test_settings_outlast_a_listing_without_their_server_and_go_with_their_group(place) -> None:
    own = place.set_server("web-1", copyTags=True)
    of_group = place.set_group(copyTags=True)
    OutboxEntry.objects.all().delete()
    backend = drs_backends[NORTH][EAST]
    gone = backend.servers.pop(known("web-1").server_id)
    inventory.sync(actor=PERSON)
    assert known("web-1").gone_at is not None
    assert LaunchSettings.objects.filter(pk=own.pk).exists()
    groups.delete(place.group, actor=PERSON)
    marked = OutboxEntry.objects.filter(kind="LaunchConfigurations")
    assert set(marked.values_list("object_id", flat=True)) == {str(own.pk), str(of_group.pk)}
    assert gone.hostname == "web-1"
