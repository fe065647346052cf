"""The checks of a validation: what is asked of AWS, and what its answers mean.

Everything here takes an account with a way in, a target or a staging account, and reaches AWS only
through its scopes.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Final

from django.conf import settings
from django.db import connection

from drportal.aws import trials
from drportal.aws.drs import Drs
from drportal.aws.errors import AwsError, Failure
from drportal.aws.iam import Iam
from drportal.aws.permissions import IN_STAGING, Permission, needed
from drportal.aws.regions import drs_regions, watched_regions
from drportal.aws.scope import Scope
from drportal.aws.sts import Caller, entered
from drportal.observability import correlated, correlation_id
from protection.choices import CheckState
from protection.models import StagingAccount, StagingServer, TargetAccount
from protection.rules.validation import Check, lacking, not_entered, passed, refused

_THREADS: Final = 8
_QUOTAS_REMEDY: Final = "Without it the documented defaults count. Validate again later."
_SIMULATE: Final = (
    "Let the role call iam:SimulatePrincipalPolicy on itself: then all of its permissions are "
    "looked at. The role's template has that."
)
# Regions that answer so do not use DRS, which is wrong only where the portal relies on them.
_NOT_IN_USE: Final = {
    Failure.NOT_INITIALIZED: "DRS is not initialized",
    Failure.REGION_NOT_OPTED_IN: "the Region is not enabled",
    Failure.CREDENTIALS: "the Region is not enabled",
    Failure.SCP_DENIED: "the organization denies it",
}

AnyAccount = TargetAccount | StagingAccount
# A Region's checks, and why DRS is not in use there, if it is not.
_Region = tuple[list[Check], Failure | None]


def checks_of(account: AnyAccount) -> Iterator[Check]:
    """Enter the account, then look at each watched Region of it; many at once."""
    hub = is_hub(account)
    try:
        caller = entered(account.scope(_first_region(account)))
    except AwsError as error:
        yield not_entered(error, hub=hub)
        return
    yield passed("role", f"AWS knows the portal there as {caller.principal}.")
    relied_on = _relied_on(account)
    used: list[str] = []
    unused: dict[str, Failure] = {}
    for region, (checks, not_in_use) in _asked(account, caller):
        if not_in_use is None or region in relied_on:
            yield from checks
        if not_in_use is None:
            used.append(region)
        else:
            unused[region] = not_in_use
    yield _where(used, unused)


def is_hub(account: AnyAccount) -> bool:
    """Whether it is the portal's own account, which needs no role."""
    return isinstance(account, TargetAccount) and account.is_hub


def _first_region(account: AnyAccount) -> str:
    """The Region where the account is entered first: the portal's own, if it is of the same
    partition.
    """
    regions = drs_regions(account.partition)
    home: str = settings.AWS_DEFAULT_REGION
    return home if home in regions else regions[0]


def _relied_on(account: AnyAccount) -> set[str]:
    """The Regions of the account that something in the portal relies on."""
    if isinstance(account, StagingAccount):
        servers = StagingServer.objects.filter(link__staging=account)
        return set(servers.order_by().values_list("region", flat=True).distinct())
    listed = account.regions.exclude(listed_at=None).values_list("region", flat=True)
    return {*listed, *account.groups.values_list("region", flat=True)}


def _asked(account: AnyAccount, caller: Caller) -> Iterator[tuple[str, _Region]]:
    """What each Region answers, as they answer; AWS is waited for in threads."""
    work = correlation_id()
    regions = watched_regions(account.partition)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="validation") as pool:
        asked = {pool.submit(_look, account, caller, region, work): region for region in regions}
        for answered in as_completed(asked):
            yield asked[answered], answered.result()


def _look(account: AnyAccount, caller: Caller, region: str, work: str) -> _Region:
    with correlated(work):
        try:
            return _region(account, caller, account.scope(region))
        finally:
            connection.close()


def _region(account: AnyAccount, caller: Caller, scope: Scope) -> _Region:
    try:
        Drs(scope).must_be_initialized()
    except AwsError as error:
        not_in_use = error.failure if error.failure in _NOT_IN_USE else None
        return [refused("drs", error, region=scope.region)], not_in_use
    return [
        passed("drs", "DRS is initialized.", region=scope.region),
        _quotas(scope),
        permissions_in(account, caller, scope),
    ], None


def _quotas(scope: Scope) -> Check:
    try:
        trials.quotas(scope)
    except AwsError as error:
        return refused("quotas", error, remedy=_QUOTAS_REMEDY, region=scope.region)
    return passed("quotas", "Service Quotas tells those of DRS.", region=scope.region)


def permissions_in(account: AnyAccount, caller: Caller, scope: Scope) -> Check:
    """Whether the role may do all that a recovery needs in one Region. Uses no database."""
    wanted = _wanted(account)
    principal = scope.account.role_arn or caller.principal
    try:
        found = Iam(scope, principal).lacking(wanted)
    except AwsError as error:
        return _tried(scope, wanted, error, hub=is_hub(account))
    if not found:
        detail = "It may do all that the portal and DRS do with it."
        return passed("permissions", detail, region=scope.region)
    return lacking(
        [each.action for each in found if not each.by_organization],
        [each.action for each in found if each.by_organization],
        hub=is_hub(account),
        region=scope.region,
    )


def _wanted(account: AnyAccount) -> tuple[Permission, ...]:
    if isinstance(account, StagingAccount):
        return needed(IN_STAGING)
    return needed()


def _tried(scope: Scope, wanted: tuple[Permission, ...], why: AwsError, *, hub: bool) -> Check:
    """What can be found out without IAM. Never that all is well: too little can be tried."""
    actions = {permission.action for permission in wanted}
    known = {name: attempt for name, attempt in trials.READS.items() if name in actions}
    failed = trials.refusals(scope, known)
    denied = {name for name, error in failed.items() if error.failure is Failure.ACCESS_DENIED}
    forbidden = {name for name, error in failed.items() if error.failure is Failure.SCP_DENIED}
    if denied or forbidden:
        return lacking(denied, forbidden, hub=hub, region=scope.region)
    writes = {name: attempt for name, attempt in trials.WRITES.items() if name in actions}
    return _nothing_found(scope, {**failed, **trials.refusals(scope, writes)}, why)


def _nothing_found(scope: Scope, failed: Mapping[str, AwsError], why: AwsError) -> Check:
    unsure = f" Not answered: {', '.join(sorted(failed))}." if failed else ""
    detail = (
        f"IAM does not say what it may do ({why.message}). What could be tried was not "
        f"refused; a launch needs more than that.{unsure}"
    )
    remedy = "Validate again in a few minutes." if why.passing else _SIMULATE
    return Check("permissions", CheckState.UNKNOWN, detail, remedy, scope.region)


def _where(used: list[str], unused: Mapping[str, Failure]) -> Check:
    """In which Regions DRS is in use at all, and why not in the others."""
    reasons: dict[str, list[str]] = {}
    for region, failure in sorted(unused.items()):
        reasons.setdefault(_NOT_IN_USE[failure], []).append(region)
    elsewhere = "".join(
        f" Not in {', '.join(regions)}: {reason}." for reason, regions in sorted(reasons.items())
    )
    if used:
        return passed("regions", f"DRS is asked in {', '.join(sorted(used))}.{elsewhere}")
    return Check(
        "regions",
        CheckState.FAILED,
        f"DRS is in use in none of the Regions that are watched.{elsewhere}",
        "Initialize DRS in the Regions to recover into, or see the setting DRS_REGIONS.",
    )
