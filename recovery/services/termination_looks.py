"""Looking for what there is to terminate, and for what DRS made of a clean-up's job."""

from collections.abc import Sequence
from typing import Final

from drportal.aws import drs as aws
from drportal.aws.ec2 import Ec2
from drportal.aws.scope import Scope
from recovery.models import TerminationInstance, TerminationJob

_INITIATED_BY: Final = "TERMINATE_RECOVERY_INSTANCES"
# EC2's words for an instance that is terminated, or will be for certain.
_AWAY: Final = frozenset({"shutting-down", "terminated"})


def there(drs: aws.Drs, rows: Sequence[TerminationInstance]) -> list[aws.RecoveryInstance]:
    """What DRS lists of these servers, and under these ids, right now."""
    if not rows:
        return []
    found = drs.recovery_instances([row.source_server_id for row in rows])
    known = {instance.instance_id for instance in found}
    missing = [row.instance_id for row in rows if row.instance_id and row.instance_id not in known]
    return [*found, *drs.recovery_instances_named(missing)] if missing else found


def in_ec2(scope: Scope, rows: Sequence[TerminationInstance]) -> dict[str, str]:
    """EC2's states of those of these instances that it has not terminated, by id.

    What DRS lists says nothing of the rest: DeleteRecoveryInstance takes an instance from its list
    and leaves it running (DRS API reference).
    """
    ids = [row.instance_id for row in rows if row.instance_id]
    found = Ec2(scope).instances(ids)
    return {each.instance_id: each.state for each in found.values() if each.state not in _AWAY}


def answer_to(job: TerminationJob, listed: Sequence[aws.Job]) -> aws.Job | None:
    """The job that DRS made of what it was asked last: the same servers, and nobody else's."""
    taken = set(
        TerminationJob.objects.filter(
            aws_account_id=job.aws_account_id, region=job.region
        ).values_list("drs_job_id", flat=True)
    )
    free = [
        found
        for found in listed
        if same(job.server_ids, found)
        and _names_no_other(job, found)
        and found.job_id not in taken
        and found.job_id not in job.known_job_ids
    ]
    return free[-1] if free else None  # newest first: ours is the first after we asked


def same(server_ids: Sequence[str], found: aws.Job) -> bool:
    """Whether a DRS job terminates the instances of these servers."""
    return found.initiated_by == _INITIATED_BY and found.server_ids == frozenset(server_ids)


def _names_no_other(job: TerminationJob, found: aws.Job) -> bool:
    """Whether the job's instances, as far as DRS names them, are those that we asked for."""
    named = {entry.recovery_instance_id for entry in found.participants} - {""}
    return named <= set(job.instance_ids)
