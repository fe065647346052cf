"""A strict walk of a value along a botocore shape.

botocore checks neither patterns nor enums nor upper bounds, and moto checks nothing, so both
directions are walked here: what a caller sends, and what the simulator answers.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel, Shape

INT32 = 2**31 - 1
INT64 = 2**63 - 1
# The model gives EbsVolumeID at most 19 characters, and a pattern that takes EC2's ids of 21.
UNBOUNDED = frozenset({"EbsVolumeID"})
SHOWN = 80  # characters of a refused value that a message repeats


class Deviation(StrEnum):
    """Where DRS itself is known to break its model (field notes)."""

    LAUNCH_END = "LAUNCH_END"  # a job log event that the enum lacks
    OFFSET_TIMESTAMP = "OFFSET_TIMESTAMP"  # `+00:00` where the pattern demands `Z`


REAL_WORLD: frozenset[Deviation] = frozenset(Deviation)


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a value does not fit its shape. `name` is the path: `items[0].arn`."""

    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Rules:
    """How strict a walk is."""

    unknown_members: bool = False  # report members that the shape does not have
    types_only: bool = False
    deviations: frozenset[Deviation] = frozenset()


@cache
def service() -> ServiceModel:
    """The DRS model of the installed botocore."""
    return ServiceModel(create_loader().load_service_model("drs", "service-2"), "drs")


@cache
def operation_model(operation: str) -> OperationModel:
    """The model of an operation by its AWS name. `OperationNotFoundError` for an unknown one."""
    return service().operation_model(operation)


@cache
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def problems(value: object, shape: Shape, rules: Rules, name: str = "") -> Iterator[Problem]:
    """Every way in which `value` does not fit `shape`; nothing when it fits."""
    expected, fits = _TYPES[shape.type_name]
    if not fits(value):
        yield Problem(name or "body", f"must be {expected}, not {_shown(value)}")
        return
    if not rules.types_only:
        yield from _breaches(value, shape, rules, name)
    if (inside := _INSIDE.get(shape.type_name)) is not None:
        yield from inside(value, shape, rules, name)


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _is_integer(value: object, limit: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -limit - 1 <= value <= limit


_TYPES: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "structure": ("an object", lambda value: isinstance(value, Mapping)),
    "map": ("an object", lambda value: isinstance(value, Mapping)),
    "list": ("a list", lambda value: isinstance(value, list | tuple)),
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("a 32-bit integer", lambda value: _is_integer(value, INT32)),
    "long": ("a 64-bit integer", lambda value: _is_integer(value, INT64)),
    "timestamp": (
        "a time",
        lambda value: (
            isinstance(value, datetime | str | int | float) and not isinstance(value, bool)
        ),
    ),
}


def _structure(value: Mapping[str, Any], shape: Any, rules: Rules, name: str) -> Iterator[Problem]:
    # A member that is null counts as absent, as it does for botocore and for moto's parser.
    present = {member: inner for member, inner in value.items() if inner is not None}
    if not rules.types_only:
        yield from _membership(present, shape, rules, name)
    for member, inner_shape in shape.members.items():
        if member in present:
            yield from problems(present[member], inner_shape, rules, _dotted(name, member))


def _membership(
    present: Mapping[str, Any], shape: Any, rules: Rules, name: str
) -> Iterator[Problem]:
    for member in shape.required_members:
        if member not in present:
            yield Problem(_dotted(name, member), "is required")
    if rules.unknown_members:
        for member in sorted(present.keys() - shape.members.keys()):
            yield Problem(_dotted(name, member), f"is not a member of {shape.name}")
    if shape.is_tagged_union and len(present) != 1:
        yield Problem(name, f"must have exactly one member of {sorted(shape.members)}")


def _list(value: list[Any], shape: Any, rules: Rules, name: str) -> Iterator[Problem]:
    for position, inner in enumerate(value):
        yield from problems(inner, shape.member, rules, f"{name}[{position}]")


def _map(value: Mapping[str, Any], shape: Any, rules: Rules, name: str) -> Iterator[Problem]:
    for key, inner in value.items():
        yield from problems(key, shape.key, rules, f"{name}[key {_shown(key)}]")
        yield from problems(inner, shape.value, rules, f"{name}[{_shown(key)}]")


_INSIDE: Mapping[str, Callable[[Any, Any, Rules, str], Iterator[Problem]]] = {
    "structure": _structure,
    "list": _list,
    "map": _map,
}


def _dotted(name: str, member: str) -> str:
    return f"{name}.{member}" if name else member


def _breaches(value: Any, shape: Shape, rules: Rules, name: str) -> Iterator[Problem]:
    yield from _bounds(value, shape, name)
    if shape.type_name == "string":
        yield from _text(value, shape, rules, name)


def _bounds(value: Any, shape: Shape, name: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is None and most is None) or shape.name in UNBOUNDED:
        return
    counted = shape.type_name in {"string", "list", "map"}
    size = len(value) if counted else value
    what = {"string": "length", "list": "number of entries", "map": "number of entries"}.get(
        shape.type_name, "value"
    )
    if least is not None and size < least:
        yield Problem(name, f"{what} must be at least {least}, not {size}")
    if most is not None and size > most:
        yield Problem(name, f"{what} must be at most {most}, not {size}")


def _text(value: str, shape: Any, rules: Rules, name: str) -> Iterator[Problem]:
    if shape.enum and value not in shape.enum and not _known_event(value, shape, rules):
        yield Problem(name, f"must be one of {', '.join(shape.enum)}, not {_shown(value)}")
    pattern = shape.metadata.get("pattern")
    if pattern is None or _regex(pattern).fullmatch(value):
        return
    if not _known_timestamp(value, shape, rules, pattern):
        yield Problem(name, f"must match {pattern}, not {_shown(value)}")


def _known_event(value: str, shape: Shape, rules: Rules) -> bool:
    return (
        Deviation.LAUNCH_END in rules.deviations
        and shape.name == "JobLogEvent"
        and value == "LAUNCH_END"
    )


def _known_timestamp(value: str, shape: Shape, rules: Rules, pattern: str) -> bool:
    return (
        Deviation.OFFSET_TIMESTAMP in rules.deviations
        and shape.name == "ISO8601DatetimeString"
        and value.endswith("+00:00")
        and _regex(pattern).fullmatch(f"{value.removesuffix('+00:00')}Z") is not None
    )
