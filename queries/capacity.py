"""How full accounts and Regions are: what the inventory holds, with jobs and quotas as of now.

Every quota of DRS holds for one account in one Region, and only there is a count held against
one. What is added up are counts; limits are added up for one Region only, next to the counts of
the same accounts there.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone

from drportal.access import Anybody
from drportal.aws.quotas import DrsQuotas, Quota, documented_quotas
from drportal.aws.scope import Scope
from drportal.transactions import reaches_outside
from protection.choices import CapacityState, Measure, RegionStatus
from protection.models import TargetAccount
from protection.rules.capacity import (
    Assessment,
    Count,
    assess,
    replicating,
    total,
    worst,
)
from protection.rules.regions import NOT_IN_USE
from protection.selectors import accounts_for
from queries import live
from queries.asked import JobsNow, jobs_of, quotas_of, servers_of
from queries.errors import of_status
from queries.guards import read_only
from queries.places import Extended, Known, Listed, known_places

T = TypeVar("T")

INVENTORY, LIVE, EXTENDED = "inventory", "live", "extended_servers"


@dataclass(frozen=True, slots=True)
class Gauge:
    """A count against its quota, and whether the quota is AWS's own word or the documented one."""

    held: Assessment
    quota: Quota


@dataclass(frozen=True, slots=True)
class Place:
    """How full one account is in one Region.

    `source` says where the servers were counted: in the inventory, live, or, of a staging account
    that could not be read, as the least that its extended servers tell; `as_of` says when.
    Jobs are read of target accounts only; `jobs_as_of` is None if they could not be read.
    """

    region: str
    status: RegionStatus
    problem: str
    source: str
    as_of: datetime | None
    servers: tuple[Gauge, ...]
    jobs: tuple[Gauge, ...]
    jobs_as_of: datetime | None
    jobs_problem: str
    largest_job_id: str
    quotas_problem: str

    @property
    def gauges(self) -> tuple[Gauge, ...]:
        return self.servers + self.jobs

    @property
    def state(self) -> CapacityState:
        return worst(gauge.held.state for gauge in self.gauges)

    @property
    def at_least(self) -> bool:
        return any(gauge.held.at_least for gauge in self.gauges)

    def gauge(self, measure: Measure) -> Gauge:
        """The gauge of one measure. Raises LookupError if this place has none."""
        for gauge in self.gauges:
            if gauge.held.measure == measure:
                return gauge
        raise LookupError(measure)


@dataclass(frozen=True, slots=True)
class AccountCapacity:
    """One account in all of its Regions. `silent` are Regions of which nothing is known."""

    pk: UUID | None
    account_id: str
    name: str
    is_target: bool
    serves: tuple[str, ...]
    places: tuple[Place, ...]
    silent: tuple[str, ...]
    replicating: Count
    source_servers: Count
    state: CapacityState

    @property
    def at_least(self) -> bool:
        return bool(self.silent) or any(place.at_least for place in self.places)


@dataclass(frozen=True, slots=True)
class RegionCapacity:
    """One Region over several accounts, each of which has quotas of its own there."""

    region: str
    accounts: int
    replicating: Count
    replicating_limits: int
    source_servers: Count
    source_server_limits: int
    state: CapacityState


@dataclass(frozen=True, slots=True)
class Capacity:
    """Several accounts together. `missing` names all that could not be counted."""

    accounts: tuple[AccountCapacity, ...]
    regions: tuple[RegionCapacity, ...]
    replicating: Count
    source_servers: Count
    state: CapacityState
    missing: tuple[str, ...]

    @property
    def at_least(self) -> bool:
        return any(account.at_least for account in self.accounts)


Answers = dict[live.Key, live.Told[Any]]


@reaches_outside
def capacity_of(account: TargetAccount, *, fresh: bool = False) -> Capacity:
    """How full `account` is, with the staging accounts that serve it."""
    with read_only():
        known = known_places([account])
    return _capacity(known, fresh=fresh)


