"""Facts for the checks of a preflight: a plan that is ready, to be spoilt by a test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from recovery.engine.preflight import Check
from recovery.engine.preflight_facts import (
    Facts,
    Judged,
    LaunchFacts,
    PlaceFacts,
    Point,
    ServerFacts,
    Told,
)
from recovery.engine.preflight_rules import checks_of
from recovery.states import CheckOutcome

NOW = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
PLACE = ("111122223333", "us-east-1")
GOOD = Judged(CheckOutcome.PASSED, "Good.")


def server(number: int = 1, **more: Any) -> ServerFacts:
    """A server of which everything is as it must be."""
    facts: dict[str, Any] = {
        "server_id": f"s-{number:017x}",
        "name": f"db-{number}",
        "wave": 1,
        "group": "databases",
        "account_id": PLACE[0],
        "region": PLACE[1],
        "readiness": "READY",
        "lag": timedelta(0),
        "listed_at": NOW - timedelta(minutes=3),
        "settings": "ready",
    }
    return ServerFacts(**facts | more)


def place(*servers: ServerFacts, **more: Any) -> PlaceFacts:
    """An account and Region that answers everything, and has all that the servers need."""
    facts: dict[str, Any] = {
        "at": NOW,
        "account": GOOD,
        "drs": GOOD,
        "permissions": GOOD,
        "jobs": Told(()),
        "instances": Told({}),
        "subnets": Told({"subnet-1": 100}),
        "points": {
            each.server_id: Told(Point("pit-1", NOW - timedelta(minutes=5))) for each in servers
        },
        "launches": {each.server_id: LaunchFacts(subnet_id="subnet-1") for each in servers},
    }
    return PlaceFacts(**facts | more)


def facts(
    *servers: ServerFacts, rpo: timedelta | None = timedelta(minutes=15), **more: Any
) -> Facts:
    """A plan of these servers, one good one without any; `more` is of the place."""
    found = servers or (server(),)
    return Facts(
        now=NOW,
        rpo=rpo,
        needs={wave: frozenset() for wave in {each.wave for each in found}},
        servers=found,
        places={PLACE: place(*found, **more)},
    )


def found(these: Facts, code: str) -> list[Check]:
    """What one kind of check makes of facts."""
    return [check for check in checks_of(these) if check.code == code]


def outcome(these: Facts, code: str) -> str:
    """The outcome of the only check of a kind."""
    (check,) = found(these, code)
    return str(check.outcome)


def with_needs(these: Facts, needs: dict[int, set[int]]) -> Facts:
    return replace(these, needs={wave: frozenset(before) for wave, before in needs.items()})
