"""The laws of merging launch settings, and of changing what AWS holds."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protection.choices import Combination, SettingsLevel
from protection.rules.addressing import form_problem, place_problem
from protection.rules.launch import (
    BY_NAME,
    Held,
    Layers,
    configuration_change,
    differences,
    intended,
    merged,
    template_change,
    with_withdrawals,
    without_withdrawals,
)

_VALUES: dict[str, Any] = {
    "subnetId": st.sampled_from(["subnet-0000000a", "subnet-0000000b"]),
    "securityGroupIds": st.sampled_from([["sg-0000000a"], ["sg-0000000a", "sg-0000000b"]]),
    "staticPrivateIp": st.sampled_from(["10.0.0.9", "10.0.0.10"]),
    "associatePublicIp": st.booleans(),
    "instanceType": st.sampled_from(["m5.large", "m7i-flex.large"]),
    "instanceProfileName": st.sampled_from(["one", "two"]),
    "targetInstanceTypeRightSizingMethod": st.sampled_from(["NONE", "BASIC", "IN_AWS"]),
    "copyPrivateIp": st.booleans(),
    "copyTags": st.booleans(),
    "launchDisposition": st.sampled_from(["STARTED", "STOPPED"]),
    "licensing": st.fixed_dictionaries({"osByol": st.booleans()}),
    "postLaunchEnabled": st.booleans(),
    "name": st.sampled_from(["first", "second"]),
    "recoveryMode": st.sampled_from(["FAST", "OPTIMAL"]),
    "launchIntoInstanceProperties": st.just({"launchIntoEC2InstanceID": "i-0000000a"}),
    "monitoring": st.booleans(),
    "disableApiTermination": st.booleans(),
    "tags": st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), min_size=1),
    "creditSpecification": st.sampled_from([{"cpuCredits": "standard"}]),
}


def _values(level: SettingsLevel) -> Any:
    own = {name: made for name, made in _VALUES.items() if level in BY_NAME[name].levels}
    return st.fixed_dictionaries({}, optional=own)


LAYERS = st.builds(
    Layers,
    installation=_values(SettingsLevel.INSTALLATION),
    group=_values(SettingsLevel.GROUP),
    server=_values(SettingsLevel.SERVER),
    combination=st.sampled_from(Combination),
)
SETTLED = {"copyPrivateIp", "copyTags", "staticPrivateIp", "instanceType"}
SETTLED |= {"targetInstanceTypeRightSizingMethod"}

# What else a launch template may hold. No setting of ours may touch it.
OTHERS = {
    "MetadataOptions": {"HttpTokens": "required"},
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "io2"}}],
    "KeyName": "mine",
    "Placement": {"Tenancy": "host"},
    "SomethingNew": {"of": ["tomorrow"]},
}
TEMPLATE = {
    "InstanceType": "t3.small",
    "NetworkInterfaces": [
        {"DeviceIndex": 0, "Description": "first", "InterfaceType": "efa"},
        {"DeviceIndex": 1, "SubnetId": "subnet-0000000f"},
    ],
    "TagSpecifications": [
        {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]},
        {"ResourceType": "network-interface", "Tags": [{"Key": "a", "Value": "kept"}]},
    ],
    **OTHERS,
}
CONFIGURATION = {"sourceServerID": "s-1", "copyTags": False, "licensing": {"osByol": False}}


def test_every_field_is_in_the_properties() -> None:
    assert set(_VALUES) == set(BY_NAME)


@given(LAYERS)
def test_the_narrowest_level_that_sets_a_field_decides_it(layers) -> None:
    found = merged(layers)
    group = {} if layers.combination == Combination.REPLACE else layers.group
    levels = (
        (SettingsLevel.SERVER, layers.server),
        (SettingsLevel.GROUP, group),
        (SettingsLevel.INSTALLATION, layers.installation),
    )
    for name in BY_NAME.keys() - SETTLED:
        said = next(((level, v[name]) for level, v in levels if name in v), None)
        assert said == ((found[name].level, found[name].value) if name in found else None)


@given(LAYERS)
def test_a_level_that_sets_nothing_changes_nothing(layers) -> None:
    nothing = Layers(layers.installation, {}, {}, layers.combination)
    alone = Layers(layers.installation, {}, {}, Combination.ADD)
    assert intended(nothing) == intended(alone)


@given(LAYERS)
def test_a_server_that_replaces_never_shows_its_groups_settings(layers) -> None:
    replaced = Layers(layers.installation, layers.group, layers.server, Combination.REPLACE)
    bare = Layers(layers.installation, {}, layers.server, Combination.ADD)
    assert merged(replaced) == merged(bare)


@given(LAYERS)
def test_what_comes_out_never_contradicts_itself(layers) -> None:
    found = intended(layers)
    if "staticPrivateIp" in found or "launchIntoInstanceProperties" in found:
        assert found["copyPrivateIp"] is False
    if "launchIntoInstanceProperties" in found:
        assert found["copyTags"] is False
        assert "staticPrivateIp" not in found
    if "instanceType" in found:
        assert found["targetInstanceTypeRightSizingMethod"] == "NONE"


@given(LAYERS)
def test_merging_depends_on_nothing_but_the_layers(layers) -> None:
    before = deepcopy(layers)
    assert merged(layers) == merged(before)
    assert layers == before


def _written(wanted: dict[str, Any]) -> Held:
    """What AWS holds after the change: a new version inherits what the change does not name."""
    change = template_change(wanted, TEMPLATE)
    data = {**TEMPLATE, **change.members}
    data = {name: value for name, value in data.items() if name not in change.gone}
    return Held({**CONFIGURATION, **configuration_change(wanted, CONFIGURATION)}, data)


@given(LAYERS)
def test_what_is_written_is_what_is_read_and_the_second_time_nothing_is(layers) -> None:
    wanted = intended(layers)
    held = _written(wanted)
    assert differences(wanted, held) == []
    assert configuration_change(wanted, held.configuration) == {}
    assert not template_change(wanted, held.template)


@given(LAYERS)
def test_everything_else_in_the_template_survives(layers) -> None:
    held = _written(intended(layers)).template
    assert {name: held[name] for name in OTHERS} == OTHERS
    first, second = held["NetworkInterfaces"]
    assert (first["Description"], first["InterfaceType"]) == ("first", "efa")
    assert second == {"DeviceIndex": 1, "SubnetId": "subnet-0000000f"}
    kept = [each for each in held["TagSpecifications"] if "network" in each["ResourceType"]]
    assert kept == [TEMPLATE["TagSpecifications"][1]]  # type: ignore[index]  # a mixed literal
    instance = {
        tag["Key"]: tag["Value"]
        for each in held["TagSpecifications"]
        if each["ResourceType"] == "instance"
        for tag in each["Tags"]
    }
    assert instance["Name"] == "web"


@given(LAYERS, LAYERS)
def test_what_was_applied_and_is_no_longer_set_is_taken_away_or_left(before, after) -> None:
    applied, wanted = intended(before), intended(after)
    both = with_withdrawals(wanted, applied)
    assert without_withdrawals(both) == wanted
    gone = {name for name, value in both.items() if value is None}
    assert gone <= {"staticPrivateIp", "launchIntoInstanceProperties"}
    assert with_withdrawals(wanted, None) == wanted


def test_an_address_and_tags_of_ours_go_again_and_others_stay() -> None:
    first = {"staticPrivateIp": "10.0.0.9", "tags": {"a": "1", "b": "2"}}
    change = template_change(first, TEMPLATE)
    there = {**TEMPLATE, **change.members}
    wanted = with_withdrawals({"tags": {"a": "1"}}, first)
    assert wanted == {"staticPrivateIp": None, "tags": {"a": "1", "b": None}}
    assert {each.field for each in differences(wanted, Held({}, there))} == {
        "staticPrivateIp",
        "tags",
    }
    after = {**there, **template_change(wanted, there).members}
    assert "PrivateIpAddress" not in after["NetworkInterfaces"][0]
    tags = {each["ResourceType"]: each["Tags"] for each in after["TagSpecifications"]}
    assert tags["instance"] == [{"Key": "Name", "Value": "web"}, {"Key": "a", "Value": "1"}]


def test_security_groups_beside_interfaces_move_into_the_interface() -> None:
    data = {"SecurityGroupIds": ["sg-0000000c"], **OTHERS}
    change = template_change({"subnetId": "subnet-0000000a"}, data)
    assert change.gone == {"SecurityGroupIds"}
    assert change.members == {
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "Groups": ["sg-0000000c"], "SubnetId": "subnet-0000000a"}
        ]
    }


def test_a_primary_address_in_the_list_is_replaced_not_doubled() -> None:
    listed = [
        {"Primary": True, "PrivateIpAddress": "10.0.0.5"},
        {"Primary": False, "PrivateIpAddress": "10.0.0.6"},
    ]
    data = {"NetworkInterfaces": [{"DeviceIndex": 0, "PrivateIpAddresses": listed}]}
    change = template_change({"staticPrivateIp": "10.0.0.9"}, data)
    [interface] = change.members["NetworkInterfaces"]
    assert interface["PrivateIpAddress"] == "10.0.0.9"
    assert interface["PrivateIpAddresses"] == [listed[1]]


def test_a_tag_that_instances_and_volumes_hold_differently_has_drifted() -> None:
    data = {
        "TagSpecifications": [
            {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "1"}]},
            {"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "2"}]},
        ]
    }
    [found] = differences({"tags": {"a": "1"}}, Held({}, data))
    assert found.actual == {"a": "1 (instance), 2 (volume)"}


ADDRESSES = [
    ("10.0.0.1", None),
    ("172.16.0.1", None),
    ("172.31.255.254", None),
    ("192.168.1.1", None),
    ("100.64.0.1", None),
    ("100.127.255.254", None),
    ("172.32.0.1", "IP_NOT_PRIVATE"),
    ("100.128.0.1", "IP_NOT_PRIVATE"),
    ("127.0.0.1", "IP_NOT_PRIVATE"),
    ("169.254.1.1", "IP_NOT_PRIVATE"),
    ("192.0.2.1", "IP_NOT_PRIVATE"),
    ("198.18.0.1", "IP_NOT_PRIVATE"),
    ("240.0.0.1", "IP_NOT_PRIVATE"),
    ("8.8.8.8", "IP_NOT_PRIVATE"),
    ("10.0.0.256", "INVALID_IP_FORMAT"),
    ("10.0.0.01", "INVALID_IP_FORMAT"),
    ("fd00::1", "INVALID_IP_FORMAT"),
    ("", "INVALID_IP_FORMAT"),
]
PLACES = [
    ("10.0.0.4", "10.0.0.0/24", None),
    ("10.0.0.254", "10.0.0.0/24", None),
    *((f"10.0.0.{n}", "10.0.0.0/24", "IP_RESERVED") for n in (0, 1, 2, 3, 255)),
    ("10.0.1.4", "10.0.0.0/24", "IP_OUT_OF_RANGE"),
    ("10.0.0.20", "10.0.0.16/28", None),
    ("10.0.0.31", "10.0.0.16/28", "IP_RESERVED"),
    ("10.0.0.9", "", "INVALID_CIDR"),
    ("10.0.0.9", "10.0.0.1/24", "INVALID_CIDR"),
]


@pytest.mark.parametrize(("ip", "code"), ADDRESSES)
def test_which_addresses_are_private(ip, code) -> None:
    problem = form_problem(ip)
    assert (problem and problem[0]) == code


@pytest.mark.parametrize(("ip", "cidr", "code"), PLACES)
def test_which_addresses_a_subnet_has_to_give(ip, cidr, code) -> None:
    problem = place_problem(ip, cidr)
    assert (problem and problem[0]) == code
