"""AWS Elastic Disaster Recovery in one account and Region.

Times are aware datetimes. A member that DRS left out is None or empty: almost everything in its
answers is optional (botocore model).
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from drportal.aws.scope import Scope
from drportal.aws.session import Use, client, listed, readable, sent_before, translated
from drportal.transactions import reaches_outside

_FILTER_BATCH = 200  # sourceServerIDs and recoveryInstanceIDs filters (botocore model)
_DURATION = re.compile(
    r"P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)


@dataclass(frozen=True, slots=True)
class SourceServer:
    """A source server as DRS lists it. `raw` is the whole answer."""

    server_id: str
    arn: str
    raw: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Participant:
    """What a job says of one server. `launch_status` is DRS's own word."""

    server_id: str
    launch_status: str
    recovery_instance_id: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A DRS job. `completed` says that nothing more will happen, not that anything succeeded."""

    job_id: str
    kind: str
    initiated_by: str
    status: str
    created_at: datetime | None
    ended_at: datetime | None
    participants: tuple[Participant, ...]

    @property
    def completed(self) -> bool:
        return self.status == "COMPLETED"

    @property
    def server_ids(self) -> frozenset[str]:
        return frozenset(participant.server_id for participant in self.participants)


@dataclass(frozen=True, slots=True)
class LogItem:
    """One line of a job's log. Lines about the whole job name no server. `attempt` counts, of
    `attempts`, how often DRS has tried; None where it does not say.
    """

    at: datetime | None
    event: str
    server_id: str = ""
    error: str = ""
    instance_id: str = ""
    conversion_id: str = ""
    attempt: int | None = None
    attempts: int | None = None


@dataclass(frozen=True, slots=True)
class RecoveryPoint:
    """A recovery point that was taken. `snapshot_id` begins with pit-; only such may be launched
    from.
    """

    snapshot_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class RecoveryInstance:
    """An instance that a launch left behind. Its id is the EC2 instance's."""

    instance_id: str
    server_id: str
    job_id: str
    ec2_state: str
    is_drill: bool | None
    point_in_time: datetime | None
    raw: dict[str, Any] = field(default_factory=dict, repr=False)


def parse_time(text: str | None) -> datetime | None:
    """DRS's times are strings, ending in Z or in +00:00 (botocore model; field logs).

    Raises ValueError for what is no time.
    """
    if not text:
        return None
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@lru_cache(maxsize=4096)  # most servers lag by the same few lengths, and all are read each time
def parse_duration(text: str | None) -> timedelta | None:
    """An ISO 8601 duration of days or less, such as P0D or PT1H2M3.5S; None if it is not one."""
    match = _DURATION.fullmatch(text or "")
    if not match or not text or text in {"P", "PT"}:
        return None
    try:
        return timedelta(**{unit: float(value) for unit, value in match.groupdict("0").items()})
    except OverflowError:
        return None


