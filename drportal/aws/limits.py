"""The quotas of DRS, per account and Region (AWS DRS service quotas)."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class JobQuotas:
    """What limits launch and termination jobs. None of these can be raised."""

    concurrent_jobs: int = 20
    servers_in_jobs: int = 500
    servers_per_job: int = 100


DRS_JOBS = JobQuotas()


class QuotaCode(StrEnum):
    """The quotas that the portal looks at, by the codes of Service Quotas."""

    REPLICATING_SERVERS = "L-C1D14A2B"
    SOURCE_SERVERS = "L-E28BE5E0"
    SERVERS_PER_JOB = "L-B827C881"
    CONCURRENT_JOBS = "L-D88FAC3A"
    SERVERS_IN_JOBS = "L-05AFA8C6"


# What is documented, for where Service Quotas does not say (DRS user guide, quotas).
DOCUMENTED: dict[QuotaCode, int] = {
    QuotaCode.REPLICATING_SERVERS: 300,
    QuotaCode.SOURCE_SERVERS: 4000,
    QuotaCode.SERVERS_PER_JOB: DRS_JOBS.servers_per_job,
    QuotaCode.CONCURRENT_JOBS: DRS_JOBS.concurrent_jobs,
    QuotaCode.SERVERS_IN_JOBS: DRS_JOBS.servers_in_jobs,
}
