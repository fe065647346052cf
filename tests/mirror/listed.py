"""A complete listing of one account and Region, as the inventory sync takes it in."""

from collections.abc import Mapping
from typing import Any

from protection.models import AccountRegion, TargetAccount
from protection.services import inventory, server_rows


def lists(account: TargetAccount, region: str, servers: Mapping[str, dict[str, Any]]) -> None:
    """DRS lists these servers there, and no others."""
    row, _ = AccountRegion.objects.get_or_create(account=account, region=region)
    prints = server_rows.fingerprints(servers)
    pending = server_rows.Pending()
    pending.compare(row, servers, prints, server_rows.known_servers([row])[row.pk])
    inventory._note_answer(inventory.Listing(row, dict(servers), prints), pending)
    pending.write()
