"""The checks of a preflight about accounts and Regions, rather than about single servers."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

from drportal.aws.limits import DRS_JOBS, JobQuotas
from recovery.engine import peaks
from recovery.engine.preflight import Check
from recovery.engine.preflight_facts import Facts, JobFacts, Judged, Place, PlaceFacts, ServerFacts
from recovery.engine.wording import counted, named
from recovery.states import CheckOutcome

PASSED, WARNING = CheckOutcome.PASSED, CheckOutcome.WARNING
FAILED, UNKNOWN = CheckOutcome.FAILED, CheckOutcome.UNKNOWN
_AGAIN = "Run the preflight again; see whether the account may be asked."


def account(facts: Facts) -> Iterator[Check]:
    """Whether the portal could enter each account, in each Region by itself."""
    yield from _judged(facts, "account", lambda place: place.account)


def drs(facts: Facts) -> Iterator[Check]:
    """Whether DRS is initialized."""
    yield from _judged(facts, "drs", lambda place: place.drs)


def permissions(facts: Facts) -> Iterator[Check]:
    """Whether the role may do all that a launch needs."""
    yield from _judged(facts, "permissions", lambda place: place.permissions)


def quotas(facts: Facts) -> Iterator[Check]:
    """What of the plan would wait for DRS's quotas: now, and where its waves run together."""
    for place, found in sorted(facts.places.items()):
        if found.jobs.problem:
            said = f"Which jobs run is not known: {found.jobs.problem}"
            yield _of(place, found, "quotas", UNKNOWN, said, _AGAIN)
        else:
            yield _quotas(facts, place, found, found.jobs.value or ())


def _quotas(facts: Facts, place: Place, found: PlaceFacts, running: Sequence[JobFacts]) -> Check:
    sizes, together = _heaviest(facts, place, found.quotas)
    taken = sum(job.servers for job in running)
    limits = found.quotas
    # What others run takes its part of the room.
    left = JobQuotas(
        concurrent_jobs=max(0, limits.concurrent_jobs - len(running)),
        servers_in_jobs=max(0, limits.servers_in_jobs - taken),
        servers_per_job=limits.servers_per_job,
    )
    waits = peaks.waiting(sizes, left)
    waves = " and ".join(map(str, together))
    said = (
        f"Now {len(running)} of {limits.concurrent_jobs} jobs run, with {taken} of "
        f"{limits.servers_in_jobs} servers. The plan needs at most {counted(len(sizes), 'job')} "
        f"with {counted(sum(sizes), 'server')} at once (wave {waves})."
    )
    largest = max(sizes, default=0)
    if largest > limits.servers_per_job:
        said += f" AWS allows {limits.servers_per_job} servers in a job, and one has {largest}."
        return _of(place, found, "quotas", FAILED, said, "Have the quota raised, or cut the wave.")
    if waits:
        said += f" {counted(waits, 'job')} would wait until DRS has room."
        return _of(place, found, "quotas", WARNING, said, "Expect it to take longer.")
    if found.quotas_problem:
        said += (
            f" Service Quotas did not tell, so the documented ones count: {found.quotas_problem}"
        )
        return _of(place, found, "quotas", WARNING, said, "Let the role read Service Quotas.")
    return _of(place, found, "quotas", PASSED, said)


def _heaviest(facts: Facts, place: Place, limits: JobQuotas) -> tuple[list[int], list[int]]:
    """The jobs of those waves that together take the most room there, and the waves."""
    servers: dict[int, int] = defaultdict(int)
    for server in facts.servers:
        servers[server.wave] += server.place == place
    jobs = {wave: peaks.job_sizes(count, DRS_JOBS) for wave, count in servers.items()}
    best: tuple[list[int], list[int]] = [], []
    for weights in ({wave: len(sizes) for wave, sizes in jobs.items()}, dict(servers)):
        together = sorted(peaks.heaviest(facts.needs, weights))
        sizes = [size for wave in together for size in jobs[wave]]
        if not best[0] or peaks.waiting(sizes, limits) > peaks.waiting(best[0], limits):
            best = sizes, together
    return best