class Drs:
    """DRS in one scope. Every method may raise AwsError."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    @reaches_outside
    def source_servers(self) -> Iterator[SourceServer]:
        """Every source server. An error in mid-listing raises: half a listing is none."""
        operation = "DescribeSourceServers"
        with readable(operation, self.scope):
            for item in self._listed("describe_source_servers", operation):
                yield _source_server(item)

    @reaches_outside
    def source_servers_named(self, server_ids: Sequence[str]) -> list[SourceServer]:
        """Those of `server_ids` that DRS lists."""
        operation, found = "DescribeSourceServers", []
        for start in range(0, len(server_ids), _FILTER_BATCH):
            filters = {"sourceServerIDs": list(server_ids[start : start + _FILTER_BATCH])}
            listed_now = self._listed("describe_source_servers", operation, filters=filters)
            with readable(operation, self.scope):
                found += [_source_server(item) for item in listed_now]
        return found

    @reaches_outside
    def must_be_initialized(self) -> None:
        """Raise AwsError, NOT_INITIALIZED or another, unless DRS answers here. One short call."""
        with translated("DescribeSourceServers", self.scope):
            client("drs", Use.READ, self.scope).describe_source_servers(maxResults=1)

    @reaches_outside
    def jobs_since(self, since: datetime) -> list[Job]:
        """The jobs created at or after `since`, newest first, whoever started them."""
        filters = {"fromDate": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        found = self._listed("describe_jobs", "DescribeJobs", filters=filters)
        with readable("DescribeJobs", self.scope):
            return [job_of(item) for item in found]

    @reaches_outside
    def job_log(self, job_id: str) -> list[LogItem]:
        """The job's log, oldest first."""
        found = self._listed("describe_job_log_items", "DescribeJobLogItems", jobID=job_id)
        with readable("DescribeJobLogItems", self.scope):
            return [_log_item(item) for item in found]

    @reaches_outside
    def recovery_instances(self, server_ids: Sequence[str]) -> list[RecoveryInstance]:
        """The recovery instances of `server_ids`."""
        found: list[RecoveryInstance] = []
        for start in range(0, len(server_ids), _FILTER_BATCH):
            wanted = list(server_ids[start : start + _FILTER_BATCH])
            found += self._instances(filters={"sourceServerIDs": wanted})
        return found

    @reaches_outside
    def recovery_instances_named(self, instance_ids: Sequence[str]) -> list[RecoveryInstance]:
        """Those of `instance_ids` that are there."""
        found: list[RecoveryInstance] = []
        for start in range(0, len(instance_ids), _FILTER_BATCH):
            wanted = list(instance_ids[start : start + _FILTER_BATCH])
            found += self._instances(filters={"recoveryInstanceIDs": wanted})
        return found

    @reaches_outside
    def all_recovery_instances(self) -> list[RecoveryInstance]:
        """Every recovery instance. An error in mid-listing raises: half a listing is none."""
        return self._instances()

    def _instances(self, **arguments: Any) -> list[RecoveryInstance]:
        operation = "DescribeRecoveryInstances"
        found = self._listed("describe_recovery_instances", operation, **arguments)
        with readable(operation, self.scope):
            return [_recovery_instance(item) for item in found]

    @reaches_outside
    def recovery_points(
        self, server_id: str, *, page: int | None = None
    ) -> Iterator[RecoveryPoint]:
        """The recovery points of a server that were taken, newest first, in pages of `page`.

        A point that DRS expects and has not taken has no `timestamp` (botocore model).
        """
        operation = "DescribeRecoverySnapshots"
        wanted: dict[str, Any] = {"sourceServerID": server_id, "order": "DESC"}
        wanted |= {"maxResults": page} if page else {}
        with readable(operation, self.scope):
            for item in self._listed("describe_recovery_snapshots", operation, **wanted):
                at = parse_time(item.get("timestamp"))
                if at is not None:
                    yield RecoveryPoint(item["snapshotID"], at)

    @reaches_outside
    def recovery_point(
        self, server_id: str, *, snapshot_id: str = "", not_after: datetime | None = None
    ) -> RecoveryPoint | None:
        """The newest recovery point of a server that was taken; the one with this id, if one is
        given, or the newest that was taken at or before `not_after`. None if there is none.
        """
        latest = not snapshot_id and not_after is None
        for point in self.recovery_points(server_id, page=10 if latest else None):
            wanted = not snapshot_id or point.snapshot_id == snapshot_id
            if wanted and (not_after is None or point.at <= not_after):
                return point
        return None

    @reaches_outside
    def tag(self, arn: str, tags: dict[str, str]) -> None:
        """Set tags on a resource, and leave its others. Doing it twice is doing it once."""
        with translated("TagResource", self.scope):
            client("drs", Use.WRITE, self.scope).tag_resource(resourceArn=arn, tags=tags)

    @reaches_outside
    def untag(self, arn: str, keys: Sequence[str]) -> None:
        """Take tags off a resource. Those that it does not have are no error."""
        with translated("UntagResource", self.scope):
            client("drs", Use.WRITE, self.scope).untag_resource(resourceArn=arn, tagKeys=list(keys))

    @reaches_outside
    def start_recovery(
        self,
        server_ids: Sequence[str],
        *,
        drill: bool,
        points: Mapping[str, str] | None = None,
        before: float = math.inf,
    ) -> Job:
        """Launch `server_ids` in one job, from the recovery points in `points`, by server id, and
        else from their latest. A point that DRS does not keep makes it refuse the whole job.

        It is sent before the moment `before`, by `time.monotonic`, or not at all.
        Asked exactly once: DRS takes no idempotency token and boto would repeat a call that
        timed out. An ambiguous AwsError means that the job may exist all the same. No tags are
        sent: a field report says that tags made DRS skip the conversion.
        """
        with translated("StartRecovery", self.scope), sent_before(before):
            answer = client("drs", Use.WRITE_ONCE, self.scope).start_recovery(
                isDrill=drill,
                sourceServers=[_launched(server_id, points or {}) for server_id in server_ids],
            )
        with readable("StartRecovery", self.scope):
            return job_of(answer["job"])

    @reaches_outside
    def terminate_recovery_instances(
        self, instance_ids: Sequence[str], *, before: float = math.inf
    ) -> Job:
        """Terminate `instance_ids`, at most 200, in one job: all of them, or DRS refuses all.

        It is sent before the moment `before`, by `time.monotonic`, or not at all, and asked exactly
        once. An ambiguous AwsError means that the job may exist all the same.
        """
        with translated("TerminateRecoveryInstances", self.scope), sent_before(before):
            answer = client("drs", Use.WRITE_ONCE, self.scope).terminate_recovery_instances(
                recoveryInstanceIDs=list(instance_ids)
            )
        with readable("TerminateRecoveryInstances", self.scope):
            return job_of(answer["job"])

    def _listed(self, method: str, operation: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        reader = client("drs", Use.READ, self.scope)
        return listed(reader, method, "items", operation=operation, scope=self.scope, **arguments)


def _launched(server_id: str, points: Mapping[str, str]) -> dict[str, str]:
    launched = {"sourceServerID": server_id}
    return launched | ({"recoverySnapshotID": points[server_id]} if server_id in points else {})


def _source_server(item: dict[str, Any]) -> SourceServer:
    return SourceServer(item["sourceServerID"], item.get("arn", ""), raw=item)


def job_of(item: dict[str, Any]) -> Job:
    """A job as DRS tells it."""
    return Job(
        job_id=item["jobID"],
        kind=item.get("type", ""),
        initiated_by=item.get("initiatedBy", ""),
        status=item.get("status", ""),
        created_at=parse_time(item.get("creationDateTime")),
        ended_at=parse_time(item.get("endDateTime")),
        participants=tuple(
            Participant(
                server_id=entry.get("sourceServerID", ""),
                launch_status=entry.get("launchStatus", ""),
                recovery_instance_id=entry.get("recoveryInstanceID", ""),
            )
            for entry in item.get("participatingServers", [])
        ),
    )


def _log_item(item: dict[str, Any]) -> LogItem:
    data = item.get("eventData", {})
    return LogItem(
        at=parse_time(item.get("logDateTime")),
        event=item.get("event", ""),
        server_id=data.get("sourceServerID", ""),
        error=data.get("rawError", ""),
        instance_id=data.get("targetInstanceID", ""),
        conversion_id=data.get("conversionServerID", ""),
        attempt=data.get("attemptCount"),
        attempts=data.get("maxAttemptsCount"),
    )


def _recovery_instance(item: dict[str, Any]) -> RecoveryInstance:
    return RecoveryInstance(
        instance_id=item.get("recoveryInstanceID", ""),
        server_id=item.get("sourceServerID", ""),
        job_id=item.get("jobID", ""),
        ec2_state=item.get("ec2InstanceState", ""),
        is_drill=item.get("isDrill"),
        point_in_time=parse_time(item.get("pointInTimeSnapshotDateTime")),
        raw=item,
    )
