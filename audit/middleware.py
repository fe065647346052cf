"""Middleware that lets audit records say where a request came from."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from audit.source import coming_from


class SourceAddressMiddleware:
    """The peer's address, as the server saw it. A forwarding header is a claim, so none is read:
    behind a proxy it is for the server to check it and to set REMOTE_ADDR.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(request.META.get("REMOTE_ADDR")):
            return self._get_response(request)
