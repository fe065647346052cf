"""Extending the servers of staging accounts into a target account (DRS API reference)."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, pages, sent_before, translated
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
        arguments = {"stagingAccountID": staging_account_id, "maxResults": _PAGE}
        found = self._pages("list_extensible_source_servers", operation, **arguments)
        with self._readable(operation):
            return [
                Extensible(item["arn"], item.get("hostname", ""))
                for page in found
                for item in page["items"]
            ]

    @reaches_outside
    def extended(self, staging_account_id: str) -> list[Extended]:
        """The servers here that stand for servers of the staging account."""
        operation = "DescribeSourceServers"
        filters = {"stagingAccountIDs": [staging_account_id]}
        found = self._pages("describe_source_servers", operation, filters=filters)
        with self._readable(operation):
            items = [item for page in found for item in page["items"]]
            return [_extended(item) for item in items if _staging_arn(item)]

    @reaches_outside
    def staging_accounts(self) -> list[str]:
        """The accounts that the extended servers here come from."""
        operation = "ListStagingAccounts"
        found = self._pages("list_staging_accounts", operation, maxResults=_ACCOUNTS_PAGE)
        with self._readable(operation):
            return [item["accountID"] for page in found for item in page["accounts"]]

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
        with self._readable(operation):
            return _extended(answer["sourceServer"])

    @contextmanager
    def _readable(self, operation: str) -> Iterator[None]:
        try:
            yield
        except (KeyError, ValueError) as error:
            raise _unreadable(operation, self.scope, error) from error

    def _pages(self, method: str, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        reader = client("drs", Use.READ, self.scope)
        return pages(reader, method, operation=operation, scope=self.scope, **arguments)


@reaches_outside
def encryption_of(scope: Scope, server_id: str) -> Encryption:
    """How the staging area of a server in `scope`, its staging account, is encrypted.

    Raises AwsError.
    """
    operation = "GetReplicationConfiguration"
    with translated(operation, scope):
        reader = client("drs", Use.READ, scope)
        answer = reader.get_replication_configuration(sourceServerID=server_id)
    try:
        return Encryption(answer["ebsEncryption"], answer.get("ebsEncryptionKeyArn", ""))
    except KeyError as error:
        raise _unreadable(operation, scope, error) from error


def _unreadable(operation: str, scope: Scope, error: Exception) -> AwsError:
    call = Call(operation, scope.account_id, scope.region)
    return AwsError(Failure.OTHER, f"the answer cannot be read: {error!r}", call=call)


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
