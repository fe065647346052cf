"""One shape for every error of the API: application/problem+json (RFC 9457) with a code."""

import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler

from drportal.errors import DomainError, InvalidInput, Kind
from drportal.observability import correlation_id

CONTENT_TYPE = "application/problem+json"
API = "/api/"

_STATUS = {
    Kind.INVALID: HTTPStatus.BAD_REQUEST,
    Kind.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Kind.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Kind.CONFLICT: HTTPStatus.CONFLICT,
    # Not 429: asking again later does not lift a limit.
    Kind.LIMIT: HTTPStatus.CONFLICT,
    Kind.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
}
_WHOLE = "non_field_errors"  # what DRF calls a complaint about no field in particular


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:
    """What was anticipated, as a problem. The rest is a bug, and None leaves it one: a 500."""
    if isinstance(exc, DomainError):
        return _of_domain(exc)
    response = exception_handler(exc, context)
    if response is None:
        return None
    if isinstance(exc, exceptions.ValidationError):
        answer = _of_fields(exc)
    else:
        detail = response.data["detail"]
        code = getattr(detail, "code", "error")
        answer = problem(HTTPStatus(response.status_code), code, str(detail))
    for header, value in response.headers.items():
        answer.headers.setdefault(header, value)
    return answer


def problem(status: HTTPStatus, code: str, detail: str, **more: Any) -> Response:
    """The answer that says what went wrong."""
    return Response(
        _document(status, code, detail, **more), status=status, content_type=CONTENT_TYPE
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400: a request that no view has seen."""
    if not request.path.startswith(API):
        return defaults.bad_request(request, exception)
    return _plain(HTTPStatus.BAD_REQUEST, "bad_request", "The request cannot be read.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 403."""
    if not request.path.startswith(API):
        return defaults.permission_denied(request, exception)
    return _plain(HTTPStatus.FORBIDDEN, "forbidden", "This is not allowed.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404: no view has this path."""
    if not request.path.startswith(API):
        return defaults.page_not_found(request, exception)
    return nowhere(request)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500. What went wrong is in the log, under the correlation id."""
    if not request.path.startswith(API):
        return defaults.server_error(request)
    message = "The portal failed to answer. Its log has the cause, under this correlation id."
    return _plain(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", message)


@csrf_exempt  # there is nothing to forge, and the middleware's refusal would be a page
def nowhere(_: HttpRequest) -> HttpResponse:
    """The answer to a path of the API that does not exist."""
    return _plain(HTTPStatus.NOT_FOUND, "not_found", "There is nothing at this path.")


def _of_domain(error: DomainError) -> Response:
    more: dict[str, Any] = {"error": error.known_as} if error.known_as else {}
    if isinstance(error, InvalidInput):
        more["errors"] = error.errors
    elif error.context:
        more["context"] = error.context
    answer = problem(_STATUS[error.kind], error.code, error.detail, **more)
    wait = error.context.get("retry_after")
    if wait is not None:
        answer.headers["Retry-After"] = str(math.ceil(wait))
    return answer


def _of_fields(error: exceptions.ValidationError) -> Response:
    fields = list(_flat("", error.get_full_details()))
    told = "The request is not valid."
    missing = bool(fields) and all(field["code"] == "required" for field in fields)
    known_as = "MISSING_FIELD" if missing else InvalidInput.known_as
    return problem(HTTPStatus.BAD_REQUEST, "invalid", told, error=known_as, errors=fields)


def _flat(path: str, found: Any) -> Iterator[dict[str, str]]:
    """DRF's nest of complaints, as a list with paths like `waves[0].group_ids`."""
    if isinstance(found, Mapping) and set(found) == {"message", "code"}:
        yield {"field": path, "code": str(found["code"]), "message": str(found["message"])}
    elif isinstance(found, Mapping):
        for key, held in found.items():
            yield from _flat(_below(path, key), held)
    else:
        nested = any(isinstance(held, Mapping) and "message" not in held for held in found)
        for index, held in enumerate(found):
            yield from _flat(f"{path}[{index}]" if nested else path, held)


def _below(path: str, key: object) -> str:
    if key == _WHOLE:
        return path
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


def _plain(status: HTTPStatus, code: str, detail: str) -> HttpResponse:
    return JsonResponse(_document(status, code, detail), status=status, content_type=CONTENT_TYPE)


def _document(status: HTTPStatus, code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": code,
        "detail": detail,
        **more,
        "correlation_id": correlation_id(),
    }
