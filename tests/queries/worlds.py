"""A simulated world with a staging account that is no target."""

from typing import Any

from tests.worlds import EAST, EXTERNAL_ID, HUB, NORTH, SOUTH, WEST, role, server, world_of

STAGING = "330000000001"


def world_with_staging(servers: list[dict[str, Any]], **more: Any) -> None:
    """The usual world, and the account STAGING that has initialized EAST only."""
    regions = [EAST, WEST]
    world_of(
        servers,
        accounts=[
            {"id": HUB, "name": "hub", "hub": True, "initialized": regions},
            {"id": NORTH, "name": "north", "initialized": regions},
            {"id": SOUTH, "name": "south", "initialized": regions},
            {"id": STAGING, "name": "staging", "initialized": [EAST]},
        ],
        roles=[
            {"arn": role(account), "trust": [HUB], "externalId": EXTERNAL_ID}
            for account in (NORTH, SOUTH, STAGING)
        ],
        **more,
    )


def staged(name: str, **more: Any) -> dict[str, Any]:
    """A server that replicates in STAGING."""
    return server(name, account=STAGING, **more)


def extended(name: str, target: str = NORTH) -> dict[str, Any]:
    return {"target": target, "region": EAST, "stagingAccount": STAGING, "server": name}
