"""How DRS and an EC2 launch template hold each launch setting.

Each is a pair of functions. The first reads the setting out of what the place holds, in the form
in which the portal keeps it; None where the place holds none. The second writes it into a copy of
that. It changes only what the setting is, and None takes it away, for the settings that the
portal may take away again.
"""

from collections.abc import Callable, Mapping
from typing import Any

Data = dict[str, Any]
Read = Callable[[Mapping[str, Any], Any], Any]
Write = Callable[[Data, Any], None]
Held = tuple[Read, Write]

# The tag specifications that DRS takes from a template (DRS launch-template synchronizer).
_TAGGED = ("instance", "volume")


def drs_member(name: str, *inner: str) -> Held:
    """A member of DRS's launch configuration; with `inner`, an object with that one member."""

    def read(configuration: Mapping[str, Any], _: Any) -> Any:
        value = configuration.get(name)
        if not inner or value is None:
            return value
        said = value.get(inner[0])
        return {inner[0]: said} if said not in (None, "") else None

    def write(configuration: Data, value: Any) -> None:
        # An object without its member is how the portal takes "launch into" away again.
        configuration[name] = {} if value is None else value

    return read, write


def _template_member(name: str, inner: str, keeps: str = "") -> Held:
    def read(data: Mapping[str, Any], _: Any) -> Any:
        said = (data.get(name) or {}).get(inner)
        return {keeps: said} if keeps and said is not None else said

    def write(data: Data, value: Any) -> None:
        data[name] = {**(data.get(name) or {}), inner: value[keeps] if keeps else value}

    return read, write


# The first network interface.


def _interface(data: Mapping[str, Any]) -> Mapping[str, Any]:
    listed = data.get("NetworkInterfaces") or [{}]
    first: Mapping[str, Any] = min(listed, key=lambda each: each.get("DeviceIndex", 0))
    return first


def _own_interface(data: Data) -> Data:
    """The first interface, to be changed; made if there is none.

    EC2 refuses security groups beside interfaces, so those of the template move into it.
    """
    if not data.get("NetworkInterfaces"):
        data["NetworkInterfaces"] = [{"DeviceIndex": 0}]
    found: Data = min(data["NetworkInterfaces"], key=lambda each: each.get("DeviceIndex", 0))
    groups = data.pop("SecurityGroupIds", None)
    if groups:
        found.setdefault("Groups", groups)
    return found


def _read_interface(name: str) -> Read:
    def read(data: Mapping[str, Any], _: Any) -> Any:
        return _interface(data).get(name)

    return read


def _write_interface(name: str) -> Write:
    def write(data: Data, value: Any) -> None:
        _own_interface(data)[name] = value

    return write


def _read_groups(data: Mapping[str, Any], _: Any) -> list[str] | None:
    groups = _interface(data).get("Groups") or data.get("SecurityGroupIds")
    return sorted(groups) if groups else None


def _primary(interface: Mapping[str, Any]) -> Any:
    listed = interface.get("PrivateIpAddresses") or []
    return next((each for each in listed if each.get("Primary")), None)


def _read_address(data: Mapping[str, Any], _: Any) -> str | None:
    interface = _interface(data)
    primary = _primary(interface) or {}
    return interface.get("PrivateIpAddress") or primary.get("PrivateIpAddress")


def _write_address(data: Data, value: str | None) -> None:
    interface = _own_interface(data)
    primary = _primary(interface)
    if primary is not None:  # EC2 takes the primary address in one of the two places only
        interface["PrivateIpAddresses"].remove(primary)
        if not interface["PrivateIpAddresses"]:
            del interface["PrivateIpAddresses"]
    interface.pop("PrivateIpAddress", None)
    if value is not None:
        interface["PrivateIpAddress"] = value


# The rest.


def _read_type(data: Mapping[str, Any], _: Any) -> Any:
    return data.get("InstanceType")


def _write_type(data: Data, value: str) -> None:
    data["InstanceType"] = value
    data.pop("InstanceRequirements", None)  # EC2 takes one or the other


def _read_profile(data: Mapping[str, Any], _: Any) -> str | None:
    profile = data.get("IamInstanceProfile") or {}
    return profile.get("Name") or profile.get("Arn", "").rsplit("/", 1)[-1] or None


def _write_profile(data: Data, value: str) -> None:
    data["IamInstanceProfile"] = {"Name": value}


def _read_protection(data: Mapping[str, Any], _: Any) -> Any:
    return data.get("DisableApiTermination")


def _write_protection(data: Data, value: bool) -> None:  # noqa: FBT001  # every setting is written alike
    data["DisableApiTermination"] = value


def _tags_of(data: Mapping[str, Any], kind: str) -> dict[str, str]:
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in data.get("TagSpecifications") or []
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags") or []
    }


def _read_tags(data: Mapping[str, Any], wanted: Any) -> dict[str, Any] | None:
    """Of the tags that are wanted only: the others are not the portal's.

    A tag that instances and volumes hold differently is told as both.
    """
    instance, volume = (_tags_of(data, kind) for kind in _TAGGED)
    found: dict[str, Any] = {}
    for key in wanted or {}:
        ours, theirs = instance.get(key), volume.get(key)
        found[key] = ours if ours == theirs else f"{ours} (instance), {theirs} (volume)"
    return found or None


def _write_tags(data: Data, value: Mapping[str, str | None]) -> None:
    specifications = list(data.get("TagSpecifications") or [])
    for kind in _TAGGED:
        others = [each for each in specifications if each.get("ResourceType") != kind]
        tags = {**_tags_of(data, kind), **value}
        kept = [{"Key": key, "Value": said} for key, said in tags.items() if said is not None]
        specifications = [*others, {"ResourceType": kind, "Tags": kept}] if kept else others
    data["TagSpecifications"] = specifications


SUBNET: Held = (_read_interface("SubnetId"), _write_interface("SubnetId"))
SECURITY_GROUPS: Held = (_read_groups, _write_interface("Groups"))
PRIVATE_IP: Held = (_read_address, _write_address)
PUBLIC_IP: Held = (
    _read_interface("AssociatePublicIpAddress"),
    _write_interface("AssociatePublicIpAddress"),
)
INSTANCE_TYPE: Held = (_read_type, _write_type)
INSTANCE_PROFILE: Held = (_read_profile, _write_profile)
MONITORING: Held = _template_member("Monitoring", "Enabled")
TERMINATION_PROTECTION: Held = (_read_protection, _write_protection)
TAGS: Held = (_read_tags, _write_tags)
CREDITS: Held = _template_member("CreditSpecification", "CpuCredits", keeps="cpuCredits")