@reaches_outside
def quotas_of_account(
    account: TargetAccount, *, region: str = "", fresh: bool = False
) -> AccountCapacity:
    """The quotas of `account` itself and what is used of them, in one Region or in all. A Region
    of which nothing is known is among the silent ones; one without DRS is refused.
    """
    with read_only():
        known = known_places([account])[0]
        row = account.regions.filter(region=region).first()
    if region:
        known = known.only(region)
        if row is not None and not known.listed and not known.silent:
            raise of_status(
                row.status, account_id=account.account_id, region=region, why=row.message
            )
    answers = live.ask(list(_questions(known)), fresh=fresh)
    return _account(known, answers)


@reaches_outside
def capacity_seen(user: Anybody, *, fresh: bool = False) -> Capacity:
    """How full all accounts are that `user` may see, with the staging accounts that serve them."""
    with read_only():
        known = known_places(list(accounts_for(user)))
    return _capacity(known, fresh=fresh)


def _capacity(known: Sequence[Known], *, fresh: bool) -> Capacity:
    answers = live.ask([question for each in known for question in _questions(each)], fresh=fresh)
    accounts = tuple(_account(each, answers) for each in known)
    names = sorted({place.region for account in accounts for place in account.places})
    return Capacity(
        accounts=accounts,
        regions=tuple(_region(name, accounts) for name in names),
        replicating=total(account.replicating for account in accounts),
        source_servers=total(account.source_servers for account in accounts),
        state=worst(account.state for account in accounts),
        missing=_missing(accounts),
    )


def _questions(known: Known) -> Iterator[live.Question[Any]]:
    for listed in known.listed:
        scope = known.scope(listed.region)
        if scope:
            yield quotas_of(scope)
            yield jobs_of(scope)
    for region, _ in known.extended:
        scope = known.scope(region)
        if scope:
            yield quotas_of(scope)
            yield servers_of(scope)


def _account(known: Known, answers: Answers) -> AccountCapacity:
    found = [_place(known, listed, answers) for listed in known.listed]
    found += [
        place
        for region, extended in known.extended
        if (place := _staging_place(known, region, extended, answers)) is not None
    ]
    places = tuple(found)
    nobody_knows = not known.is_target and not known.extended
    silent = [Count.unknown(f"{region} was never asked") for region in known.silent]
    if nobody_knows:
        silent.append(Count.unknown("no Region of the accounts that it serves is known"))
    states = [place.state for place in places]
    states += [CapacityState.UNKNOWN] if silent else []
    nothing = not places and not silent  # every Region said that DRS is not used there
    counts = {
        measure: Count(0)
        if nothing
        else total([*(place.gauge(measure).held.count for place in places), *silent])
        for measure in (Measure.REPLICATING_SERVERS, Measure.SOURCE_SERVERS)
    }
    return AccountCapacity(
        pk=known.pk,
        account_id=known.account_id,
        name=known.name,
        is_target=known.is_target,
        serves=known.serves,
        places=places,
        silent=known.silent,
        replicating=counts[Measure.REPLICATING_SERVERS],
        source_servers=counts[Measure.SOURCE_SERVERS],
        state=CapacityState.OK if nothing else worst(states),
    )


def _place(known: Known, listed: Listed, answers: Answers) -> Place:
    quotas = _quotas(known, listed.region, answers)
    told = _told(known, listed.region, jobs_of, answers)
    return Place(
        region=listed.region,
        status=listed.status,
        problem=listed.message,
        source=INVENTORY,
        as_of=listed.listed_at,
        servers=_servers(listed.replicating, listed.source_servers, quotas),
        jobs=_jobs(told, quotas),
        jobs_as_of=told.at if told.value else None,
        jobs_problem=told.problem,
        largest_job_id=told.value.largest_job_id if told.value else "",
        quotas_problem=quotas.problem,
    )


