"""What is on the wire before any service looks at it: who calls what, and how a refusal reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from botocore.exceptions import UnknownServiceError
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.iam.models import iam_backends
from moto.utilities.utils import PARTITION_NAMES
from werkzeug.exceptions import NotFound

from drportal.simulator.faults import Kind

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_BODY_LIMIT = 1_000_000


@dataclass(frozen=True)
class Arrived:
    """A request as it arrived: header names in lower case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    """An answer as it goes on the wire."""

    status: int
    headers: dict[str, str]
    body: str | bytes


@dataclass(frozen=True)
class Asked:
    """What a signed request asks for, and of whom."""

    service: str
    operation: str
    region: str
    access_key: str
    params: dict[str, Any]


@dataclass(frozen=True)
class Refusal:
    """An error answer before it has a protocol; `retry_after` in seconds."""

    status: int
    code: str
    message: str
    retry_after: int | None = None


def asked(request: Arrived) -> Asked | None:
    """None for a request that is not signed: it concerns no account."""
    query = urlsplit(request.url).query
    scope = request.headers.get("authorization") or _presigned(query)
    match = _CREDENTIAL.search(scope)
    if match is None:
        return None
    access_key, region, service = match.groups()
    values = _values(request, query)
    operation = _operation(request, service, values)
    return Asked(service, operation, region, access_key, _params(service, request, values))


def account_of(access_key: str) -> str | None:
    """The account moto issued the key in; None for a key that moto does not know."""
    for account, partitions in [*iam_backends.items()]:
        if any(access_key in partitions[name].access_keys for name in PARTITION_NAMES):
            return account
    return None


def _presigned(query: str) -> str:
    credential = parse_qs(query).get("X-Amz-Credential", [""])[0]
    return f"Credential={credential}"


def _values(request: Arrived, query: str) -> dict[str, str]:
    text = query
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        text = request.body[:_BODY_LIMIT].decode(errors="replace") or query
    return {name: values[0] for name, values in parse_qs(text).items()}


def _operation(request: Arrived, service: str, values: Mapping[str, str]) -> str:
    target = request.headers.get("x-amz-target")
    if target:
        return target.rsplit(".", 1)[-1]
    if "Action" in values:
        return values["Action"]
    try:
        plain = Request.from_primitives(request.method, request.url, {}, b"")
        operation, _ = get_service_router(service).match(plain)
    except (NotFound, NotImplementedError, UnknownServiceError):
        return "Unknown"
    return str(operation.name)


def _params(service: str, request: Arrived, values: dict[str, str]) -> dict[str, Any]:
    if service == "drs":
        body = _json_object(request.body)
        path = unquote(urlsplit(request.url).path)
        return body | values | ({"resourceArn": path[6:]} if path.startswith("/tags/") else {})
    if service == "dynamodb":  # items would fill the log
        body = _json_object(request.body)
        return {"TableName": body["TableName"]} if "TableName" in body else {}
    if service in {"servicequotas", "ssm"}:
        return _json_object(request.body)
    return {name: value for name, value in values.items() if name not in ("Action", "Version")}


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body[:_BODY_LIMIT] or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def server_ids(params: Mapping[str, Any]) -> list[str]:
    """The source servers or recovery instances that a DRS call names, in its order."""
    listed = params.get("sourceServers") or params.get("recoveryInstanceIDs") or []
    if not isinstance(listed, list):
        return []
    ids = [each.get("sourceServerID") if isinstance(each, dict) else each for each in listed]
    return [each for each in ids if isinstance(each, str)]


@cache
def _protocol(service: str) -> str:
    try:
        return str(get_service_model(service).protocol)
    except UnknownServiceError:
        return "json"


