"""What a choice of servers would mean, asked before it is saved. Nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from protection.choices import Readiness
from protection.models import AccountRegion, ProtectionGroup, SourceServer
from protection.rules.readiness import Verdict
from protection.rules.selection import jobs_for
from protection.selectors import readiness_of, servers_chosen, with_other_groups


@dataclass(frozen=True, slots=True)
class Found:
    """A server of the choice. `new`: the saved group does not hold it now. `others`: the names of
    the other groups that do, by tags or by hand.
    """

    server: SourceServer
    verdict: Verdict
    new: bool
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The servers of a choice by name, and those that would leave the saved group.

    `where` is what their account and Region last answered, None if it was never asked: without an
    answer the choice is what was known once, and not what is there.
    """

    found: tuple[Found, ...]
    leaving: tuple[SourceServer, ...]
    where: AccountRegion | None

    @property
    def shared(self) -> list[Found]:
        """Those that other groups hold too."""
        return [entry for entry in self.found if entry.others]

    @property
    def readiness(self) -> Mapping[Readiness, int]:
        """How many are how ready, of all of them."""
        counted = Counter(entry.verdict.readiness for entry in self.found)
        return {readiness: counted[readiness] for readiness in Readiness}

    @property
    def jobs(self) -> int:
        """How many launch jobs they take at least."""
        return jobs_for(len(self.found))


def preview(
    servers: QuerySet[SourceServer],
    *,
    account_id: Any,
    region: str,
    group: ProtectionGroup | None = None,
) -> Preview:
    """What a group of `servers`, all of one account and Region, would be. With `group`, beside
    what that holds now. Four queries.
    """
    where = AccountRegion.objects.filter(account_id=account_id, region=region).first()
    now = {server.pk: server for server in servers_chosen(group)} if group is not None else {}
    besides = group.pk if group is not None else None
    found = tuple(
        Found(
            server=server,
            verdict=readiness_of(server, where),
            new=group is not None and server.pk not in now,
            others=tuple(server.others),
        )
        for server in with_other_groups(servers, besides=besides).select_related("account")
    )
    chosen = {entry.server.pk for entry in found}
    return Preview(
        found=found,
        leaving=tuple(server for pk, server in now.items() if pk not in chosen),
        where=where,
    )
