"""A client of the control channel of a running simulator."""

from __future__ import annotations

import json
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

from drportal.simulator.faults import Fault, Kind

_TIMEOUT = 30  # seconds


class Refused(Exception):
    """The simulator did not do it; the text says why."""


class Control:
    """Asks and changes the simulated world behind `url`, the server's address.

    Every method raises Refused for a request that the simulator finds wrong, and OSError when
    there is no simulator.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/_simulator/"
        self._opener = build_opener(ProxyHandler({}))  # the simulator is never behind a proxy

    def calls(self, *, since: int = 0, **facts: str) -> list[dict[str, Any]]:
        """The calls after number `since` with these facts, as `operation="StartRecovery"`.

        Members of each: number, at, service, operation, account, region, access_key, role_session,
        params, server_ids, status, error, outcome, effect, job_id (see `drportal.simulator.calls`).
        """
        found: list[dict[str, Any]] = self._ask("GET", "calls", since=str(since), **facts)["calls"]
        return found

    def count(self, *, since: int = 0, **facts: str) -> int:
        """How many calls have these facts."""
        return int(self._ask("GET", "calls", since=str(since), **facts)["count"])

    def calls_by_operation(self, **facts: str) -> dict[str, int]:
        """How often each "service:operation" was called."""
        counted: dict[str, int] = self._ask("GET", "calls", **facts)["by_operation"]
        return counted

    def jobs(self, **place: str) -> list[dict[str, Any]]:
        """All jobs, or those of an `account` and `region`: the wire shape Job and its place."""
        found: list[dict[str, Any]] = self._ask("GET", "jobs", **place)["jobs"]
        return found

    def add_fault(self, kind: Kind | str, **members: Any) -> int:
        """Put a fault into force; returns its id. Members as of `Fault`."""
        fault = Fault(Kind(kind), **members).as_dict()
        del fault["id"]
        return int(self._ask("POST", "faults", fault)["ids"][0])

    def faults(self) -> list[dict[str, Any]]:
        """The faults in force, with what is left of their `times`."""
        found: list[dict[str, Any]] = self._ask("GET", "faults")["faults"]
        return found

    def remove_fault(self, number: int) -> None:
        self._ask("DELETE", f"faults/{number}")

    def clear_faults(self) -> None:
        self._ask("DELETE", "faults")

    def load(self, scenario: dict[str, Any]) -> dict[str, Any]:
        """Make the world anew from a scenario."""
        return self._ask("POST", "scenario", scenario)

    def reset(self) -> dict[str, Any]:
        """Make the world anew from the scenario it was last made from."""
        return self._ask("POST", "reset", {})

    def set_speed(self, speed: float) -> None:
        """Of everything that is planned from now on."""
        self._ask("POST", "speed", {"speed": speed})

    def set_settings(self, **settings: Any) -> None:
        """Members of `Settings`; durations in seconds, `quotas` as a dict."""
        self._ask("POST", "settings", settings)

    def set_replication(self, *, account: str, region: str, server: str, **given: Any) -> None:
        """Put a server (id or host name) into `state`, with `lagSeconds`, `error` and so on."""
        place = {"account": account, "region": region, "server": server}
        self._ask("POST", "replication", place | given)

    def add_role(
        self,
        arn: str,
        *,
        trust: list[str],
        external_id: str | None = None,
        policy: dict[str, Any] | None = None,
    ) -> None:
        role: dict[str, Any] = {"arn": arn, "trust": trust}
        role |= {"externalId": external_id} if external_id else {}
        self._ask("POST", "roles", role | ({"policy": policy} if policy else {}))

    def remove_role(self, arn: str) -> None:
        self._ask("DELETE", "roles", arn=arn)

    def state(self) -> dict[str, Any]:
        """now, speed, hub, accounts, roles, calls, faults, places."""
        return self._ask("GET", "state")

    def _ask(self, method: str, path: str, body: object = None, **query: str) -> dict[str, Any]:
        url = self._url + quote(path) + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = Request(url, data, method=method)  # noqa: S310 - the address of the simulator
        request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as answer:
                value: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            with error:
                raise Refused(json.load(error)["error"]) from error
        return value
