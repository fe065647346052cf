from __future__ import annotations

import re
import sys
from typing import Any

import moto
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import (
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from moto import backend_index
from moto.core import botocore_stubber
from moto.core.common_types import TYPE_RESPONSE

import drportal.simulator as package
from drportal.simulator import models, moto_speed, moto_templates, urls
from drportal.simulator.gate import ACCOUNT_HEADER, AnswerLost, Loss, exchange
from drportal.simulator.protocol import Answer, Arrived

SERVICE = "drs"
_MODULE = f"moto.{SERVICE}"


def register() -> None:
    """Make DRS a service of moto, with the gate before all services. Again does nothing.

    Call it before `mock_aws` starts, or in the process of moto's server.
    """
    if _MODULE in sys.modules:
        return
    # moto imports a backend as `moto.<service>` and asks it for `<service>_backends`.
    package.drs_backends = models.drs_backends  # type: ignore[attr-defined]  # only moto reads it
    sys.modules[_MODULE] = package
    moto.drs = package  # type: ignore[attr-defined]  # as an import of it would
    backend_index.backend_url_patterns.append((SERVICE, re.compile(urls.url_bases[0])))
    moto_speed.apply()
    moto_templates.apply()
    _guard_in_process_calls()


def _guard_in_process_calls() -> None:
    stubber = botocore_stubber.BotocoreStubber
    unguarded = stubber.process_request

    def guarded(
        self: botocore_stubber.BotocoreStubber, request: AWSPreparedRequest
    ) -> TYPE_RESPONSE | None:
        def proceed(account: str) -> Answer:
            request.headers[ACCOUNT_HEADER] = account
            answered = unguarded(self, request)
            if answered is None:
                raise _NotOurs
            return Answer(*answered)

        try:
            answered = exchange(_arrived(request), proceed)
        except _NotOurs:
            return None
        except AnswerLost as lost:
            raise _seen_by_client(lost, str(request.url)) from lost
        return answered.status, answered.headers, answered.body

    stubber.process_request = guarded  # type: ignore[method-assign]  # it has no plug-in


class _NotOurs(Exception):
    """moto lets this request through to the real network."""


def _arrived(request: AWSPreparedRequest) -> Arrived:
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    body: Any = request.body or b""
    if hasattr(body, "read"):  # an upload: nobody here looks into it
        body = b""
    return Arrived(
        request.method or "GET",
        request.url or "",
        headers,
        body.encode() if isinstance(body, str) else bytes(body),
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _seen_by_client(lost: AnswerLost, url: str) -> Exception:
    """What botocore raises when it meets such a loss on a real network."""
    match lost.loss:
        case Loss.TIMEOUT:
            return ReadTimeoutError(endpoint_url=url)
        case Loss.DROP:
            return ConnectionClosedError(endpoint_url=url)
        case Loss.UNREACHABLE:
            return EndpointConnectionError(endpoint_url=url)