def _staging_place(known: Known, region: str, extended: Extended, answers: Answers) -> Place | None:
    """A staging account in one Region; None if DRS is not used there."""
    told = _told(known, region, servers_of, answers)
    if told.status in NOT_IN_USE and not extended.servers:
        return None
    quotas = _quotas(known, region, answers)
    if told.value is not None:
        counted = replicating(told.value.states), Count(told.value.total)
    else:
        counted = _least(extended, f"{region} could not be read: {told.problem}")
    return Place(
        region=region,
        status=told.status,
        problem=told.problem,
        source=EXTENDED if told.value is None else LIVE,
        as_of=None if told.value is None else told.at,
        servers=_servers(*counted, quotas),
        jobs=(),
        jobs_as_of=None,
        jobs_problem="",
        largest_job_id="",
        quotas_problem=quotas.problem,
    )


def _least(extended: Extended, why: str) -> tuple[Count, Count]:
    if not extended.servers:  # of an account that nobody could read, that is no zero
        return Count.unknown(why), Count.unknown(why)
    return Count(extended.replicating, (why,)), Count(extended.servers, (why,))


def _told(
    known: Known, region: str, question: Callable[[Scope], live.Question[T]], answers: Answers
) -> live.Told[T]:
    scope = known.scope(region)
    if scope is None:
        problem = "the portal knows no role of this account"
        return live.Told(None, timezone.now(), status=RegionStatus.UNKNOWN, problem=problem)
    return answers[question(scope).key]


def _quotas(known: Known, region: str, answers: Answers) -> DrsQuotas:
    told = _told(known, region, quotas_of, answers)
    return told.value or documented_quotas(told.problem)


def _servers(replicated: Count, listed: Count, quotas: DrsQuotas) -> tuple[Gauge, ...]:
    return (
        _gauge(Measure.REPLICATING_SERVERS, replicated, quotas.replicating_servers),
        _gauge(Measure.SOURCE_SERVERS, listed, quotas.source_servers),
    )


def _jobs(told: live.Told[JobsNow], quotas: DrsQuotas) -> tuple[Gauge, ...]:
    now = told.value
    unread = Count.unknown(f"its jobs could not be read: {told.problem}")
    return (
        _gauge(Measure.CONCURRENT_JOBS, Count(now.jobs) if now else unread, quotas.concurrent_jobs),
        _gauge(
            Measure.SERVERS_IN_JOBS, Count(now.servers) if now else unread, quotas.servers_in_jobs
        ),
        _gauge(
            Measure.SERVERS_PER_JOB, Count(now.largest) if now else unread, quotas.servers_per_job
        ),
    )


def _gauge(measure: Measure, count: Count, quota: Quota) -> Gauge:
    return Gauge(assess(measure, count, quota.value), quota)


def _region(name: str, accounts: Sequence[AccountCapacity]) -> RegionCapacity:
    here = [place for account in accounts for place in account.places if place.region == name]
    silent = [account for account in accounts if name in account.silent]
    unknown = [Count.unknown(f"{account.account_id} was never asked") for account in silent]
    replicated = [place.gauge(Measure.REPLICATING_SERVERS) for place in here]
    listed = [place.gauge(Measure.SOURCE_SERVERS) for place in here]
    states = [gauge.held.state for gauge in replicated + listed]
    return RegionCapacity(
        region=name,
        accounts=len(here),
        replicating=total([*(gauge.held.count for gauge in replicated), *unknown]),
        replicating_limits=sum(gauge.quota.value for gauge in replicated),
        source_servers=total([*(gauge.held.count for gauge in listed), *unknown]),
        source_server_limits=sum(gauge.quota.value for gauge in listed),
        state=worst([*states, *(CapacityState.UNKNOWN for _ in silent)]),
    )


def _missing(accounts: Iterable[AccountCapacity]) -> tuple[str, ...]:
    """All that could not be counted, each thing once, with the account that it belongs to."""
    found: dict[str, None] = {}
    for account in accounts:
        reasons = [*account.replicating.missing, *account.source_servers.missing]
        reasons += [
            f"{place.region}: {why}"
            for place in account.places
            for gauge in place.jobs
            for why in gauge.held.count.missing
        ]
        found |= dict.fromkeys(f"{account.account_id}: {why}" for why in reasons)
    return tuple(found)
