"""Whether a launch job fits into DRS's quotas now, and how a wave is cut into jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from drportal.aws.limits import DRS_JOBS, JobQuotas


@dataclass(frozen=True, slots=True)
class Load:
    """What runs in one account and Region: jobs, and servers in them, whoever started them."""

    jobs: int
    servers: int


def why_wait(wanted: int, load: Load, quotas: JobQuotas = DRS_JOBS) -> str:
    """Why a job of `wanted` servers has to wait; empty if it fits."""
    if load.jobs >= quotas.concurrent_jobs:
        return f"{load.jobs} of {quotas.concurrent_jobs} concurrent jobs are running"
    if load.servers + wanted > quotas.servers_in_jobs:
        return (
            f"{load.servers} of {quotas.servers_in_jobs} servers are in running jobs, "
            f"and this one has {wanted}"
        )
    return ""


def split(server_ids: Sequence[str], quotas: JobQuotas = DRS_JOBS) -> list[list[str]]:
    """`server_ids` in parts that one job may hold, in the given order."""
    size = quotas.servers_per_job
    return [list(server_ids[start : start + size]) for start in range(0, len(server_ids), size)]
