"""The servers that a document names, as rows of the inventory."""

from collections.abc import Sequence

from drportal.errors import InvalidInput
from protection.models import AccountRegion, SourceServer, TargetAccount
from protection.services.expected import expect


def named(
    account: TargetAccount, region: str, server_ids: Sequence[str], *, field: str
) -> list[SourceServer]:
    """The rows of `server_ids`. Where nothing was ever listed they are expected: they get rows
    that say nothing yet, and that the next listing fills. Where it was listed without them,
    raises InvalidInput.
    """
    here = SourceServer.objects.filter(account=account, region=region, server_id__in=server_ids)
    found = {server.server_id: server for server in here}
    missing = [server_id for server_id in server_ids if server_id not in found]
    if missing and _was_listed(account, region):
        told = f"DRS does not list {', '.join(missing[:10])} in {account.account_id}/{region}."
        raise InvalidInput.field(field, "SERVER_NOT_FOUND", told)
    made = expect(account, region, missing)
    return [*found.values(), *made]


def _was_listed(account: TargetAccount, region: str) -> bool:
    where = AccountRegion.objects.filter(account=account, region=region)
    return where.exclude(listed_at=None).exists()
