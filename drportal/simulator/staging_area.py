"""Which staging account a source server comes from, and whether that still holds."""

from __future__ import annotations

from typing import Any

from drportal.simulator.models import DRSBackend
from drportal.simulator.replication import staging_server
from drportal.simulator.resources import SourceServer
from drportal.simulator.world import world

TRUST_ROLE = "DRSStagingAccountRole_{target}"


def trusted(staging_account: str, target_account: str) -> bool:
    """Whether the staging account has the role that lets the target read its servers."""
    name = TRUST_ROLE.format(target=target_account)
    return world.accounts.role_named(staging_account, name) is not None


def extension_error(backend: DRSBackend, server: SourceServer) -> str | None:
    """Why an extended server is cut off from its staging server; None when it is not."""
    extension = server.extension
    if extension is None:
        return None
    if not trusted(extension.account, backend.account_id):
        role = TRUST_ROLE.format(target=backend.account_id)
        return f"Cannot assume role {role} in staging account {extension.account}."
    if staging_server(backend, server) is None:
        return f"Source server {extension.server_arn} does not exist in the staging account."
    return None


def described(backend: DRSBackend, server: SourceServer) -> dict[str, Any]:
    """The wire shape StagingArea."""
    extension = server.extension
    if extension is None:
        return {"status": "NOT_EXTENDED"}
    error = extension_error(backend, server)
    shape = {
        "status": "EXTENSION_ERROR" if error else "EXTENDED",
        "stagingAccountID": extension.account,
        "stagingSourceServerArn": extension.server_arn,
    }
    return shape | ({"errorMessage": error} if error else {})
