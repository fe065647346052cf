"""What the mirror holds of failbacks, and back from its items to rows."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from django.db.models import QuerySet

from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import moment, seconds
from drportal.mirror.projections import Projection, Style
from drportal.mirror.rows import Restoration, columns
from protection.models import TargetAccount
from recovery.models import Failback, FailbackInstance, FailbackJob
from recovery.services import failback_adoption
from recovery.states import JOB, JobState

_FAILBACK: Final = {
    "id": "failbackId",
    "execution": "executionId",
    "state": "status",
    "reason": "reason",
    "requested_by": "initiatedBy",
    "requested_by_id": "initiatedById",
    "created_at": "createdAt",
    "ready_at": "readyAt",
    "launch_opened_at": "launchOpenedAt",
    "launch_opened_by": "launchOpenedBy",
    "launch_comment": "launchComment",
    "finish_opened_at": "finishOpenedAt",
    "finish_opened_by": "finishOpenedBy",
    "finish_comment": "finishComment",
    "cancel_requested_at": "cancelRequestedAt",
    "cancel_requested_by": "cancelRequestedBy",
    "cancel_reason": "cancelReason",
    "termination": "terminationId",
    "finished_at": "finishedAt",
    "correlation_id": "requestId",
}
_JOB: Final = {
    "id": "failbackJobId",
    "failback": "failbackId",
    "aws_account_id": "accountId",
    "account_name": "accountName",
    "region": "region",
    "origin": "originEnvironment",
    "instance_ids": "recoveryInstanceIds",
    "server_ids": "sourceServerIds",
    "state": "status",
    "message": "statusMessage",
    "known_job_ids": "knownJobIds",
    "drs_job_id": "jobId",
    "drs_status": "drsStatus",
    "created_at": "createdAt",
    "intended_at": "intendedAt",
    "asked_at": "askedAt",
    "started_at": "startedAt",
    "ended_at": "endedAt",
}
_INSTANCE: Final = {
    "id": "failbackInstanceId",
    "failback": "failbackId",
    "server": "waveServerId",
    "job": "failbackJobId",
    "source_server_id": "sourceServerId",
    "instance_id": "recoveryInstanceId",
    "launch_job_ids": "launchedByJobIds",
    "origin": "originEnvironment",
    "origin_account_id": "originAccountId",
    "origin_region": "originRegion",
    "known_arn": "knownArn",
    "reversed_arn": "reversedDirectionSourceServerArn",
    "state": "status",
    "message": "statusMessage",
    "reverse_asked_at": "reverseAskedAt",
    "reversed_at": "reversedAt",
    "looked_at": "lookedAt",
    "replication_state": "dataReplicationState",
    "failback_state": "failbackState",
    "lag": "lagSeconds",
    "eta_at": "etaAt",
    "back_instance_id": "backInstanceId",
    "stop_asked_at": "stopAskedAt",
    "disconnect_asked_at": "disconnectAskedAt",
    "disconnected_at": "disconnectedAt",
    "finished_at": "finishedAt",
}
# These change with every look, and are sent when something else is.
_PASSING: Final = frozenset(
    {
        "statusMessage",
        "lookedAt",
        "dataReplicationState",
        "failbackState",
        "lagSeconds",
        "etaAt",
        "originAccountId",
        "originRegion",
    }
)
# Nobody's: a live job without its account is left out, as any row is whose parent is missing.
_NO_ACCOUNT: Final = UUID(int=0)


def _failbacks(failbacks: QuerySet[Failback]) -> Iterator[Item]:
    for row in failbacks:
        yield {
            "failbackId": str(row.pk),
            "executionId": str(row.execution_id),
            "status": row.state,
            "reason": row.reason,
            "initiatedBy": row.requested_by,
            "initiatedById": row.requested_by_id,
            "createdAt": moment(row.created_at),
            "readyAt": moment(row.ready_at),
            "launchOpenedAt": moment(row.launch_opened_at),
            "launchOpenedBy": row.launch_opened_by,
            "launchComment": row.launch_comment,
            "finishOpenedAt": moment(row.finish_opened_at),
            "finishOpenedBy": row.finish_opened_by,
            "finishComment": row.finish_comment,
            "cancelRequestedAt": moment(row.cancel_requested_at),
            "cancelRequestedBy": row.cancel_requested_by,
            "cancelReason": row.cancel_reason,
            "terminationId": str(row.termination_id) if row.termination_id else None,
            "finishedAt": moment(row.finished_at),
            "requestId": row.correlation_id,
        }


def _jobs(jobs: QuerySet[FailbackJob]) -> Iterator[Item]:
    for job in jobs:
        yield {
            "failbackJobId": str(job.pk),
            "failbackId": str(job.failback_id),
            "accountId": job.aws_account_id,
            "accountName": job.account_name,
            "region": job.region,
            "originEnvironment": job.origin,
            "recoveryInstanceIds": list(job.instance_ids),
            "sourceServerIds": list(job.server_ids),
            "status": job.state,
            "statusMessage": job.message,
            "knownJobIds": list(job.known_job_ids),
            "jobId": job.drs_job_id,
            "drsStatus": job.drs_status,
            "createdAt": moment(job.created_at),
            "intendedAt": moment(job.intended_at),
            "askedAt": moment(job.asked_at),
            "startedAt": moment(job.started_at),
            "endedAt": moment(job.ended_at),
        }


def _instances(rows: QuerySet[FailbackInstance]) -> Iterator[Item]:
    for row in rows:
        yield {
            "failbackInstanceId": str(row.pk),
            "failbackId": str(row.failback_id),
            "waveServerId": str(row.server_id),
            "failbackJobId": str(row.job_id) if row.job_id else None,
            "sourceServerId": row.source_server_id,
            "recoveryInstanceId": row.instance_id,
            "launchedByJobIds": list(row.launch_job_ids),
            "originEnvironment": row.origin,
            "originAccountId": row.origin_account_id,
            "originRegion": row.origin_region,
            "knownArn": row.known_arn,
            "reversedDirectionSourceServerArn": row.reversed_arn,
            "status": row.state,
            "statusMessage": row.message,
            "reverseAskedAt": moment(row.reverse_asked_at),
            "reversedAt": moment(row.reversed_at),
            "lookedAt": moment(row.looked_at),
            "dataReplicationState": row.replication_state,
            "failbackState": row.failback_state,
            "lagSeconds": seconds(row.lag),
            "etaAt": moment(row.eta_at),
            "backInstanceId": row.back_instance_id,
            "stopAskedAt": moment(row.stop_asked_at),
            "disconnectAskedAt": moment(row.disconnect_asked_at),
            "disconnectedAt": moment(row.disconnected_at),
            "finishedAt": moment(row.finished_at),
        }


def _restore_failbacks(items: Iterable[Item], done: Restoration) -> None:
    """Failbacks, as they stood; those under way hold their servers again at the end."""
    done.write(Failback(**columns(Failback, item, _FAILBACK)) for item in items)


def _restore_jobs(items: Iterable[Item], done: Restoration) -> None:
    """The journal of launches back. What DRS was asked since an item was sent is looked for."""
    accounts = dict(TargetAccount.objects.values_list("account_id", "pk"))
    for item in items:
        job = FailbackJob(**columns(FailbackJob, item, _JOB))
        if job.state in JOB.active:
            job.account_id = accounts.get(job.aws_account_id, _NO_ACCOUNT)
        else:
            job.due_at = None
        if job.state == JobState.INTENDED and job.asked_at is None:
            job.asked_at = job.intended_at or job.created_at
        done.write([job])


def _restore_instances(items: Iterable[Item], done: Restoration) -> None:
    """What is to go back; then failbacks that were under way are taken up again."""
    done.write(FailbackInstance(**columns(FailbackInstance, item, _INSTANCE)) for item in items)
    failback_adoption.take_up_again()


PROJECTIONS = (
    Projection(
        kind="Failbacks",
        model=Failback,
        key="failbackId",
        style=Style.CONTROL,
        build=_failbacks,
        restore=_restore_failbacks,
        indexes=(Index("ExecutionIndex", "executionId", "createdAt"),),
    ),
    Projection(
        kind="FailbackJobs",
        model=FailbackJob,
        key="failbackJobId",
        style=Style.CONTROL,
        build=_jobs,
        restore=_restore_jobs,
        indexes=(Index("FailbackIndex", "failbackId"),),
    ),
    Projection(
        kind="FailbackInstances",
        model=FailbackInstance,
        key="failbackInstanceId",
        style=Style.CONTROL,
        build=_instances,
        restore=_restore_instances,
        indexes=(Index("FailbackIndex", "failbackId"),),
        passing=_PASSING,
    ),
)
