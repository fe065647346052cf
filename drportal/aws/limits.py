"""The quotas of DRS, per account and Region (AWS DRS service quotas)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class JobQuotas:
    """What limits launch and termination jobs. None of these can be raised."""

    concurrent_jobs: int = 20
    servers_in_jobs: int = 500
    servers_per_job: int = 100


DRS_JOBS = JobQuotas()


@dataclass(frozen=True, slots=True)
class ServerQuotas:
    """What limits source servers, extended ones included. It can be raised (L-E28BE5E0)."""

    source_servers: int = 4000


DRS_SERVERS = ServerQuotas()
