"""Middleware of the frame."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from drportal.observability import correlated

_HEADER = "X-Correlation-Id"


class CorrelationMiddleware:
    """Give every request a correlation id, or take the caller's, and say it in the answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with correlated(request.headers.get(_HEADER)) as chosen:
            response = self._get_response(request)
            response[_HEADER] = chosen
            return response
