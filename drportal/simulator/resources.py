"""The things of one account and Region: what DRS remembers of them, apart from what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from moto.ec2.models.instances import Instance

RECOVERABLE_STATES = frozenset(
    {"CONTINUOUS", "BACKLOG", "CREATING_SNAPSHOT", "PAUSED", "RESCAN", "STALLED"}
)


@dataclass
class Disk:
    """A disk of a source server."""

    device: str
    size: int  # bytes


@dataclass
class Origin:
    """Where an EC2 source server runs; servers on premises have none."""

    account: str
    region: str
    zone: str
    instance_id: str | None = None


@dataclass
class Replication:
    """The replication of a source server as last set; the module `replication` computes the rest.

    `state` is where it stands since `since`. INITIATING with `progresses` goes on by itself to
    CONTINUOUS; every other state stays until something changes it.
    """

    state: str
    since: datetime
    lag: timedelta = timedelta()
    synced: float = 1.0  # the share of the disks that is replicated
    error: str | None = None
    raw_error: str | None = None
    progresses: bool = False


@dataclass
class Extension:
    """Where the staging server of an extended source server is."""

    account: str
    server_id: str
    server_arn: str


@dataclass
class LastLaunch:
    """The last launch of a source server. `status` is a LaunchStatus."""

    job_id: str
    kind: str  # DRILL or RECOVERY
    called_at: datetime
    status: str = "PENDING"


@dataclass
class SourceServer:
    """A source server. Its tags, like those of everything, are in `DRSBackend.tags` by ARN."""

    id: str
    arn: str
    hostname: str
    fqdn: str
    os: str
    added_at: datetime
    replication: Replication
    disks: list[Disk]
    cpus: int
    ram: int  # bytes
    ip: str
    mac: str
    instance_type: str
    zone: str  # of the staging area
    architecture: str = "x86_64"
    agent_version: str = "5.3.0"
    direction: str = "FAILOVER"
    volume_status: str = "REGULAR"
    first_byte_at: datetime | None = None
    origin: Origin | None = None
    extension: Extension | None = None
    reversed_arn: str | None = None
    last_launch: LastLaunch | None = None
    recovery_instance_id: str | None = None
    # What was launched last, which the next launch removes even if DRS has forgotten it.
    launched: Instance | None = None

    @property
    def windows(self) -> bool:
        return "windows" in self.os.lower()


@dataclass
class Failback:
    """The failback of a recovery instance. `state` is a FailbackState."""

    state: str = "FAILBACK_NOT_STARTED"
    job_id: str | None = None
    client_id: str | None = None
    initiated_at: datetime | None = None
    first_byte_at: datetime | None = None
    to_original: bool | None = None
    launch_type: str | None = None
    reversed_arn: str | None = None


@dataclass
class RecoveryInstance:
    """A recovery instance; `id` is the EC2 instance's id and `ec2` is moto's own object of it."""

    id: str
    arn: str
    server_id: str
    job_id: str
    is_drill: bool
    launched_at: datetime
    point_in_time: datetime
    ec2: Instance
    hostname: str
    fqdn: str
    os: str
    cpus: int
    ram: int  # bytes
    origin: Origin | None
    volumes: list[tuple[str, int, str]]  # device, bytes, EBS volume id
    replication_state: str = "NOT_STARTED"
    failback: Failback = field(default_factory=Failback)
    # GetFailbackReplicationConfiguration's members, by wire name.
    failback_configuration: dict[str, Any] = field(default_factory=dict)


@dataclass
class Participant:
    """A server of a job. `launch_status` is a LaunchStatus."""

    server_id: str
    launch_status: str = "PENDING"
    instance_id: str | None = None
    snapshot_id: str | None = None  # a pinned recovery point
    # LaunchActionRun by wire name: what post-launch actions did.
    runs: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class LogItem:
    """One line of a job's log. `data` is `eventData` by wire name."""

    at: datetime
    event: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass
class Job:
    """A job. `log` is what has happened so far; DescribeJobs shows it from `listed_from` on."""

    id: str
    arn: str
    type: str
    initiated_by: str
    created_at: datetime
    participants: list[Participant]
    listed_from: datetime
    number: int
    status: str = "PENDING"
    ended_at: datetime | None = None
    log: list[LogItem] = field(default_factory=list)
    unfinished: int = field(init=False)  # servers whose end is still to come

    def __post_init__(self) -> None:
        self.unfinished = len(self.participants)

    @property
    def active(self) -> bool:
        return self.status != "COMPLETED"

    @property
    def is_drill(self) -> bool:
        return self.initiated_by == "START_DRILL"

    def participant(self, server_id: str) -> Participant:
        return next(each for each in self.participants if each.server_id == server_id)
