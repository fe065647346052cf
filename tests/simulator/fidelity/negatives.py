"""Requests that the DRS model forbids, made from its input shapes.

Each starts from a valid request and breaks one thing, at every depth: a required member left
out, a bound passed by one, a pattern or an enum not met, a JSON type that is another.
"""

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drportal.simulator.shapes import operation_model

UNMATCHED = "\u20ac€ no pattern of the model takes this €"
WRONG_TYPES: dict[str, list[Any]] = {
    "string": [7, True, ["x"], {"x": "y"}],
    "integer": ["seven", True, 1.5, [1], 2**40],
    "long": ["seven", True, 1.5, [1], 2**70],
    "boolean": ["true", 1, [True]],
    "list": ["x", 1, {"x": "y"}],
    "map": ["x", 1, ["x"]],
    "structure": ["x", 1, ["x"]],
}


@dataclass(frozen=True)
class Negative:
    """A request body of `operation` that must be refused, and the reason DRS must give."""

    operation: str
    broken: str
    params: dict[str, Any]
    reason: str

    def __str__(self) -> str:
        return f"{self.operation}: {self.broken}"


def example(shape: Any) -> Any:
    """A value that fits `shape`, with every member given."""
    match shape.type_name:
        case "structure":
            names = list(shape.members)[:1] if shape.is_tagged_union else list(shape.members)
            return {name: example(shape.members[name]) for name in names}
        case "list":
            return [example(shape.member) for _ in range(max(1, shape.metadata.get("min", 0)))]
        case "map":
            return {example(shape.key): example(shape.value)}
        case "boolean":
            return True
        case "integer" | "long":
            return max(1, shape.metadata.get("min", 1))
        case "timestamp":
            return "2025-01-01T00:00:00Z"
    return _text(shape)


def _text(shape: Any) -> str:
    if shape.enum:
        return str(shape.enum[0])
    pattern = shape.metadata.get("pattern")
    candidates = [text for text in _TEXTS if pattern is None or re.fullmatch(pattern, text)]
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", 10**9)
    return next(text for text in candidates if least <= len(text) <= most)


_SEVENTEEN = "0123456789abcdef0"
_TEXTS = (
    *(f"{prefix}-{_SEVENTEEN}" for prefix in ("s", "i", "drsjob", "pit", "lct", "rct", "sn")),
    f"vpc-{_SEVENTEEN}",
    f"subnet-{_SEVENTEEN}",
    f"sg-{_SEVENTEEN}",
    f"arn:aws:drs:us-east-1:123456789012:source-server/s-{_SEVENTEEN}",
    "2025-01-01T00:00:00Z",
    "01234567-89ab-cdef-0123-456789abcdef",
    "123456789012",
    "us-east-1",
    "$DEFAULT",
    "example",
    "",
)


def negatives(operation: str) -> Iterator[Negative]:
    """Every single-fault request of an operation."""
    shape = operation_model(operation).input_shape
    if shape is None:
        return
    base = example(shape)
    for path, member in _places(shape, base, ()):
        for broken, value, reason in _faults(member):
            yield Negative(
                operation, f"{_written(path)} {broken}", _with(base, path, value), reason
            )
    for path in _required(shape, base, ()):
        yield Negative(
            operation, f"{_written(path)} left out", _without(base, path), "fieldValidationFailed"
        )


Path = tuple[str | int, ...]


def _places(shape: Any, value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    match shape.type_name:
        case "structure":
            inside = [(name, member) for name, member in shape.members.items() if name in value]
        case "list":
            inside = [(0, shape.member)] if value else []
        case "map":
            inside = [(key, shape.value) for key in value]
        case _:
            inside = []
    for step, inner in inside:
        yield (*path, step), inner
        yield from _places(inner, value[step], (*path, step))


def _required(shape: Any, value: Any, path: Path) -> Iterator[Path]:
    if shape.type_name == "structure":
        yield from ((*path, name) for name in shape.required_members)
    for inner_path, inner in _places(shape, value, path):
        if inner.type_name == "structure":
            yield from ((*inner_path, name) for name in inner.required_members)


def _faults(shape: Any) -> Iterator[tuple[str, Any, str]]:
    for wrong in WRONG_TYPES.get(shape.type_name, ()):
        yield f"as {type(wrong).__name__} {wrong!r}", wrong, "cannotParse"
    reason = "fieldValidationFailed"
    if (most := shape.metadata.get("max")) is not None:
        yield f"above {most}", _sized(shape, most + 1), reason
    if (least := shape.metadata.get("min")) and shape.type_name != "map":
        yield f"below {least}", _sized(shape, least - 1), reason
    if getattr(shape, "enum", None):
        yield "outside the enum", "NO_SUCH_VALUE", reason
    if (pattern := shape.metadata.get("pattern")) and not re.fullmatch(pattern, UNMATCHED):
        yield "against the pattern", UNMATCHED, reason


def _sized(shape: Any, size: int) -> Any:
    match shape.type_name:
        case "string":
            return "a" * size
        case "list":
            return [example(shape.member)] * size
        case "map":
            return {f"{example(shape.key)}{number}": example(shape.value) for number in range(size)}
    return size


def _with(base: Any, path: Path, value: Any) -> Any:
    changed = copy.deepcopy(base)
    _parent(changed, path)[path[-1]] = value
    return changed


def _without(base: Any, path: Path) -> Any:
    changed = copy.deepcopy(base)
    del _parent(changed, path)[path[-1]]
    return changed


def _parent(value: Any, path: Path) -> Any:
    for step in path[:-1]:
        value = value[step]
    return value


def _written(path: Path) -> str:
    return ".".join(str(step) for step in path)