def addresses(facts: Facts) -> Iterator[Check]:
    """Whether the subnets that servers would launch into have an address for each.

    Where a launch names none, EC2 takes the default one of its network.
    """
    wanted: dict[tuple[str, str, str], list[ServerFacts]] = defaultdict(list)
    for server in facts.servers:
        launch = facts.places[server.place].launches.get(server.server_id)
        if launch is not None and launch.subnet_id:
            wanted[*server.place, launch.subnet_id].append(server)
    for (account_id, region, subnet), servers in sorted(wanted.items()):
        place = account_id, region
        found = facts.places[place]
        outcome, said = _room(found, subnet, servers)
        remedy = _AGAIN if outcome == UNKNOWN else ""
        if outcome in {WARNING, FAILED}:
            remedy = "Free addresses there, or give servers another subnet."
        ids = tuple(server.server_id for server in servers)
        yield _of(place, found, "addresses", outcome, said, remedy, server_ids=ids)


def _room(
    found: PlaceFacts, subnet: str, servers: Sequence[ServerFacts]
) -> tuple[CheckOutcome, str]:
    needed = counted(len(servers), "server")
    if found.subnets.problem:
        return UNKNOWN, f"{subnet}, for {needed}: {found.subnets.problem}"
    told = found.subnets.value or {}
    if subnet not in told:
        return FAILED, f"There is no subnet {subnet}, which {needed} would launch into."
    free = told[subnet]
    if free is None:
        return UNKNOWN, f"EC2 does not say how many addresses are free in {subnet}."
    said = f"{subnet} has {free} free {'address' if free == 1 else 'addresses'} for {needed}."
    if free >= len(servers):
        return PASSED, said
    there = found.instances.value or {}
    freed = sum(len(there.get(server.server_id, ())) for server in servers)
    if free + freed >= len(servers):
        return WARNING, f"{said} DRS first deletes {counted(freed, 'instance')}, perhaps there."
    return FAILED, said


def instances(facts: Facts) -> Iterator[Check]:
    """The recovery instances that a launch would replace."""
    for place, found in sorted(facts.places.items()):
        if found.instances.problem:
            said = f"Which recovery instances there are is not known: {found.instances.problem}"
            yield _of(place, found, "instances", UNKNOWN, said, _AGAIN)
            continue
        names = {server.server_id: server.name for server in facts.servers}
        there = {each: ids for each, ids in (found.instances.value or {}).items() if each in names}
        if not there:
            yield _of(place, found, "instances", PASSED, "No server has a recovery instance.")
            continue
        rows = [f"{', '.join(ids)} ({names[each]})" for each, ids in there.items()]
        said = (
            f"A LAUNCH DELETES {counted(len(rows), 'recovery instance').upper()}, drill or "
            f"recovery, with what is on them, before it launches: {named(rows)}."
        )
        remedy = "Start only if none of them is still needed."
        ids = tuple(sorted(there))
        yield _of(place, found, "instances", WARNING, said, remedy, server_ids=ids)


def _judged(facts: Facts, code: str, what: Callable[[PlaceFacts], Judged]) -> Iterator[Check]:
    for place, found in sorted(facts.places.items()):
        judged = what(found)
        yield _of(place, found, code, judged.outcome, judged.found, judged.remedy)


def _of(
    place: Place,
    found: PlaceFacts,
    code: str,
    outcome: CheckOutcome,
    said: str,
    remedy: str = "",
    *,
    server_ids: tuple[str, ...] = (),
) -> Check:
    account_id, region = place
    return Check(
        code,
        outcome,
        said,
        remedy,
        account_id=account_id,
        region=region,
        server_ids=server_ids,
        facts_at=found.at,
    )
