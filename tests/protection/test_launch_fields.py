"""Every launch setting that is accepted is applied: read back from DRS, from EC2, or both."""

from typing import Any

import pytest

from protection.choices import ApplyState, DriftState, SettingsLevel
from protection.rules.launch import BLOCKED, BY_NAME, FIELDS, BadValues, checked
from tests.protection.launch_world import Place, place_of, said_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(aws) -> Place:
    return place_of(("web-1",))


def _interface(place: Place) -> dict[str, Any]:
    [interface] = place.template("web-1")["NetworkInterfaces"]
    return dict(interface)


def _tags(place: Place) -> dict[str, dict[str, str]]:
    return {
        each["ResourceType"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]}
        for each in place.template("web-1")["TagSpecifications"]
    }


def _target(place: Place) -> str:
    """A prepared instance that a server may be launched into."""
    ec2 = place.aws("ec2")
    [made] = ec2.run_instances(
        ImageId="ami-12345678",
        MinCount=1,
        MaxCount=1,
        SubnetId=place.subnet,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": "AWSDRS", "Value": "AllowLaunchingIntoThisInstance"}],
            }
        ],
    )["Instances"]
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    return str(made["InstanceId"])


def _configured(name: str) -> Any:
    return lambda place: place.configuration("web-1")[name]


def _templated(name: str) -> Any:
    return lambda place: place.template("web-1")[name]


# field, the values to set, how AWS tells it, what it must say
CASES: list[tuple[str, Any, Any, Any]] = [
    ("subnetId", lambda p: p.subnet, lambda p: _interface(p)["SubnetId"], lambda p: p.subnet),
    (
        "securityGroupIds",
        lambda p: [p.security_group],
        lambda p: _interface(p)["Groups"],
        lambda p: [p.security_group],
    ),
    ("staticPrivateIp", "10.9.1.20", lambda p: _interface(p)["PrivateIpAddress"], "10.9.1.20"),
    ("associatePublicIp", True, lambda p: _interface(p)["AssociatePublicIpAddress"], True),
    ("instanceType", "m7i-flex.large", _templated("InstanceType"), "m7i-flex.large"),
    ("instanceProfileName", "recovery", _templated("IamInstanceProfile"), {"Name": "recovery"}),
    (
        "targetInstanceTypeRightSizingMethod",
        "IN_AWS",
        _configured("targetInstanceTypeRightSizingMethod"),
        "IN_AWS",
    ),
    ("copyPrivateIp", True, _configured("copyPrivateIp"), True),
    ("copyTags", True, _configured("copyTags"), True),
    ("launchDisposition", "STOPPED", _configured("launchDisposition"), "STOPPED"),
    ("licensing", {"osByol": True}, _configured("licensing"), {"osByol": True}),
    ("postLaunchEnabled", True, _configured("postLaunchEnabled"), True),
    ("name", "The first web server", _configured("name"), "The first web server"),
    ("recoveryMode", "FAST", _configured("recoveryMode"), "FAST"),
    (
        "launchIntoInstanceProperties",
        lambda p: {"launchIntoEC2InstanceID": _target(p)},
        lambda p: p.configuration("web-1")["launchIntoInstanceProperties"].keys(),
        {"launchIntoEC2InstanceID"},
    ),
    ("monitoring", True, _templated("Monitoring"), {"Enabled": True}),
    ("disableApiTermination", True, _templated("DisableApiTermination"), True),
    (
        "tags",
        {"Owner": "payments"},
        lambda p: [_tags(p)[kind]["Owner"] for kind in ("instance", "volume")],
        ["payments", "payments"],
    ),
    (
        "creditSpecification",
        {"cpuCredits": "unlimited"},
        _templated("CreditSpecification"),
        {"CpuCredits": "unlimited"},
    ),
]
# What a field needs beside it.
ALONG: dict[str, Any] = {"staticPrivateIp": lambda p: {"subnetId": p.subnet}}


def _of(value: Any, place: Place) -> Any:
    return value(place) if callable(value) else value


@pytest.mark.parametrize(("name", "value", "tell", "said"), CASES, ids=[case[0] for case in CASES])
def test_what_is_set_is_what_aws_then_tells(place, name, value, tell, said) -> None:
    values = {name: _of(value, place), **_of(ALONG.get(name, {}), place)}
    place.set_server("web-1", **values)
    applied = place.apply()
    assert (applied.state, said_of(applied, "web-1")) == (ApplyState.COMPLETED, "")
    assert tell(place) == _of(said, place)
    place.check()
    standing = place.standing("web-1")
    assert (standing.drift, standing.differences) == (DriftState.IN_STEP, [])
    assert standing.applied_values[name] == values[name]


