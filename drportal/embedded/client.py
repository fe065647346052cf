"""The portal's REST API as the demo uses it: over HTTP, as a person who has logged in."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlencode, urljoin

_SECONDS = 60


class ApiRefused(RuntimeError):
    """The API answered with a problem. `code` is the problem's stable word."""

    def __init__(self, request: str, status: int, problem: dict[str, Any]) -> None:
        errors = "; ".join(
            f"{error.get('field')}: {error.get('message')}" for error in problem.get("errors", ())
        )
        detail = problem.get("detail", "")
        super().__init__(f"{request} answered {status}: {detail} {errors}".strip())
        self.status = status
        self.code: str = problem.get("code", "")


class Client:
    """A session with the portal at `url`. Every method raises ApiRefused, and OSError when the
    portal does not answer.
    """

    def __init__(self, url: str) -> None:
        self._base = url.rstrip("/") + "/api/v1/"
        self._csrf_token = ""
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )

    def log_in(self, username: str, password: str) -> None:
        begun = self.post("session", {"username": username, "password": password})
        self._csrf_token = begun["csrf_token"]

    def get(self, path: str, **query: str) -> dict[str, Any]:
        return self._ask("GET", path, query=query)

    def every(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Every object of a list, page after page."""
        page = self.get(path, page_size="200", **query)
        yield from page["results"]
        while page.get("next"):
            page = self._ask("GET", page["next"])
            yield from page["results"]

    def post(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Ask for a change, once: with an idempotency key of its own."""
        return self._ask("POST", path, body=body or {})

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        url = urljoin(self._base, path) + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, method=method)  # noqa: S310  # our own portal
        request.add_header("Accept", "application/json")
        if data is not None:
            request.add_header("Content-Type", "application/json")
            request.add_header("Idempotency-Key", str(uuid.uuid4()))
            request.add_header("X-CSRFToken", self._csrf_token)
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                return _object(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                raise ApiRefused(f"{method} {path}", error.code, _problem(error.read())) from error


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    value: dict[str, Any] = json.loads(body)
    return value


def _problem(body: bytes) -> dict[str, Any]:
    try:
        return _object(body)
    except ValueError:
        return {"detail": body[:200].decode(errors="replace")}
