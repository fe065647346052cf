# ruff: noqa: N803 - parameters have the names AWS gives them
"""Servers that replicate in a staging account and are recovered in another, the target."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

from drportal.simulator.exceptions import (
    AccessDeniedException,
    ResourceNotFoundException,
    ValidationException,
)
from drportal.simulator.handlers import Handler
from drportal.simulator.identifiers import stable
from drportal.simulator.keys import managed_by_aws
from drportal.simulator.models import DRSBackend, drs_backends
from drportal.simulator.paging import page
from drportal.simulator.resources import Extension, SourceServer
from drportal.simulator.servers import add_server, described
from drportal.simulator.staging_area import TRUST_ROLE, trusted
from drportal.simulator.world import world

# The largest pages that the model allows.
ACCOUNTS_PAGE = 50
SERVERS_PAGE = 300


def create_extended_source_server(
    backend: DRSBackend, *, sourceServerArn: str, tags: dict[str, str] | None = None
) -> dict[str, Any]:
    """A server of the staging account becomes recoverable here."""
    staging_account, staging = _staging_server(backend, sourceServerArn)
    if any(_extends(each, staging.arn) for each in backend.servers.values()):
        raise _invalid(f"Source server {staging.arn} is already extended into this account.")
    if staging.extension is not None:
        raise _invalid(f"Source server {staging.arn} is itself extended.")
    _check_shareable(backend, staging_account, staging)
    return {"sourceServer": described(backend, extend(backend, staging_account, staging, tags))}


def extend(
    backend: DRSBackend,
    staging_account: str,
    staging: SourceServer,
    tags: dict[str, str] | None = None,
    **settings: Any,
) -> SourceServer:
    """The extended server; its id follows from the staging server's and the target account.

    Replication settings and recovery points are those of the staging server.
    """
    there = drs_backends[staging_account][backend.region_name]
    identifier = stable("s-", "extended", backend.account_id, staging.arn)
    server = replace(
        staging,
        id=identifier,
        arn=backend.arn_of("source-server", identifier),
        added_at=world.clock.now(),
        extension=Extension(staging_account, staging.id, staging.arn),
        last_launch=None,
        recovery_instance_id=None,
        launched=None,
        disks=list(staging.disks),
    )
    inherited = deepcopy(there.replication_configurations[staging.id])
    inherited["sourceServerID"] = identifier
    return add_server(
        backend, server, tags=tags or {}, replication_configuration=inherited, **settings
    )


def _check_shareable(backend: DRSBackend, account: str, staging: SourceServer) -> None:
    """A key that AWS manages cannot be shared with the target (DRS user guide)."""
    there = drs_backends[account][backend.region_name].replication_configurations[staging.id]
    mode, key = there["ebsEncryption"], there.get("ebsEncryptionKeyArn", "")
    if mode == "DEFAULT" or (mode == "CUSTOM" and managed_by_aws(key)):
        raise _invalid(
            f"Source server {staging.arn} cannot be extended if it has the default EBS encryption "
            "key."
        )


def _extends(server: SourceServer, arn: str) -> bool:
    return server.extension is not None and server.extension.server_arn == arn


def _invalid(message: str) -> ValidationException:
    return ValidationException(
        message, reason="fieldValidationFailed", fields=[("sourceServerArn", message)]
    )


def _staging_server(backend: DRSBackend, arn: str) -> tuple[str, SourceServer]:
    _, partition, _, region, account, resource = arn.split(":", 5)
    if (partition, region) != (backend.partition, backend.region_name):
        raise _invalid("The staging server must be in the same partition and Region.")
    if account == backend.account_id:
        raise _invalid("The staging server must be in another account.")
    _check_trusted(backend, account)
    server_id = resource.partition("/")[2]
    server = drs_backends[account][region].servers.get(server_id)
    if server is None:
        raise ResourceNotFoundException(
            f"Source server {arn} does not exist.",
            resource_id=server_id,
            resource_type="SourceServer",
        )
    return account, server


def _check_trusted(backend: DRSBackend, staging_account: str) -> None:
    if not trusted(staging_account, backend.account_id):
        role = TRUST_ROLE.format(target=backend.account_id)
        raise AccessDeniedException(
            f"Cannot assume role service-role/{role} in staging account {staging_account}."
        )


def list_extensible_source_servers(
    backend: DRSBackend,
    *,
    stagingAccountID: str,
    maxResults: int | None = None,
    nextToken: str | None = None,
) -> dict[str, Any]:
    """The staging account's servers that are not extended here and not extended themselves."""
    _check_trusted(backend, stagingAccountID)
    there = drs_backends[stagingAccountID][backend.region_name]
    extended = {each.extension.server_arn for each in backend.servers.values() if each.extension}
    found = [
        each
        for each in there.servers.values()
        if each.extension is None and each.arn not in extended
    ]
    shown, token = page(
        found,
        key=lambda server: server.arn,
        next_token=nextToken,
        max_results=maxResults,
        default=min(SERVERS_PAGE, world.settings.default_page_size),
        scope=f"ListExtensibleSourceServers/{stagingAccountID}",
    )
    items = [
        {"arn": each.arn, "hostname": each.hostname, "tags": dict(there.tags[each.arn])}
        for each in shown
    ]
    return {"items": items} | ({"nextToken": token} if token else {})


def list_staging_accounts(
    backend: DRSBackend, *, maxResults: int | None = None, nextToken: str | None = None
) -> dict[str, Any]:
    """The accounts that extended servers here come from."""
    found = {each.extension.account for each in backend.servers.values() if each.extension}
    shown, token = page(
        found,
        key=str,
        next_token=nextToken,
        max_results=maxResults,
        default=ACCOUNTS_PAGE,
        scope="ListStagingAccounts",
    )
    accounts = [{"accountID": account} for account in shown]
    return {"accounts": accounts} | ({"nextToken": token} if token else {})


HANDLERS: dict[str, Handler] = {
    "CreateExtendedSourceServer": create_extended_source_server,
    "ListExtensibleSourceServers": list_extensible_source_servers,
    "ListStagingAccounts": list_staging_accounts,
}
