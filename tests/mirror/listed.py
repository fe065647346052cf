"""A complete listing of one account and Region, as the inventory sync takes it in."""

from collections.abc import Mapping
from typing import Any

from protection.models import AccountRegion, TargetAccount
from protection.services import inventory, server_rows


def lists(account: TargetAccount, region: str, servers: Mapping[str, dict[str, Any]]) -> None:
    """DRS lists these servers there, and no others."""
    row, _ = AccountRegion.objects.get_or_create(account=account, region=region)
    known = server_rows.known_servers([row])[row.pk]
    listed = server_rows.compared(servers.items(), known)
    pending = server_rows.Pending()
    pending.take(row, listed, known)
    inventory._note_answer(inventory.Listing(row, known, listed), pending)
    pending.write()
