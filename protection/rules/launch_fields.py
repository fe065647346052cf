"""The one table of launch settings: what each may be, at which levels, and where it is held.

Everything that saves, applies, compares or shows launch settings walks this table, so that a
field cannot be accepted in one place and forgotten in another.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from protection.choices import SettingsLevel
from protection.rules import launch_checks as checks
from protection.rules import launch_holding as holding
from protection.rules.launch_checks import BadValue

Values = dict[str, Any]


class Place(StrEnum):
    """What holds a setting: DRS's launch configuration, or the server's EC2 launch template."""

    DRS = "DRS"
    TEMPLATE = "TEMPLATE"


class Sort(StrEnum):
    """How a person enters a setting."""

    FLAG = "FLAG"
    CHOICE = "CHOICE"
    TEXT = "TEXT"
    LIST = "LIST"
    TAGS = "TAGS"


@dataclass(frozen=True, slots=True)
class Field:
    """A launch setting. `name` is its key in `values`, `label` its full name to a person.

    `inner` is the one member of a value that is an object. `check` returns the value as it is
    kept, or raises BadValue. `read` tells from what the place holds what the setting is there, in
    the same form; `write` changes a copy of it.
    """

    name: str
    label: str
    help: str
    sort: Sort
    place: Place
    check: Callable[[Any], Any]
    read: Callable[[Mapping[str, Any], Any], Any]
    write: Callable[[dict[str, Any], Any], None]
    levels: frozenset[SettingsLevel] = frozenset(SettingsLevel)
    choices: tuple[str, ...] = ()
    inner: str = ""


_NOT_EVERYWHERE = frozenset({SettingsLevel.GROUP, SettingsLevel.SERVER})
_ONE_SERVER = frozenset({SettingsLevel.SERVER})


def _in_drs(name: str, help: str, sort: Sort, check: Any, **more: Any) -> Field:  # noqa: A002  # the attribute's name
    inner = more.get("inner", "")
    held = holding.drs_member(name, *([inner] if inner else []))
    label = f"{name}.{inner}" if inner else name
    return Field(name, label, help, sort, Place.DRS, check, *held, **more)


def _in_template(name: str, help: str, sort: Sort, check: Any, held: Any, **more: Any) -> Field:  # noqa: A002  # the attribute's name
    return Field(name, name, help, sort, Place.TEMPLATE, check, *held, **more)


FIELDS: tuple[Field, ...] = (
    _in_template(
        "subnetId",
        "The subnet that servers are launched into.",
        Sort.TEXT,
        checks.matching(r"subnet-[0-9a-f]{8,17}", "a subnet id"),
        holding.SUBNET,
        levels=_NOT_EVERYWHERE,
    ),
    _in_template(
        "securityGroupIds",
        "The security groups of the launched instance.",
        Sort.LIST,
        checks.security_groups,
        holding.SECURITY_GROUPS,
        levels=_NOT_EVERYWHERE,
    ),
    _in_template(
        "staticPrivateIp",
        "A private address that is this server's alone. Turns copyPrivateIp off.",
        Sort.TEXT,
        checks.address,
        holding.PRIVATE_IP,
        levels=_ONE_SERVER,
    ),
    _in_template(
        "associatePublicIp",
        "Whether the launched instance gets a public address.",
        Sort.FLAG,
        checks.flag,
        holding.PUBLIC_IP,
    ),
    _in_template(
        "instanceType",
        "The instance type, as AWS spells it. Turns right-sizing off, which would replace it.",
        Sort.TEXT,
        checks.matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "an instance type"),
        holding.INSTANCE_TYPE,
    ),
    _in_template(
        "instanceProfileName",
        "The IAM instance profile, by name.",
        Sort.TEXT,
        checks.matching(r"[\w+=,.@-]{1,128}", "the name of an instance profile"),
        holding.INSTANCE_PROFILE,
    ),
    _in_drs(
        "targetInstanceTypeRightSizingMethod",
        "How DRS chooses the instance type.",
        Sort.CHOICE,
        checks.one_of("NONE", "BASIC", "IN_AWS"),
        choices=("NONE", "BASIC", "IN_AWS"),
    ),
    _in_drs(
        "copyPrivateIp",
        "Whether the launched instance gets the private address of its source.",
        Sort.FLAG,
        checks.flag,
    ),
    _in_drs(
        "copyTags",
        "Whether the source server's tags are copied to the launched instance.",
        Sort.FLAG,
        checks.flag,
    ),
    _in_drs(
        "launchDisposition",
        "Whether instances are started when they have been launched.",
        Sort.CHOICE,
        checks.one_of("STARTED", "STOPPED"),
        choices=("STARTED", "STOPPED"),
    ),
    _in_drs(
        "licensing",
        "Whether the operating system's license is brought along.",
        Sort.FLAG,
        checks.member("osByol", checks.flag),
        inner="osByol",
    ),
    _in_drs(
        "postLaunchEnabled",
        "Whether DRS runs its post-launch actions.",
        Sort.FLAG,
        checks.flag,
    ),
    _in_drs(
        "name",
        "The name of the launch configuration in DRS.",
        Sort.TEXT,
        checks.text(128),
        levels=_NOT_EVERYWHERE,
    ),
    _in_drs(
        "recoveryMode",
        "Whether DRS launches faster, or into an optimal state.",
        Sort.CHOICE,
        checks.one_of("FAST", "OPTIMAL"),
        choices=("FAST", "OPTIMAL"),
    ),
    _in_drs(
        "launchIntoInstanceProperties",
        "A prepared, stopped instance with the tag AWSDRS=AllowLaunchingIntoThisInstance that the "
        "server is launched into. Turns copyPrivateIp and copyTags off.",
        Sort.TEXT,
        checks.member(
            "launchIntoEC2InstanceID", checks.matching(r"i-[0-9a-f]{8,17}", "an instance id")
        ),
        inner="launchIntoEC2InstanceID",
        levels=_ONE_SERVER,
    ),
    _in_template(
        "monitoring",
        "Whether the launched instance has detailed monitoring.",
        Sort.FLAG,
        checks.flag,
        holding.MONITORING,
    ),
    _in_template(
        "disableApiTermination",
        "Whether the launched instance is protected from termination. DRS cannot clean up or "
        "relaunch an instance that is.",
        Sort.FLAG,
        checks.flag,
        holding.TERMINATION_PROTECTION,
    ),
    _in_template(
        "tags",
        "Tags of the launched instance and its volumes.",
        Sort.TAGS,
        checks.tags,
        holding.TAGS,
    ),
    _in_template(
        "creditSpecification",
        "How a burstable instance spends CPU credits.",
        Sort.CHOICE,
        checks.member("cpuCredits", checks.one_of("standard", "unlimited")),
        holding.CREDITS,
        choices=("standard", "unlimited"),
        inner="cpuCredits",
    ),
)
BY_NAME = {field.name: field for field in FIELDS}

# What the reference system took, or refuses, and neither DRS nor its launch template can hold.
_IGNORED = "DRS ignores it in a launch template, so it would be kept and never applied"
BLOCKED: Mapping[str, str] = {
    "imageId": "DRS launches from the server's own disks",
    "userData": _IGNORED,
    "blockDeviceMappings": "DRS makes the volumes as the source server's disks are",
    "placementGroup": "it is not among the settings that may be changed",
    "availabilityZone": "the subnet decides it",
    "keyName": _IGNORED,
    "ebsOptimized": _IGNORED,
    "bootMode": "DRS keeps the boot mode of the source server, and has no setting for it",
}


def checked(values: Mapping[str, Any], *, level: SettingsLevel) -> Values:
    """`values` as they are kept at `level`: what is null is not set. Raises BadValues."""
    problems = [*_refused_names(values)]
    kept: Values = {}
    for name, value in values.items():
        field = BY_NAME.get(name)
        if field is None or value is None:
            continue
        if level not in field.levels:
            levels = " or ".join(
                each.label.lower() for each in SettingsLevel if each in field.levels
            )
            message = f"{field.label} is set for a {levels}, not for the {level.label.lower()}."
            problems.append(Problem(name, "FIELD_NOT_AT_THIS_LEVEL", message))
            continue
        try:
            kept[name] = field.check(value)
        except BadValue as bad:
            problems.append(Problem(name, bad.code, f"{field.label}: {bad.message}"))
    problems += _contradictions(kept) if not problems else []
    if problems:
        raise BadValues(problems)
    return kept


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field, in a code and a sentence."""

    field: str
    code: str
    message: str


