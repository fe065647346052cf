"""What tests and the demo ask of the simulated world over HTTP, under `/_simulator/`.

GET calls, jobs, faults, state; POST faults, scenario, reset, speed, settings, roles, replication;
DELETE faults, faults/N, roles. Bodies are JSON. A bad one is answered 400 with `error`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request

from drportal.simulator import jobs, scenario
from drportal.simulator.accounts import Role
from drportal.simulator.faults import Fault
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.reader import Reader
from drportal.simulator.scenario_servers import STATES, find_server
from drportal.simulator.servers import set_replication
from drportal.simulator.world import world

PREFIX = "/_simulator/"

Reply = tuple[int, dict[str, Any]]


class Channel:
    """Answers requests under the prefix. `loaded` is the scenario that `reset` loads again."""

    def __init__(self, loaded: dict[str, Any]) -> None:
        self._loaded = loaded
        self._routes: dict[tuple[str, str], Callable[[Request], dict[str, Any]]] = {
            ("GET", "calls"): _calls,
            ("GET", "jobs"): _jobs,
            ("GET", "faults"): _faults,
            ("GET", "state"): _state,
            ("POST", "faults"): _add_faults,
            ("DELETE", "faults"): _delete_faults,
            ("POST", "roles"): _add_role,
            ("DELETE", "roles"): _delete_role,
            ("POST", "settings"): _change_settings,
            ("POST", "speed"): _change_speed,
            ("POST", "replication"): _change_replication,
            ("POST", "scenario"): self._load,
            ("POST", "reset"): self._reset,
        }

    def answer(self, request: Request) -> Reply:
        """Status and JSON value."""
        name = request.path.removeprefix(PREFIX).partition("/")[0]
        route = self._routes.get((request.method, name))
        if route is None:
            return 404, {"error": f"There is no {request.method} {request.path}."}
        try:
            return 200, route(request)
        except BadRequest as error:
            return 400, {"error": error.description}
        except ValueError as error:  # ScenarioError is one
            return 400, {"error": str(error)}

    def _load(self, request: Request) -> dict[str, Any]:
        given = request.get_json()
        scenario.load(given)
        self._loaded = given
        return _state(request)

    def _reset(self, request: Request) -> dict[str, Any]:
        scenario.load(self._loaded)
        return _state(request)


def _filters(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name != "since"}


def _calls(request: Request) -> dict[str, Any]:
    filters = _filters(request)
    since = int(request.args.get("since", "0"))
    found = world.calls.matching(since=since, **filters)
    return {
        "count": len(found),
        "by_operation": world.calls.by_operation(since=since, **filters),
        "calls": [call.as_dict() for call in found],
    }


def _jobs(request: Request) -> dict[str, Any]:
    account, region = request.args.get("account"), request.args.get("region")
    listed: list[dict[str, Any]] = []
    with world.lock:
        for backend in _backends():
            if account in (None, backend.account_id) and region in (None, backend.region_name):
                listed += _jobs_of(backend)
    return {"count": len(listed), "jobs": listed}


def _backends() -> list[DRSBackend]:
    return [backend for regions in [*drs_backends.values()] for backend in [*regions.values()]]


def _jobs_of(backend: DRSBackend) -> list[dict[str, Any]]:
    backend.agenda.settle(world.clock.now())
    place = {"account": backend.account_id, "region": backend.region_name}
    return [place | jobs.described(backend, job) for job in backend.jobs.values()]


def _faults(_: Request) -> dict[str, Any]:
    return {"faults": [fault.as_dict() for fault in world.faults.list()]}


def _add_faults(request: Request) -> dict[str, Any]:
    given = request.get_json()
    faults = [Fault.from_dict(each) for each in (given if isinstance(given, list) else [given])]
    return {"ids": [world.faults.add(fault).id for fault in faults]}


def _delete_faults(request: Request) -> dict[str, Any]:
    number = request.path.removeprefix(PREFIX).partition("/")[2]
    if not number:
        world.faults.clear()
    elif not world.faults.remove(int(number)):
        raise ValueError(f"There is no fault {number}.")
    return _faults(request)


def _add_role(request: Request) -> dict[str, Any]:
    given = Reader(request.get_json(), "role")
    arn, trust = given.required("arn", str), given.texts("trust")
    external_id = given.optional("externalId", str, "") or None
    policy = given.optional("policy", dict, {}) or None
    given.finish()
    world.accounts.add_role(Role(arn, trust, external_id, policy))
    return _roles()


def _delete_role(request: Request) -> dict[str, Any]:
    arn = request.args.get("arn", "")
    if arn not in world.accounts.roles:
        raise ValueError(f"There is no role {arn}.")
    world.accounts.remove_role(arn)
    return _roles()


def _roles() -> dict[str, Any]:
    return {"roles": list(world.accounts.roles)}


def _change_settings(request: Request) -> dict[str, Any]:
    given = request.get_json()
    quotas = Reader(given.pop("quotas", {}), "quotas")
    scenario.apply_settings(world, Reader(given, "settings"), quotas)
    return _state(request)


def _change_speed(request: Request) -> dict[str, Any]:
    given = Reader(request.get_json(), "")
    speed = given.number("speed", 1.0, least=0.001)
    given.finish()
    world.clock.speed = speed
    return _state(request)


def _change_replication(request: Request) -> dict[str, Any]:
    given = Reader(request.get_json(), "replication")
    account, region = given.required("account", str), given.required("region", str)
    if region not in drs_backends[account]:
        raise given.refuse("region", f"DRS has no Region {region}.")
    with world.lock:
        server = find_server(drs_backends[account][region], given, "server")
        state = given.required("state", str)
        if state not in STATES:
            raise given.refuse("state", f"is none of {', '.join(STATES)}.")
        lag = timedelta(seconds=given.number("lagSeconds", 0, least=0))
        synced = given.number("synced", 1.0, least=0)
        error = given.optional("error", str, "") or None
        raw_error = given.optional("rawError", str, "") or None
        given.finish()
        set_replication(server, state, lag=lag, synced=synced, error=error, raw_error=raw_error)
    return {"server": server.id, "state": state}


def _state(_: Request) -> dict[str, Any]:
    """Sizes and places, for a look; the AWS calls give the details."""
    with world.lock:
        places = [
            {
                "account": backend.account_id,
                "region": backend.region_name,
                "servers": len(backend.servers),
                "instances": len(backend.instances),
                "jobs": len(backend.jobs),
                "active_jobs": len(backend.active_jobs()),
            }
            for backend in _backends()
            if backend.initialized
        ]
    return {
        "now": world.clock.now().isoformat(),
        "speed": world.clock.speed,
        "hub": world.accounts.hub,
        "accounts": {each.id: each.name for each in world.accounts.accounts.values()},
        "roles": list(world.accounts.roles),
        "calls": world.calls.count(),
        "faults": len(world.faults.list()),
        "places": places,
    }
