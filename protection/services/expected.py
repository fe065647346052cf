"""Servers that somebody names before DRS has listed them."""

from collections.abc import Iterable

from drportal.mirror.services import mark
from protection.models import SourceServer, TargetAccount


def expect(account: TargetAccount, region: str, server_ids: Iterable[str]) -> list[SourceServer]:
    """Rows for servers that are named in a configuration, where nothing was ever listed.

    They say nothing but their ids, so their readiness is unknown. The first complete listing of
    the account and Region fills them, or says that they are gone. Call it in a transaction.
    """
    made = [
        SourceServer(
            account=account,
            region=region,
            server_id=server_id,
            arn=f"arn:{account.partition}:drs:{region}:{account.account_id}"
            f":source-server/{server_id}",
            name=server_id,
            fingerprint="",
        )
        for server_id in server_ids
    ]
    SourceServer.objects.bulk_create(made)
    mark("SourceServerInventory", *(server.pk for server in made))
    return made