class BadValues(ValueError):
    """Launch settings that cannot be kept. `problems` has them all."""

    def __init__(self, problems: Collection[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


def _refused_names(values: Mapping[str, Any]) -> list[Problem]:
    problems = []
    for name in sorted(values.keys() - BY_NAME.keys()):
        if name in BLOCKED:
            message = f"{name} cannot be set: {BLOCKED[name]}."
            problems.append(Problem(name, "BLOCKED_FIELDS_PRESENT", message))
        else:
            message = f"There is no launch setting {name[:100]!r}."
            problems.append(Problem(name[:100], "UNKNOWN_FIELDS_PRESENT", message))
    return problems


def _contradictions(kept: Values) -> list[Problem]:
    """What one level may not say in one breath. Between levels the narrower one wins."""
    problems = []
    into = "launchIntoInstanceProperties"
    if into in kept:
        for name in ("copyTags", "copyPrivateIp", "staticPrivateIp"):
            if kept.get(name):
                message = f"A server that is launched into an instance cannot have {name}."
                problems.append(Problem(name, "LAUNCH_INTO_EXCLUDES", message))
    if "staticPrivateIp" in kept and kept.get("copyPrivateIp"):
        message = "A server with an address of its own cannot copy that of its source."
        problems.append(Problem("copyPrivateIp", "STATIC_IP_EXCLUDES", message))
    if "instanceType" in kept and kept.get("targetInstanceTypeRightSizingMethod", "NONE") != "NONE":
        message = "Right-sizing would replace the instance type at the next launch."
        problems.append(Problem("instanceType", "RIGHT_SIZING_EXCLUDES", message))
    return problems
