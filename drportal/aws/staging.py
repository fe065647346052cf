"""Extending the servers of staging accounts into a target account (DRS API reference)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable, sent_before, translated
from drportal.transactions import reaches_outside

_PAGE = 300  # the most that ListExtensibleSourceServers answers at once (botocore model)
_ACCOUNTS_PAGE = 50  # and ListStagingAccounts


@dataclass(frozen=True, slots=True)
class Extensible:
    """A server of a staging account that the target has not extended yet."""

    arn: str
    hostname: str


@dataclass(frozen=True, slots=True)
class Extended:
    """A server of the target that stands for one of a staging account, `staging_arn`.

    `error` is DRS's word for why the two are cut off from each other; empty if they are not.
    """

    server_id: str
    staging_arn: str
    hostname: str
    error: str


@dataclass(frozen=True, slots=True)
class Encryption:
    """How the volumes of a server's staging area are encrypted. `mode` is DRS's own word, and
    `key_arn` the key where the mode is CUSTOM.
    """

    mode: str
    key_arn: str = ""


class Extensions:
    """The extended servers of one scope: the target's. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def extensible(self, staging_account_id: str) -> list[Extensible]:
        """The servers of the staging account that are not extended here. All of them, or an error.

        DRS needs the role DRSStagingAccountRole_{target} in the staging account for it.
        """
        operation = "ListExtensibleSourceServers"
        found = self._listed(
            "list_extensible_source_servers",
            operation,
            stagingAccountID=staging_account_id,
            maxResults=_PAGE,
        )
        with readable(operation, self.scope):
            return [Extensible(item["arn"], item.get("hostname", "")) for item in found]

    @reaches_outside
    def extended(self, staging_account_id: str) -> list[Extended]:
        """The servers here that stand for servers of the staging account."""
        operation = "DescribeSourceServers"
        filters = {"stagingAccountIDs": [staging_account_id]}
        found = self._listed("describe_source_servers", operation, filters=filters)
        with readable(operation, self.scope):
            return [_extended(item) for item in found if _staging_arn(item)]

    @reaches_outside
    def staging_accounts(self) -> list[str]:
        """The accounts that the extended servers here come from."""
        operation = "ListStagingAccounts"
        found = self._listed(
            "list_staging_accounts", operation, "accounts", maxResults=_ACCOUNTS_PAGE
        )
        with readable(operation, self.scope):
            return [item["accountID"] for item in found]

    @reaches_outside
    def extend(self, staging_arn: str, *, before: float = math.inf) -> Extended:
        """Make a server here that stands for the staging account's.

        It is sent before the moment `before`, by `time.monotonic`, or not at all. Asked exactly
        once: DRS takes no idempotency token. An ambiguous AwsError means that the server may be
        extended all the same; `extended` tells.
        """
        operation = "CreateExtendedSourceServer"
        with translated(operation, self.scope), sent_before(before):
            answer = client("drs", Use.WRITE_ONCE, self.scope).create_extended_source_server(
                sourceServerArn=staging_arn
            )
        with readable(operation, self.scope):
            return _extended(answer["sourceServer"])

    def _listed(
        self, method: str, operation: str, member: str = "items", **arguments: Any
    ) -> Iterator[dict[str, Any]]:
        reader = client("drs", Use.READ, self.scope)
        return listed(reader, method, member, operation=operation, scope=self.scope, **arguments)


@reaches_outside
def encryption_of(scope: Scope, server_id: str) -> Encryption:
    """How the staging area of a server in `scope`, its staging account, is encrypted.

    Raises AwsError.
    """
    operation = "GetReplicationConfiguration"
    with translated(operation, scope):
        reader = client("drs", Use.READ, scope)
        answer = reader.get_replication_configuration(sourceServerID=server_id)
    with readable(operation, scope):
        return Encryption(answer["ebsEncryption"], answer.get("ebsEncryptionKeyArn", ""))


def _staging_arn(item: dict[str, Any]) -> str:
    return str(item.get("stagingArea", {}).get("stagingSourceServerArn", ""))


def _extended(item: dict[str, Any]) -> Extended:
    area = item.get("stagingArea", {})
    hints = item.get("sourceProperties", {}).get("identificationHints", {})
    broken = area.get("status") == "EXTENSION_ERROR"
    return Extended(
        server_id=item["sourceServerID"],
        staging_arn=_staging_arn(item),
        hostname=hints.get("hostname", ""),
        error=(area.get("errorMessage") or "DRS does not say why.") if broken else "",
    )
