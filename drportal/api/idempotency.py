"""Writes that may be sent twice: the same key and request is done once and answered alike.

The transaction of the write holds an advisory lock of PostgreSQL on the key and the row with the
answer. So a process that dies leaves neither an effect nor a key that is in use.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from drportal.api.errors import KeyInUse, KeyReused
from drportal.api.models import IdempotencyKey
from drportal.errors import InvalidInput

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_FOR = timedelta(hours=24)

_FIT = re.compile(r"[\x21-\x7e]{1,255}")
_HEADERS = ("Location",)
# What these say may be another thing the next time, and none of them had an effect.
_NOT_KEPT = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    | {HTTPStatus.TOO_MANY_REQUESTS}
)


class _NotKept(Exception):
    """Leaves the transaction with the answer that is not to be kept, undoing what was done."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def key_of(request: Request) -> str | None:
    """The request's idempotency key. Raises InvalidInput if it is not a fit one."""
    key = request.headers.get(HEADER)
    if key is not None and not _FIT.fullmatch(key):
        message = "A key has 1 to 255 visible ASCII characters."
        raise InvalidInput.field(HEADER, "invalid_idempotency_key", message)
    return key


def once(request: Request, key: str, answer: Callable[[], Response]) -> Response:
    """What `answer` returns, or what it returned for the same request with this key before.

    A refusal that a later try may not meet (401, 403, 404, 429, 5xx) is returned and not kept.
    Raises KeyReused and KeyInUse.
    """
    digest, user_id = _digest(request), _user_id(request)
    try:
        with transaction.atomic():
            _lock(f"{user_id}:{key}")
            kept = IdempotencyKey.objects.filter(user_id=user_id, key=key).first()
            if kept is not None and kept.created_at > timezone.now() - KEPT_FOR:
                return _replay(kept, request, digest)
            if kept is not None:
                kept.delete()
            response = answer()
            if response.status_code >= 500 or response.status_code in _NOT_KEPT:  # noqa: PLR2004  # HTTP
                raise _NotKept(response)
            _keep(request, key, digest, response)
            return response
    except _NotKept as undone:
        return undone.response


def purge() -> int:
    """Forget the keys that are older than 24 hours, and say how many there were."""
    gone, _ = IdempotencyKey.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()
    return gone


def _lock(name: str) -> None:
    """Hold `name` until the transaction ends. Whoever comes second does not wait for it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        (held,) = cursor.fetchone()
    if not held:
        raise KeyInUse


def _replay(kept: IdempotencyKey, request: Request, digest: str) -> Response:
    if (kept.method, kept.path, kept.digest) != (request.method, request.path, digest):
        raise KeyReused
    headers: dict[str, str] = dict(kept.headers)
    content_type = headers.pop("Content-Type", None)
    return Response(
        kept.body,
        status=kept.status,
        headers={**headers, REPLAYED: "true"},
        content_type=content_type,
    )


def _keep(request: Request, key: str, digest: str, response: Response) -> None:
    headers = {name: response.headers[name] for name in _HEADERS if name in response.headers}
    if response.content_type:
        headers["Content-Type"] = response.content_type
    IdempotencyKey.objects.create(
        user_id=_user_id(request),
        key=key,
        method=request.method or "",
        path=request.path,
        digest=digest,
        status=response.status_code,
        headers=headers,
        body=json.loads(json.dumps(response.data, cls=JSONEncoder)),
    )


def _user_id(request: Request) -> int:
    if request.user.pk is None:
        raise TypeError("nobody anonymous gets this far")
    return int(request.user.pk)


def _digest(request: Request) -> str:
    asked: list[Any] = [sorted(request.query_params.lists()), request.data]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
