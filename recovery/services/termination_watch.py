"""Watching what DRS makes of the jobs of a clean-up, to the last instance."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from recovery.engine.terminating import Finding, failures, verdict
from recovery.models import TerminationInstance, TerminationJob
from recovery.services.pace import poll_after
from recovery.services.termination_ends import end, give_up, open_instances, settle
from recovery.services.termination_looks import in_ec2
from recovery.services.termination_waits import GIVE_UP_AFTER, later
from recovery.states import InstanceOutcome

# A job that DRS has not listed for so long will not come back.
GONE_AFTER: Final = timedelta(hours=1)


@reaches_outside
def watch(job: TerminationJob, drs: aws.Drs, listed: Sequence[aws.Job]) -> None:
    """Write down what DRS tells of a STARTED job. Raises AwsError if it does not tell."""
    found = next((each for each in listed if each.job_id == job.drs_job_id), None)
    since = timezone.now() - (job.started_at or job.created_at)
    if found is not None and found.completed:
        _take_end(job, drs, found)
    elif since > (GONE_AFTER if found is None else GIVE_UP_AFTER):
        rows = open_instances(job)
        left = in_ec2(drs.scope, rows)
        why = "DRS no longer lists" if found is None else "DRS has not ended for a day"
        message = f"{why} {job.drs_job_id}; what became of the instance is not known."
        give_up(job, message, gone=[row for row in rows if row.instance_id not in left])
    else:
        _take_progress(job, drs, found, since)
    checkpoint("termination.watched", termination_id=str(job.termination_id))


def _take_progress(
    job: TerminationJob, drs: aws.Drs, found: aws.Job | None, since: timedelta
) -> None:
    news: dict[str, Any] = {}
    if found is not None and found.status != job.drs_status:
        news["drs_status"] = found.status
    done = _done(job, drs, found)
    if done:
        settle(job, [(row, Finding(InstanceOutcome.TERMINATED)) for row in done])
    later(job, "", after=poll_after(since, ending=False), **news)


def _done(job: TerminationJob, drs: aws.Drs, found: aws.Job | None) -> list[TerminationInstance]:
    """The instances that DRS calls terminated before its job has ended, if EC2 says so too."""
    participants = found.participants if found else ()
    told = {entry.server_id for entry in participants if entry.launch_status == "TERMINATED"}
    rows = [row for row in open_instances(job) if row.source_server_id in told]
    left = in_ec2(drs.scope, rows)
    return [row for row in rows if row.instance_id not in left]


def _take_end(job: TerminationJob, drs: aws.Drs, found: aws.Job) -> None:
    rows = open_instances(job)
    words = {entry.server_id: entry.launch_status for entry in found.participants}
    left = in_ec2(drs.scope, rows)
    why = failures(drs.job_log(found.job_id)) if left else {}
    with transaction.atomic():
        settle(
            job,
            [
                (
                    row,
                    verdict(
                        words.get(row.source_server_id, ""),
                        there=row.instance_id in left,
                        failure=why.get(row.source_server_id, ""),
                    ),
                )
                for row in rows
            ],
        )
        end(job, drs_status=found.status)
