"""What happens to a launch job that DRS refused: StartRecovery takes all its servers or none.

One server that cannot be launched must not keep a hundred others down. So a refused job is cut:
around the server that DRS named, or in halves until the ones at fault stand alone.
"""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from drportal.aws.errors import AwsError, Failure
from drportal.state import move, move_all
from recovery.models import LaunchJob, WaveServer
from recovery.services.events import note, titled
from recovery.states import JOB, SERVER, JobState, ServerState

# These are about servers; the rest are about the account, and cutting would not help.
_ABOUT_SERVERS = frozenset({Failure.CONFLICT, Failure.INVALID, Failure.NOT_FOUND})


@transaction.atomic
def refuse(job: LaunchJob, error: AwsError) -> None:
    """End a job that DRS refused. Servers that may still be launched go into new jobs."""
    now = timezone.now()
    move(job, JobState.REFUSED, lifecycle=JOB, message=error.message[:2000], ended_at=now)
    note(job.execution, "job.refused", f"{titled(job)}: {error.detail}", wave=job.wave)
    guilty, parts = _cut(job, error)
    for part in parts:
        _try_again(job, part)
    failed = job.servers.filter(server_id__in=guilty)
    message = f"DRS refused to launch it: {error.message}"
    for server in failed.filter(state=ServerState.PENDING):
        note(job.execution, "server.failed", f"{server}: {message}", wave=job.wave, server=server)
    ended = {"message": message, "finished_at": now}
    pending = ServerState.PENDING
    move_all(failed, ServerState.FAILED, lifecycle=SERVER, source=pending, **ended)


def _cut(job: LaunchJob, error: AwsError) -> tuple[list[str], list[list[str]]]:
    """The servers that fail for good, and the parts that are tried again."""
    servers = list(job.server_ids)
    if error.failure not in _ABOUT_SERVERS or len(servers) == 1:
        return servers, []
    if error.resource_id in servers:
        others = [server for server in servers if server != error.resource_id]
        return [error.resource_id], [others]
    middle = len(servers) // 2
    return [], [servers[:middle], servers[middle:]]


def _try_again(job: LaunchJob, server_ids: Sequence[str]) -> None:
    part = LaunchJob.objects.create(
        execution_id=job.execution_id,
        wave_id=job.wave_id,
        account_id=job.account_id,
        aws_account_id=job.aws_account_id,
        account_name=job.account_name,
        region=job.region,
        kind=job.kind,
        server_ids=list(server_ids),
        point_ids={each: job.point_ids[each] for each in server_ids if each in job.point_ids},
    )
    WaveServer.objects.filter(launch_job=job, server_id__in=server_ids).update(launch_job=part)
