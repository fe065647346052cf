"""A world in which the north recovers servers of two staging accounts, in two Regions."""

from collections.abc import Iterable
from typing import Any

from drportal.actor import PORTAL
from drportal.simulator.models import drs_backends
from drportal.simulator.servers import delete_source_server
from drportal.simulator.world import world
from protection.models import StagingAccount, StagingServer, SyncRun, TargetAccount
from protection.services import staging, staging_sync
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    HUB,
    NORTH,
    PERSON,
    SOUTH,
    WEST,
    registered,
    role,
    server,
    world_of,
)

DEPOT, YARD = "310000000001", "310000000002"
OWN_KEY, KEY_OF_AWS = "own-key", "key-of-aws"


def key_arn(key: str = OWN_KEY, *, account: str = DEPOT, region: str = EAST) -> str:
    return f"arn:aws:kms:{region}:{account}:key/{key}"


def shareable(*, account: str = DEPOT, region: str = EAST) -> dict[str, str]:
    """Replication settings with which a server can be extended."""
    return {
        "ebsEncryption": "CUSTOM",
        "ebsEncryptionKeyArn": key_arn(account=account, region=region),
    }


def staged(name: str, *, account: str = DEPOT, region: str = EAST, **more: Any) -> dict[str, Any]:
    """A server of a staging account, which can be extended unless `replicationConfiguration` says
    otherwise.
    """
    settings = {"replicationConfiguration": shareable(account=account, region=region)}
    return server(name, account=account, region=region, **{**settings, **more})


def staging_role(account: str) -> str:
    return f"arn:aws:iam::{account}:role/DRSOrchestrationRole"


def trust(staging_account: str, target: str) -> str:
    """The role by which a staging account lets a target extend its servers."""
    return f"arn:aws:iam::{staging_account}:role/service-role/DRSStagingAccountRole_{target}"


def staging_world(
    servers: Iterable[dict[str, Any]], *, trusting: Iterable[str] = (NORTH,), **more: Any
) -> None:
    """Load the world. The depot and the yard let the `trusting` targets extend."""
    regions = [EAST, WEST]
    names = {HUB: "hub", NORTH: "north", SOUTH: "south", DEPOT: "depot", YARD: "yard"}
    accounts = [
        {"id": account, "name": name, "hub": account == HUB, "initialized": regions}
        for account, name in names.items()
    ]
    roles = [
        {"arn": role(account), "trust": [HUB], "externalId": EXTERNAL_ID}
        for account in (NORTH, SOUTH, DEPOT, YARD)
    ]
    roles += [
        {"arn": trust(account, target), "trust": [target]}
        for account in (DEPOT, YARD)
        for target in trusting
    ]
    keys = [
        {"account": account, "region": region, "id": key, "manager": manager}
        for account in (DEPOT, YARD)
        for region in regions
        for key, manager in ((OWN_KEY, "CUSTOMER"), (KEY_OF_AWS, "AWS"))
    ]
    world_of(servers, **{"accounts": accounts, "roles": roles, "keys": keys, **more})


def linked(target: TargetAccount, account: str = DEPOT) -> StagingAccount:
    """A staging account of the target."""
    return staging.add(
        target,
        account_id=account,
        name="depot" if account == DEPOT else "yard",
        external_id=EXTERNAL_ID,
        actor=PERSON,
    )


def settled(servers: Iterable[dict[str, Any]], **more: Any) -> dict[str, TargetAccount]:
    """The world, its accounts registered and listed, the depot linked to the north."""
    staging_world(servers, **more)
    accounts = registered()
    linked(accounts[NORTH])
    return accounts


def sync() -> SyncRun:
    return staging_sync.sync(actor=PORTAL)


def standing(name: str) -> StagingServer:
    return StagingServer.objects.get(hostname=name)


def extended_by(target: str = NORTH, region: str = EAST) -> list[str]:
    """The names of the servers that a target has extended, as AWS knows them."""
    servers = drs_backends[target][region].servers.values()
    return sorted(each.hostname for each in servers if each.extension)


def let_go(target: str = NORTH, region: str = EAST) -> None:
    """Delete, behind the portal's back, what a target has extended."""
    backend = drs_backends[target][region]
    for copy in [each.id for each in backend.servers.values() if each.extension]:
        delete_source_server(backend, sourceServerID=copy)


def asked_to_extend() -> list[Any]:
    """Every CreateExtendedSourceServer that was sent, in order."""
    return list(world.calls.matching(operation="CreateExtendedSourceServer"))


def replicate_with(name: str, **settings: str) -> None:
    """Change how a depot's server in the east is encrypted, behind the portal's back."""
    backend = drs_backends[DEPOT][EAST]
    [found] = [each for each in backend.servers.values() if each.hostname == name]
    backend.replication_configurations[found.id].update(settings)
