"""Reading bodies: JSON of bounded size, and nothing that would be taken otherwise than sent."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from drportal.api.errors import BodyTooLarge, LengthRequired, MalformedJson


class LimitedJSONParser(BaseParser):
    """JSON (RFC 8259) in UTF-8, up to DATA_UPLOAD_MAX_MEMORY_SIZE bytes.

    A longer body is refused unread. Refused as malformed: a name that an object holds twice, NaN
    and Infinity, and text that PostgreSQL cannot hold (NUL, halves of surrogate pairs).
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  # DRF's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002  # DRF's signature
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise BodyTooLarge(limit)
        return _loaded(body)


def must_have_a_fitting_length(request: Request) -> None:
    """Refuse a body that is too long or does not say how long it is, before any of it is read."""
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdecimal() and int(length) > limit:
        raise BodyTooLarge(limit)


def _loaded(body: bytes) -> Any:
    try:
        found = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_without_doubles,
            parse_constant=_no_number,
            parse_float=_finite,
        )
        _must_be_storable(found)
    except RecursionError as error:
        raise MalformedJson("The body is nested too deeply.") from error
    except UnicodeError as error:
        raise MalformedJson("The body holds text that is not UTF-8.") from error
    except ValueError as error:
        raise MalformedJson(f"The body is not JSON: {error}.") from error
    return found


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise MalformedJson(f"The body names {name[:100]!r} twice in one object.")
        found[name] = value
    return found


def _no_number(word: str) -> NoReturn:
    raise MalformedJson(f"{word} is not a number in JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise MalformedJson("The body holds a number that is too large.")
    return number


def _must_be_storable(found: Any) -> None:
    if isinstance(found, str):
        if "\x00" in found:
            raise MalformedJson("The body holds a NUL character.")
        found.encode("utf-8")
    elif isinstance(found, dict):
        for name, held in found.items():
            _must_be_storable(name)
            _must_be_storable(held)
    elif isinstance(found, list):
        for held in found:
            _must_be_storable(held)
