"""Which account a question is about: never one that nobody named, unless it is the only one."""

import re
from uuid import UUID

from drportal.access import Anybody
from drportal.aws.regions import is_drs_region
from drportal.errors import InvalidInput, NotFound
from protection.models import TargetAccount
from protection.selectors import accounts_for
from queries.errors import AccountNotNamed, RegionNotNamed

_DIGITS = re.compile(r"[0-9]{12}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def account_named(user: Anybody, name: str) -> TargetAccount:
    """The account that `name` means: AWS's 12 digits, or the portal's id. Raises NotFound, also
    for one that `user` may not see.
    """
    seen = accounts_for(user)
    if _DIGITS.fullmatch(name):
        found = seen.filter(account_id=name).first()
    elif _UUID.fullmatch(name):
        found = seen.filter(pk=UUID(name)).first()
    else:
        found = None
    if found is None:
        raise NotFound("There is no such account, or none that you may see.")
    return found


def account_meant(user: Anybody, name: str | None) -> TargetAccount:
    """The account that `name` means; without a name, the only one that `user` may see. Raises
    AccountNotNamed when there are several, or none.
    """
    if name:
        return account_named(user, name)
    seen = list(accounts_for(user)[:2])
    if len(seen) != 1:
        raise AccountNotNamed(accounts_for(user).count())
    return seen[0]


def region_meant(name: str | None) -> str:
    """The Region that `name` means. Raises RegionNotNamed without one, and InvalidInput for one
    that has no DRS.
    """
    if not name:
        raise RegionNotNamed
    if not is_drs_region(name):
        raise InvalidInput.field("region", "unknown_region", f"DRS has no Region {name[:40]!r}.")
    return name
