from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass
class Quotas:
    """DRS quotas per account and Region (drs user guide and Service Quotas, October 2025)."""

    replicating_servers: int = 300
    total_servers: int = 4000
    servers_per_job: int = 100
    servers_in_jobs: int = 500
    concurrent_jobs: int = 20
    launch_actions_per_resource: int = 200
    launch_configuration_templates: int = 1


@dataclass
class Timing:
    """How long each phase takes at speed 1 for one operating system family.

    Linux: the raw logs of two AWS sample drills. Windows: one field note (23 m 56 s in all).
    """

    snapshot: timedelta
    before_conversion: timedelta
    conversion: timedelta
    launch: timedelta


LINUX = Timing(
    snapshot=timedelta(seconds=0.2),
    before_conversion=timedelta(seconds=51),
    conversion=timedelta(minutes=3, seconds=6),
    launch=timedelta(minutes=4, seconds=50),
)
WINDOWS = Timing(
    snapshot=timedelta(seconds=3),
    before_conversion=timedelta(minutes=3, seconds=11),
    conversion=timedelta(minutes=14),
    launch=timedelta(minutes=6),
)


@dataclass
class Settings:
    """Every choice where no source says what AWS does, and the switches of a test."""

    # Switches the two known departures from the model off: LAUNCH_END, and "+00:00" in times.
    strict_model: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    linux: Timing = field(default_factory=lambda: LINUX)
    windows: Timing = field(default_factory=lambda: WINDOWS)
    cleanup: timedelta = timedelta(seconds=20)
    termination: timedelta = timedelta(seconds=90)
    # Conversion takes this long before it fails, and is tried this often.
    conversion_attempts: int = 3
    # The replication of a server that starts: eleven steps, the first sync, its snapshot.
    initiation_step: timedelta = timedelta(seconds=20)
    sync_bytes_per_second: int = 125_000_000
    first_snapshot: timedelta = timedelta(minutes=1)
    default_page_size: int = 1000
    # What a server that DRS skipped shows as its launchStatus when the job is COMPLETED.
    skipped_launch_status: str = "FAILED"
    # A pinned recovery point needs no snapshot: the log then has no SNAPSHOT_* for it.
    log_snapshot_of_pinned_point: bool = False
    # Finished TERMINATE jobs keep their servers in participatingServers.
    termination_keeps_servers: bool = True
    # DescribeJobLogItems of a job that does not exist: "empty" or "validation".
    unknown_job_log: str = "empty"
    # The answer to StartRecovery carried a stray tag key "resourceArn" in one real trace.
    stray_job_tag: bool = False
    # Whether participatingServers of a launch job names the recovery instance once it runs.
    launch_job_names_instance: bool = False
    # Conversion servers are short-lived EC2 instances in the staging subnet.
    conversion_servers_in_ec2: bool = True
    # How long the HTTP server holds a connection whose answer must not arrive.
    hold_seconds: float = 60.0
