"""The quotas of DRS in one account and Region, as Service Quotas tells them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from drportal.aws.errors import AwsError
from drportal.aws.limits import DOCUMENTED, QuotaCode
from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable
from drportal.transactions import reaches_outside

_SERVICE_CODE = "drs"


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota's value. `told` says that it is AWS's own word; else it is the documented one."""

    value: int
    told: bool = False


@dataclass(frozen=True, slots=True)
class DrsQuotas:
    """The quotas of one account and Region.

    `problem` says why Service Quotas did not tell, in AWS's words; it is empty when it answered.
    Then, too, a quota that it left out is the documented one.
    """

    replicating_servers: Quota
    source_servers: Quota
    servers_per_job: Quota
    concurrent_jobs: Quota
    servers_in_jobs: Quota
    problem: str = ""


@reaches_outside
def drs_quotas(scope: Scope) -> DrsQuotas:
    """The quotas of DRS in `scope`. Raises nothing: what Service Quotas does not tell is the
    documented default, and says so.
    """
    try:
        told = dict(_told(scope))
    except AwsError as error:
        return _quotas({}, problem=error.message)
    return _quotas(told)


def documented_quotas(problem: str) -> DrsQuotas:
    """The documented quotas, for when Service Quotas was not asked; `problem` says why."""
    return _quotas({}, problem=problem)


def _told(scope: Scope) -> Iterator[tuple[str, int]]:
    operation = "ListServiceQuotas"
    found = listed(
        client("service-quotas", Use.READ, scope),
        "list_service_quotas",
        "Quotas",
        operation=operation,
        scope=scope,
        ServiceCode=_SERVICE_CODE,
    )
    with readable(operation, scope):
        for item in found:
            code, value = item["QuotaCode"], _value(item)
            if value is not None:
                yield code, value


def _value(item: dict[str, Any]) -> int | None:
    # With an ErrorReason, Service Quotas could not ask the service itself (its API reference).
    if "ErrorReason" in item or item.get("Value") is None:
        return None
    return int(item["Value"])


def _quotas(told: dict[str, int], *, problem: str = "") -> DrsQuotas:
    def quota(code: QuotaCode) -> Quota:
        value = told.get(code)
        return Quota(DOCUMENTED[code]) if value is None else Quota(value, told=True)

    return DrsQuotas(
        replicating_servers=quota(QuotaCode.REPLICATING_SERVERS),
        source_servers=quota(QuotaCode.SOURCE_SERVERS),
        servers_per_job=quota(QuotaCode.SERVERS_PER_JOB),
        concurrent_jobs=quota(QuotaCode.CONCURRENT_JOBS),
        servers_in_jobs=quota(QuotaCode.SERVERS_IN_JOBS),
        problem=problem,
    )