def test_every_field_of_the_table_has_its_case() -> None:
    assert {case[0] for case in CASES} == {field.name for field in FIELDS}


@pytest.mark.parametrize("name", BLOCKED)
def test_what_cannot_be_held_is_refused_by_name_with_the_reason(name) -> None:
    with pytest.raises(BadValues) as raised:
        checked({name: "x"}, level=SettingsLevel.SERVER)
    [problem] = raised.value.problems
    assert (problem.field, problem.code) == (name, "BLOCKED_FIELDS_PRESENT")
    assert BLOCKED[name] in problem.message


@pytest.mark.parametrize("level", SettingsLevel)
def test_a_field_is_refused_at_levels_where_it_says_nothing(level) -> None:
    good = {"subnetId": "subnet-0123abcd", "name": "x", "staticPrivateIp": "10.0.0.9"}
    for name, value in good.items():
        if level in BY_NAME[name].levels:
            assert checked({name: value}, level=level) == {name: value}
            continue
        with pytest.raises(BadValues) as raised:
            checked({name: value}, level=level)
        assert raised.value.problems[0].code == "FIELD_NOT_AT_THIS_LEVEL"


BAD: list[tuple[str, Any, str]] = [
    ("subnetId", "subnet-xyz", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("subnetId", 7, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("securityGroupIds", [], "INVALID_SECURITY_GROUPS"),
    ("securityGroupIds", "sg-0123abcd", "INVALID_SECURITY_GROUPS"),
    ("securityGroupIds", ["web"], "INVALID_SECURITY_GROUPS"),
    ("securityGroupIds", [f"sg-{n:08x}" for n in range(17)], "INVALID_SECURITY_GROUPS"),
    ("staticPrivateIp", "10.0.0", "INVALID_IP_FORMAT"),
    ("staticPrivateIp", 10, "INVALID_IP_FORMAT"),
    ("staticPrivateIp", "127.0.0.9", "IP_NOT_PRIVATE"),
    ("instanceType", "M5.large", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("instanceType", "m5", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("instanceProfileName", "a/b", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("targetInstanceTypeRightSizingMethod", "none", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("copyTags", "yes", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("copyTags", 1, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("licensing", {"osByol": "no"}, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("licensing", {"osByol": True, "other": 1}, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("licensing", True, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("name", "x" * 129, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("name", " ", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("tags", {}, "INVALID_TAGS"),
    ("tags", {"k" * 129: "v"}, "INVALID_TAGS"),
    ("tags", {"k": "v" * 257}, "INVALID_TAGS"),
    ("tags", {"aws:x": "v"}, "INVALID_TAGS"),
    ("tags", {"AWSElasticDisasterRecoveryManaged": "v"}, "INVALID_TAGS"),
    ("tags", {"k": 1}, "INVALID_TAGS"),
    ("tags", {f"k{n}": "" for n in range(41)}, "INVALID_TAGS"),
    ("creditSpecification", {"cpuCredits": "none"}, "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("launchIntoInstanceProperties", "i-0123abcd", "INVALID_LAUNCH_CONFIG_FORMAT"),
    ("somethingElse", 1, "UNKNOWN_FIELDS_PRESENT"),
]


@pytest.mark.parametrize(("name", "value", "code"), BAD)
def test_a_value_that_a_field_cannot_have(name, value, code) -> None:
    with pytest.raises(BadValues) as raised:
        checked({name: value}, level=SettingsLevel.SERVER)
    assert [(each.field, each.code) for each in raised.value.problems] == [(name, code)]


@pytest.mark.parametrize(
    "name", ["u-6tb1.metal", "m7i-flex.large", "c7a.metal-48xl", "m5.xlarge", "u-12tb1.112xlarge"]
)
def test_type_names_are_taken_as_aws_spells_them(name) -> None:
    assert checked({"instanceType": name}, level=SettingsLevel.SERVER) == {"instanceType": name}


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"staticPrivateIp": "10.0.0.9", "copyPrivateIp": True}, "STATIC_IP_EXCLUDES"),
        (
            {"instanceType": "m5.large", "targetInstanceTypeRightSizingMethod": "BASIC"},
            "RIGHT_SIZING_EXCLUDES",
        ),
        (
            {
                "launchIntoInstanceProperties": {"launchIntoEC2InstanceID": "i-0123abcd"},
                "copyTags": True,
            },
            "LAUNCH_INTO_EXCLUDES",
        ),
    ],
)
def test_one_level_does_not_contradict_itself(values, code) -> None:
    with pytest.raises(BadValues) as raised:
        checked(values, level=SettingsLevel.SERVER)
    assert raised.value.problems[0].code == code


def test_null_is_not_set() -> None:
    assert checked({"name": None, "copyTags": False}, level=SettingsLevel.SERVER) == {
        "copyTags": False
    }
