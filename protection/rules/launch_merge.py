"""What a server's launch settings come to: three levels, one over the other.

The narrower level goes before the wider one, field by field: a field that a level sets replaces
the whole field of the wider level, and one that it does not set leaves it. A server that REPLACEs
leaves its group's settings out; the installation's still lie beneath, because they are what the
portal promises of every server.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from protection.choices import Combination, SettingsLevel
from protection.rules.launch_fields import Values

_STATIC, _COPY_IP, _COPY_TAGS = "staticPrivateIp", "copyPrivateIp", "copyTags"
_INTO, _TYPE = "launchIntoInstanceProperties", "instanceType"
_SIZING = "targetInstanceTypeRightSizingMethod"
# From narrow to wide.
_WIDTH = {SettingsLevel.SERVER: 0, SettingsLevel.GROUP: 1, SettingsLevel.INSTALLATION: 2}
# What the portal takes away again once it is no longer set. Everything else it leaves as it is:
# an instance without a type or a subnet would not launch, or launch where nobody wants it.
_TAKEN_AWAY = (_STATIC, _INTO)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the whole. `because` names the other field that makes it so, if one does."""

    value: Any
    level: SettingsLevel
    because: str = ""


@dataclass(frozen=True, slots=True)
class Layers:
    """What each level sets for one server."""

    installation: Mapping[str, Any]
    group: Mapping[str, Any]
    server: Mapping[str, Any]
    combination: Combination = Combination.ADD


def merged(layers: Layers) -> dict[str, Setting]:
    """Every field that is set for a server, and which level says so."""
    narrowing = [(SettingsLevel.INSTALLATION, layers.installation)]
    if layers.combination != Combination.REPLACE:
        narrowing.append((SettingsLevel.GROUP, layers.group))
    narrowing.append((SettingsLevel.SERVER, layers.server))
    found: dict[str, Setting] = {}
    for level, values in narrowing:
        for name, value in values.items():
            if value is not None:
                found[name] = Setting(value, level)
    _settle_launch_into(found)
    _settle_address(found)
    _settle_type(found)
    return dict(sorted(found.items()))


def values_of(settings: Mapping[str, Setting]) -> Values:
    """The fields and their values, without who says so."""
    return {name: setting.value for name, setting in settings.items()}


def intended(layers: Layers) -> Values:
    """The values that a server is to have."""
    return values_of(merged(layers))


def with_withdrawals(values: Mapping[str, Any], applied: Mapping[str, Any] | None) -> Values:
    """`values`, and null for what was applied once, is no longer set and is to be taken away."""
    wanted = dict(values)
    before = applied or {}
    for name in _TAKEN_AWAY:
        if name in before and name not in wanted:
            wanted[name] = None
    gone = (before.get("tags") or {}).keys() - (wanted.get("tags") or {}).keys()
    if gone:
        wanted["tags"] = {**(wanted.get("tags") or {}), **dict.fromkeys(sorted(gone))}
    return dict(sorted(wanted.items()))


def without_withdrawals(values: Mapping[str, Any]) -> Values:
    """What `values` set, without what they take away: the reverse of `with_withdrawals`."""
    kept = {name: value for name, value in values.items() if value is not None}
    tags = {key: said for key, said in (kept.pop("tags", None) or {}).items() if said is not None}
    return dict(sorted({**kept, **({"tags": tags} if tags else {})}.items()))


def _settle_launch_into(found: dict[str, Setting]) -> None:
    into = found.get(_INTO)
    if into is None:
        return
    found.pop(_STATIC, None)  # the instance keeps the address that it has
    for name in (_COPY_TAGS, _COPY_IP):  # DRS refuses them (DRS user guide)
        found[name] = _forced(found.get(name), value=False, by=into, because=_INTO)


def _settle_address(found: dict[str, Setting]) -> None:
    static = found.get(_STATIC)
    if static is not None:
        found[_COPY_IP] = _forced(found.get(_COPY_IP), value=False, by=static, because=_STATIC)


def _settle_type(found: dict[str, Setting]) -> None:
    """DRS's right-sizing writes the type anew at each launch, so it is one or the other."""
    wanted, sizing = found.get(_TYPE), found.get(_SIZING)
    if wanted is None:
        return
    sizes = sizing is not None and sizing.value != "NONE"
    if sizing is not None and sizes and _WIDTH[sizing.level] < _WIDTH[wanted.level]:
        del found[_TYPE]
        return
    found[_SIZING] = _forced(sizing, value="NONE", by=wanted, because=_TYPE)


def _forced(there: Setting | None, *, value: Any, by: Setting, because: str) -> Setting:
    if there is not None and there.value == value:
        return there
    return Setting(value, by.level, because)
