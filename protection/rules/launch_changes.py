"""What has to be written so that DRS and EC2 hold what is wanted, and what differs from it."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from protection.rules.launch_fields import BY_NAME, Place


@dataclass(frozen=True, slots=True)
class Held:
    """What DRS and the default version of the launch template hold, as they spell it."""

    configuration: Mapping[str, Any]
    template: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as it should be. `actual` is None where nothing is held."""

    field: str
    intended: Any
    actual: Any

    def as_dict(self) -> dict[str, Any]:
        return {"field": self.field, "intended": self.intended, "actual": self.actual}


@dataclass(frozen=True, slots=True)
class TemplateChange:
    """New values of whole members of a template's data, and members that have to go."""

    members: dict[str, Any]
    gone: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.members or self.gone)


def differences(wanted: Mapping[str, Any], held: Held) -> list[Difference]:
    """Each field of `wanted` that is held otherwise, or not at all."""
    found = []
    for name, value in wanted.items():
        field = BY_NAME[name]
        actual = field.read(_place(held, field.place), value)
        if not _same(value, actual):
            found.append(Difference(field.label, value, actual))
    return found


def configuration_change(
    wanted: Mapping[str, Any], configuration: Mapping[str, Any]
) -> dict[str, Any]:
    """The members of DRS's launch configuration that have to be written; empty for none."""
    new = _written(wanted, configuration, Place.DRS)
    return {name: value for name, value in new.items() if value != configuration.get(name)}


def template_change(wanted: Mapping[str, Any], data: Mapping[str, Any]) -> TemplateChange:
    """What a new version of the launch template has to change in the data of the default one.

    Members that are not wanted differently are not in it: the new version inherits them.
    """
    new = _written(wanted, data, Place.TEMPLATE)
    members = {name: value for name, value in new.items() if value and value != data.get(name)}
    members |= {name: value for name, value in new.items() if _is_false(value, data.get(name))}
    gone = {name for name in data if not new.get(name) and name not in members and data[name]}
    return TemplateChange(members, frozenset(gone))


def _written(wanted: Mapping[str, Any], there: Mapping[str, Any], place: Place) -> dict[str, Any]:
    new = deepcopy(dict(there))
    for name, value in wanted.items():
        field = BY_NAME[name]
        if field.place is place and not _same(value, field.read(there, value)):
            field.write(new, value)
    return new


def _is_false(value: Any, before: Any) -> bool:
    return value is False and before is not False


def _place(held: Held, place: Place) -> Mapping[str, Any]:
    return held.configuration if place is Place.DRS else held.template


def _same(wanted: Any, actual: Any) -> bool:
    """Whether nothing has to be done: tags that are to go are gone if none is there."""
    if isinstance(wanted, dict) and (actual is None or isinstance(actual, dict)):
        there = actual or {}
        return all(there.get(key) == value for key, value in wanted.items())
    return bool(wanted == actual)
