"""What a recovered instance can be launched with, in the account and Region that it is launched
into: never the portal's own, unless that is the one that is meant.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from drportal.aws.instance_profiles import InstanceProfile, InstanceProfiles
from drportal.aws.instance_types import InstanceType, InstanceTypes
from drportal.aws.network import Network, SecurityGroup, Subnet
from drportal.transactions import reaches_outside
from protection.models import TargetAccount
from queries import live
from queries.errors import of_status

T = TypeVar("T")

# How long the reference system meant to keep them.
_KEPT = timedelta(minutes=60)
_TYPES_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Resources(Generic[T]):
    """What EC2 or IAM listed at `as_of`."""

    account_id: str
    region: str
    as_of: datetime
    items: Sequence[T]


@reaches_outside
def subnets(account: TargetAccount, region: str, *, fresh: bool = False) -> Resources[Subnet]:
    """Every subnet of `account` in `region`. Raises what `queries.errors` has for Regions."""
    scope = account.scope(region)
    return _listed(account, region, "subnets", Network(scope).subnets, _KEPT, fresh=fresh)


@reaches_outside
def security_groups(
    account: TargetAccount, region: str, *, vpc_id: str = "", fresh: bool = False
) -> Resources[SecurityGroup]:
    """Every security group of `account` in `region`, or those of one VPC."""
    scope = account.scope(region)
    found = _listed(
        account, region, "security-groups", Network(scope).security_groups, _KEPT, fresh=fresh
    )
    if not vpc_id:
        return found
    chosen = [group for group in found.items if group.vpc_id == vpc_id]
    return Resources(found.account_id, found.region, found.as_of, chosen)


@reaches_outside
def instance_profiles(
    account: TargetAccount, region: str, *, fresh: bool = False
) -> Resources[InstanceProfile]:
    """Every instance profile of `account`. They are the same in all of its Regions."""
    scope = account.scope(region)
    return _listed(
        account, region, "instance-profiles", InstanceProfiles(scope).all, _KEPT, fresh=fresh
    )


@reaches_outside
def instance_types(
    account: TargetAccount, region: str, *, fresh: bool = False
) -> Resources[InstanceType]:
    """Every instance type that `region` has for `account`, bare metal too."""
    scope = account.scope(region)
    return _listed(
        account, region, "instance-types", InstanceTypes(scope).all, _TYPES_KEPT, fresh=fresh
    )


def _listed(
    account: TargetAccount,
    region: str,
    what: str,
    ask: Callable[[], Sequence[T]],
    keep: timedelta,
    *,
    fresh: bool,
) -> Resources[T]:
    key = (what, account.account_id, region)
    told = live.ask([live.Question(key, lambda: list(ask()), keep)], fresh=fresh)[key]
    if told.value is None:
        raise of_status(
            told.status,
            account_id=account.account_id,
            region=region,
            why=told.problem,
            retry_after=told.retry_after,
        )
    return Resources(account.account_id, region, told.at, told.value)
