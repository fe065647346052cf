"""Accounts by either of their names: the portal's UUID, or AWS's 12 digits."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from drportal.access import Anybody
from drportal.errors import NotFound
from protection.models import TargetAccount
from protection.selectors import accounts_for

_DIGITS = 12


class AccountKey:
    """A converter of paths, for `urls`: what may stand for an account in one."""

    regex = "[0-9]{12}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: object) -> str:
        return str(value)


def named(key: str) -> dict[str, Any]:
    """The lookup for the account that `key` names."""
    return {"account_id": key} if len(key) == _DIGITS else {"pk": UUID(key)}


def account_seen(user: Anybody, key: str, *, among: QuerySet[Any] | None = None) -> TargetAccount:
    """The account that `key` names, if `user` may see it. Raises NotFound."""
    seen = accounts_for(user) if among is None else among
    found: TargetAccount | None = seen.filter(Q(**named(key))).first()
    if found is None:
        raise NotFound("There is no such account, or none that you may see.")
    return found
