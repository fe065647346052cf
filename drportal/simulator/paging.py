"""Pages of a list, by key rather than by offset."""

import base64
import binascii
import hashlib
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from drportal.simulator.exceptions import ValidationException

Item = TypeVar("Item")
_DIGEST = 8  # bytes: enough to notice a token that was cut, changed or taken from another list


def page(
    items: Iterable[Item],
    *,
    key: Callable[[Item], Any],
    next_token: str | None = None,
    max_results: int | None = None,
    default: int = 1000,
    reverse: bool = False,
    scope: str = "",
) -> tuple[list[Item], str | None]:
    """One page of `items` sorted by `key`, and the token of the next page or None.

    The token holds the key of the last item shown, so items that come or go between two calls
    neither break it nor repeat one. `key` must be unique, and made of strings, numbers and tuples
    of them. Give `scope` (the operation, a filter) to refuse the token of another list.
    `reverse` lists the highest key first. Raises `ValidationException` for a token that is none.
    """
    ordered = sorted(items, key=key)
    start, end = 0, len(ordered)
    if next_token:
        last = _decoded(next_token, scope)
        try:
            if reverse:
                end = bisect_left(ordered, last, key=key)
            else:
                start = bisect_right(ordered, last, key=key)
        except TypeError as error:
            raise _bad_token() from error
    left = ordered[start:end]
    if reverse:
        left.reverse()
    shown = left[: max_results or default]
    more = len(shown) < len(left)
    return shown, _encoded(key(shown[-1]), scope) if more else None


def _encoded(last: Any, scope: str) -> str:
    body = json.dumps(last, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_digest(body, scope) + body).decode()


def _decoded(token: str, scope: str) -> Any:
    try:
        raw = base64.b64decode(token.encode(), altchars=b"-_", validate=True)
    except (UnicodeError, binascii.Error) as error:
        raise _bad_token() from error
    digest, body = raw[:_DIGEST], raw[_DIGEST:]
    if digest != _digest(body, scope):
        raise _bad_token()
    return _tuples(json.loads(body))


def _digest(body: bytes, scope: str) -> bytes:
    return hashlib.sha256(scope.encode() + b"\0" + body).digest()[:_DIGEST]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def _bad_token() -> ValidationException:
    return ValidationException(
        "The nextToken is not valid.",
        reason="fieldValidationFailed",
        fields=[("nextToken", "is not a token of this list")],
    )
