"""boto3 clients with the portal's time-outs and retries, one per service, use and scope."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from django.conf import settings

from drportal.aws.boto import Keys, session
from drportal.aws.errors import AwsError, Call, Failure, NotSentInTime, translate
from drportal.aws.roles import Credentials, credentials_for
from drportal.aws.scope import Scope

_READING = ("Describe", "Get", "List", "BatchGet", "Scan", "Query", "Simulate", "Head")
_MOST_CLIENTS = 512
# What reading an answer raises where a member is missing or is of another type than the model's.
_NO_SENSE = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


class Use(Enum):
    """What a client is for, which decides how often boto may try by itself."""

    READ = auto()
    WRITE = auto()  # calls that may be repeated without harm
    WRITE_ONCE = auto()  # calls like StartRecovery, which a retry after a time-out would repeat


_ATTEMPTS: Final = {Use.READ: 3, Use.WRITE: 3, Use.WRITE_ONCE: 1}


class WriteRefused(RuntimeError):
    """A client for reading was asked to write. That is a bug, so it is no DomainError."""


_latest: ContextVar[float] = ContextVar("latest", default=math.inf)
_clients: OrderedDict[tuple[Any, ...], "_Kept"] = OrderedDict()
_lock = threading.Lock()


def client(service: str, use: Use, scope: Scope) -> Any:
    """A client for `service` in `scope`. It is shared between threads, and signs with the newest
    of the role's credentials. Raises AwsError when the role cannot be assumed.
    """
    credentials = credentials_for(scope.account, region=scope.region)
    key = (service, use, scope, settings.AWS_ENDPOINT_URL)
    with _lock:
        if key not in _clients:
            _clients[key] = _made(service, use, scope.region, credentials)
        _clients.move_to_end(key)
        while len(_clients) > _MOST_CLIENTS:
            _clients.popitem(last=False)
        kept = _clients[key]
        if credentials is not None:
            kept.sign_with(credentials)
        return kept.client


def forget_clients() -> None:
    """Drop every cached client, for a test or after a change of the environment."""
    with _lock:
        _clients.clear()


@dataclass(slots=True)
class _Kept:
    """A client, what it signs with, and which role session that is of; none for the hub's."""

    client: Any
    keys: Keys | None
    credentials: Credentials | None

    def sign_with(self, credentials: Credentials) -> None:
        """From now on, unless a thread that was faster has come with newer ones."""
        known = self.credentials
        if self.keys is None or known is None or credentials.expires_at < known.expires_at:
            return
        self.keys.change(**credentials.as_keys())
        self.credentials = credentials


def _made(service: str, use: Use, region: str, credentials: Credentials | None) -> _Kept:
    keys = Keys(**credentials.as_keys()) if credentials else None
    return _Kept(_make(service, use, region, keys), keys, credentials)


def _make(service: str, use: Use, region: str, keys: Keys | None) -> Any:
    config = Config(
        connect_timeout=5,
        read_timeout=settings.AWS_READ_TIMEOUT_SECONDS,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS[use]},
        max_pool_connections=20,
    )
    made = session(region=region, keys=keys).client(  # type: ignore[call-overload]  # any service
        service, config=config, endpoint_url=settings.AWS_ENDPOINT_URL or None
    )
    if use is Use.READ:
        made.meta.events.register("before-call", refuse_writes)
    if use is Use.WRITE_ONCE:
        # Before it is signed: from then on the signature's own time runs out in five minutes
        # (IAM user guide), so that a machine that stood still cannot send it much later.
        made.meta.events.register_first("request-created", _hold_back_if_late)
    return made


@contextmanager
def sent_before(moment: float) -> Iterator[None]:
    """What WRITE_ONCE clients are asked inside is sent before `moment`, or not at all.

    `moment` is by `time.monotonic`. A call that is too late raises AwsError, UNREACHABLE.
    """
    token = _latest.set(moment)
    try:
        yield
    finally:
        _latest.reset(token)


def _hold_back_if_late(**_: Any) -> None:
    if time.monotonic() > _latest.get():
        raise NotSentInTime


def refuse_writes(model: Any, **_: Any) -> None:
    """Refuse every operation that does not read: a handler for botocore's `before-call`.

    By name, because the HTTP method says nothing: every DRS read is a POST.
    """
    if not model.name.startswith(_READING):
        raise WriteRefused(f"{model.service_model.service_name}:{model.name}")


@contextmanager
def translated(operation: str, scope: Scope) -> Iterator[None]:
    """Turn whatever boto raises inside into an AwsError about `operation` in `scope`."""
    try:
        yield
    except (ClientError, BotoCoreError, ResponseParserError) as error:
        call = Call(operation=operation, account_id=scope.account_id, region=scope.region)
        raise translate(error, call=call) from error
    except _NO_SENSE as error:  # from boto's parser, when the answer is not the operation's at all
        raise unreadable(operation, scope, repr(error)) from error


def pages(
    made: Any, method: str, *, operation: str, scope: Scope, **arguments: Any
) -> Iterator[dict[str, Any]]:
    """Every page of a client's listing, in AWS's order. A page that fails raises AwsError."""
    with translated(operation, scope):
        yield from made.get_paginator(method).paginate(**arguments)


def listed(
    made: Any, method: str, member: str, *, operation: str, scope: Scope, **arguments: Any
) -> Iterator[dict[str, Any]]:
    """Every item of a client's listing, page by page, in AWS's order.

    A page that fails raises AwsError, and so does one without the `member` that holds the items:
    AWS sends an empty list where there is none, so that page did not come from there as it is.
    """
    for page in pages(made, method, operation=operation, scope=scope, **arguments):
        with readable(operation, scope):
            found = page[member]
        yield from found


@contextmanager
def readable(operation: str, scope: Scope) -> Iterator[None]:
    """Turn an answer that lacks what it must have, or holds what cannot be, into an AwsError.

    It is of OTHER sort, so that nobody takes it for "there is none", or for "it was not done".
    """
    try:
        yield
    except _NO_SENSE as error:
        raise unreadable(operation, scope, repr(error)) from error


def unreadable(operation: str, scope: Scope, why: str) -> AwsError:
    """What to raise about an answer that makes no sense."""
    call = Call(operation=operation, account_id=scope.account_id, region=scope.region)
    return AwsError(Failure.OTHER, f"the answer cannot be read: {why}", call=call)
