"""DRS quotas per account and Region, and one job per source server."""

from __future__ import annotations

from collections.abc import Iterable

from drportal.simulator.exceptions import ConflictException, ServiceQuotaExceededException
from drportal.simulator.models import DRSBackend
from drportal.simulator.resources import SourceServer
from drportal.simulator.world import world

REPLICATING_SERVERS = "L-C1D14A2B"
TOTAL_SERVERS = "L-E28BE5E0"
SERVERS_PER_JOB = "L-B827C881"
SERVERS_IN_JOBS = "L-05AFA8C6"
CONCURRENT_JOBS = "L-D88FAC3A"

_NOT_REPLICATING = frozenset({"STOPPED", "DISCONNECTED"})

# The text DRS sent in real traces.
BUSY = (
    "One or more of the Source Servers included in API call are currently being processed by a Job"
)


def _check(count: int, limit: int, code: str, what: str) -> None:
    if count > limit:
        raise ServiceQuotaExceededException(
            f"{what}: {count} would exceed the quota of {limit}.", quota_code=code
        )


def check_total_servers(backend: DRSBackend) -> None:
    """One more server must fit."""
    limit = world.settings.quotas.total_servers
    _check(len(backend.servers) + 1, limit, TOTAL_SERVERS, "Source servers")


def replicating_servers(backend: DRSBackend) -> list[SourceServer]:
    """Extended servers replicate in the staging account and do not count here."""
    return [
        server
        for server in backend.servers.values()
        if server.extension is None and server.replication.state not in _NOT_REPLICATING
    ]


def check_replicating_servers(backend: DRSBackend) -> None:
    """One more replicating server must fit."""
    count = len(replicating_servers(backend)) + 1
    limit = world.settings.quotas.replicating_servers
    _check(count, limit, REPLICATING_SERVERS, "Replicating source servers")


def busy_servers(backend: DRSBackend) -> set[str]:
    """The servers of all active jobs."""
    return {each.server_id for job in backend.active_jobs() for each in job.participants}


def check_not_in_job(backend: DRSBackend, server_ids: Iterable[str]) -> None:
    """Raises ConflictException when a job has one of the servers."""
    busy = busy_servers(backend)
    for server_id in server_ids:
        if server_id in busy:
            raise ConflictException(BUSY, resourceId=server_id, resourceType="SourceServer")


def check_job(backend: DRSBackend, server_count: int) -> None:
    """Whether a job with so many servers may start now."""
    limits = world.settings.quotas
    jobs = backend.active_jobs()
    running = sum(len(job.participants) for job in jobs)
    _check(server_count, limits.servers_per_job, SERVERS_PER_JOB, "Source servers in one job")
    _check(len(jobs) + 1, limits.concurrent_jobs, CONCURRENT_JOBS, "Concurrent jobs")
    _check(
        running + server_count,
        limits.servers_in_jobs,
        SERVERS_IN_JOBS,
        "Source servers in active jobs",
    )
