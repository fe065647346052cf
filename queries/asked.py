"""What capacity asks of AWS in one account and Region: quotas, jobs, servers of its own."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.aws.quotas import DrsQuotas, drs_quotas
from drportal.aws.scope import Scope
from protection.rules.facts import facts
from queries.live import Question

_QUOTAS_KEPT = timedelta(minutes=5)
_JOBS_KEPT = timedelta(seconds=30)
_SERVERS_KEPT = timedelta(minutes=5)
# A job ends after 24 hours at the most (DRS quotas), so that older ones cannot be running.
_OLDEST_JOB = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class JobsNow:
    """The jobs that are not completed, whoever started them, launching or terminating."""

    jobs: int
    servers: int
    largest: int
    largest_job_id: str


@dataclass(frozen=True, slots=True)
class ServersThere:
    """How many servers an account has itself, by replication state, and how many in all."""

    states: tuple[tuple[str, int], ...]
    total: int


def quotas_of(scope: Scope) -> Question[DrsQuotas]:
    """What Service Quotas says. A silence is not kept."""
    return Question(
        ("quotas", *scope.key),
        lambda: drs_quotas(scope),
        _QUOTAS_KEPT,
        worth=lambda quotas: not quotas.problem,
    )


def jobs_of(scope: Scope) -> Question[JobsNow]:
    """The jobs there, now."""

    def ask() -> JobsNow:
        found = Drs(scope).jobs_since(timezone.now() - _OLDEST_JOB)
        sizes = {job.job_id: len(job.participants) for job in found if not job.completed}
        largest = max(sizes, key=lambda job_id: sizes[job_id], default="")
        return JobsNow(len(sizes), sum(sizes.values()), sizes.get(largest, 0), largest)

    return Question(("jobs", *scope.key), ask, _JOBS_KEPT)


def servers_of(scope: Scope) -> Question[ServersThere]:
    """The servers there. Those extended from another account do not replicate there."""

    def ask() -> ServersThere:
        states: Counter[str] = Counter()
        listed = 0
        for server in Drs(scope).source_servers():
            columns = facts(server.raw)
            listed += 1
            if columns["staging_account_id"] in {"", scope.account_id}:
                states[columns["replication_state"]] += 1
        return ServersThere(tuple(sorted(states.items())), listed)

    return Question(("servers", *scope.key), ask, _SERVERS_KEPT)
