"""What the simulator accepts and what it may answer, both by the DRS model of botocore."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from botocore.model import Shape

from drportal.simulator.exceptions import ValidationException
from drportal.simulator.shapes import (
    REAL_WORLD,
    Deviation,
    Problem,
    Rules,
    operation_model,
    problems,
)

TAGS_PER_RESOURCE = 50
RESERVED_TAG_PREFIX = "aws:"
NAMED = 3  # problems that the message names; `fieldList` has them all

_INTEGER_TYPES = frozenset({"integer", "long"})


class OutputMismatch(Exception):
    """An answer of the simulator that the DRS model does not allow: a defect of the simulator."""


def check_json_types(operation: str, body: bytes) -> None:
    """Refuse a body that cannot be parsed into the operation's input at all.

    It goes before moto's parser, which crashes on wrong JSON types. An empty body is an empty
    object. Raises `ValidationException` with the reason `cannotParse`.
    """
    if not body:
        return
    try:
        value = json.loads(body, parse_constant=_not_json)
    except (ValueError, RecursionError):
        _refuse([Problem("body", "is not JSON")], reason="cannotParse")
    found = _problems(value, operation_model(operation).input_shape, Rules(types_only=True))
    if found:
        _refuse(found, reason="cannotParse")


def check_query(operation: str, query: Mapping[str, str]) -> None:
    """Refuse query parameters that are no number where the operation expects one.

    The same reason and error as `check_json_types`.
    """
    found = []
    for name, shape in _members(operation_model(operation).input_shape).items():
        text = query.get(shape.serialization.get("name", name))
        in_query = shape.serialization.get("location") == "querystring"
        if text is not None and in_query and shape.type_name in _INTEGER_TYPES:
            found += _problems(_number(text), shape, Rules(types_only=True), name)
    if found:
        _refuse(found, reason="cannotParse")


def validate(operation: str, params: Mapping[str, Any]) -> None:
    """Check parsed parameters against the operation's input shape and the tag limits of AWS.

    Required members, lengths, sizes, ranges, patterns and enums, at every depth. Members that
    the model does not have are ignored. Raises `ValidationException` with the reason
    `fieldValidationFailed` and every problem in `fieldList`.
    """
    shape = operation_model(operation).input_shape
    found = _problems(params, shape, Rules())
    found += [
        problem
        for name, member in _members(shape).items()
        if member.name == "TagsMap" and isinstance(tags := params.get(name), Mapping)
        for problem in _tag_problems(tags, name)
    ]
    if found:
        _refuse(found, reason="fieldValidationFailed")


def output_problems(
    operation: str,
    result: Mapping[str, Any] | None,
    *,
    deviations: Iterable[Deviation] = REAL_WORLD,
) -> list[str]:
    """Where an answer leaves the model: unknown members too, before a serializer drops them.

    `deviations` are the real-world exceptions let through; give none for the strict model.
    """
    shape = operation_model(operation).output_shape
    if shape is None:
        return [f"{operation} answers nothing, not {sorted(result)}"] if result else []
    rules = Rules(unknown_members=True, deviations=frozenset(deviations))
    return [str(problem) for problem in _problems(result or {}, shape, rules)]


def check_output(
    operation: str,
    result: Mapping[str, Any] | None,
    *,
    deviations: Iterable[Deviation] = (),
) -> None:
    """Raise `OutputMismatch` when an answer leaves the model. No deviation by default."""
    found = output_problems(operation, result, deviations=deviations)
    if found:
        raise OutputMismatch(f"{operation}: {'; '.join(found)}")


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _members(shape: Shape | None) -> Mapping[str, Shape]:
    return getattr(shape, "members", {})


def _problems(value: object, shape: Shape | None, rules: Rules, name: str = "") -> list[Problem]:
    return [] if shape is None else list(problems(value, shape, rules, name))


def _tag_problems(tags: Mapping[str, Any], name: str) -> list[Problem]:
    found = [
        Problem(f"{name}[{key}]", f"the prefix {RESERVED_TAG_PREFIX} is reserved")
        for key in tags
        if key.lower().startswith(RESERVED_TAG_PREFIX)
    ]
    if len(tags) > TAGS_PER_RESOURCE:
        found.append(Problem(name, f"at most {TAGS_PER_RESOURCE} tags, not {len(tags)}"))
    return found


def _refuse(found: Sequence[Problem], *, reason: str) -> NoReturn:
    named = "; ".join(str(problem) for problem in found[:NAMED])
    more = f"; and {len(found) - NAMED} more" if len(found) > NAMED else ""
    raise ValidationException(
        f"{len(found)} validation error(s) detected: {named}{more}",
        reason=reason,
        fields=[(problem.name, problem.message) for problem in found],
    )