# Per service: the code and status of each kind of refusal. DRS: botocore's model. EC2: its list of
# common client errors. Service Quotas: its API reference. The rest: the common errors of the query
# and JSON protocols.
_CODES: dict[str, dict[str, tuple[int, str]]] = {
    "drs": {
        "throttle": (429, "ThrottlingException"),
        "server": (500, "InternalServerException"),
        "denied": (403, "AccessDeniedException"),
        "expired": (403, "ExpiredTokenException"),
        "region": (403, "UnrecognizedClientException"),
    },
    "ec2": {
        "throttle": (503, "RequestLimitExceeded"),
        "server": (500, "InternalError"),
        "denied": (403, "UnauthorizedOperation"),
        "expired": (400, "RequestExpired"),
        "region": (401, "AuthFailure"),
    },
    "dynamodb": {
        "throttle": (400, "ThrottlingException"),
        "server": (500, "InternalServerError"),
        "denied": (400, "AccessDeniedException"),
        "expired": (400, "ExpiredTokenException"),
        "region": (400, "UnrecognizedClientException"),
    },
    "servicequotas": {
        "throttle": (400, "TooManyRequestsException"),
        "server": (500, "ServiceException"),
        "denied": (400, "AccessDeniedException"),
        "expired": (400, "ExpiredTokenException"),
        "region": (400, "UnrecognizedClientException"),
    },
    "": {
        "throttle": (400, "Throttling"),
        "server": (500, "InternalFailure"),
        "denied": (403, "AccessDenied"),
        "expired": (403, "ExpiredToken"),
        "region": (403, "InvalidClientTokenId"),
    },
}
_MESSAGES = {
    "throttle": "Rate exceeded",
    "server": "The request processing has failed because of an internal error.",
    "expired": "The security token included in the request is expired",
    "region": "The security token included in the request is invalid.",
}
_REASON = {
    Kind.THROTTLE: "throttle",
    Kind.SERVER_ERROR: "server",
    Kind.ACCESS_DENIED: "denied",
    Kind.OPT_IN_REQUIRED: "region",
}


def refusal(
    reason: Kind | str, service: str, *, message: str | None = None, seconds: float | None = None
) -> Refusal:
    """How `service` words a refusal. `reason` is a fault's kind or a word of the table."""
    word = _REASON[reason] if isinstance(reason, Kind) else reason
    status, code = _CODES.get(service, _CODES[""])[word]
    retry = word in ("throttle", "server") and seconds is not None
    return Refusal(
        status, code, message or _MESSAGES.get(word, code), round(seconds or 0) if retry else None
    )


def answer(refused: Refusal, service: str) -> Answer:
    """The refusal in the service's own protocol."""
    protocol = _protocol(service)
    headers = {"server": "amazon.com"}
    if refused.retry_after is not None:
        headers["Retry-After"] = str(refused.retry_after)
    if protocol in ("query", "ec2", "rest-xml"):
        headers["Content-Type"] = "text/xml"
        return Answer(refused.status, headers, _xml(refused, protocol))
    headers["Content-Type"] = "application/json"
    headers["x-amzn-ErrorType"] = refused.code
    body = {"__type": refused.code, "message": refused.message}
    return Answer(refused.status, headers, json.dumps(body))


def _xml(refused: Refusal, protocol: str) -> str:
    error = (
        f"<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
    )
    if protocol == "ec2":
        return f"<Response><Errors>{error}</Errors><RequestID>simulated</RequestID></Response>"
    return f"<ErrorResponse>{error}<RequestId>simulated</RequestId></ErrorResponse>"


_ERROR_CODE = re.compile(r"<Code>([^<]+)</Code>")


def error_code(answered: Answer) -> str | None:
    """The error code of an answer; None for one that is no error."""
    if answered.status < 400:  # noqa: PLR2004 - HTTP's own border
        return None
    headers = {name.lower(): value for name, value in answered.headers.items()}
    if "x-amzn-errortype" in headers:
        return headers["x-amzn-errortype"].split(":")[0]
    body = (
        answered.body if isinstance(answered.body, str) else answered.body.decode(errors="replace")
    )
    match = _ERROR_CODE.search(body)
    if match:
        return match.group(1)
    kind = _json_object(body.encode()).get("__type")
    return str(kind).rsplit("#", 1)[-1] if kind else str(answered.status)
