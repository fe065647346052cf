"""Watching what DRS makes of the jobs of a clean-up, to the last instance."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.aws import drs as aws
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside
from recovery.engine import schedule
from recovery.engine.terminating import Finding, failures, verdict
from recovery.models import TerminationJob
from recovery.services.termination_ends import end, give_up, open_instances, settle
from recovery.services.termination_looks import there
from recovery.services.termination_waits import GIVE_UP_AFTER, later, seconds
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
        known = {instance.instance_id for instance in there(drs, rows)}
        why = "DRS no longer lists" if found is None else "DRS has not ended for a day"
        message = f"{why} {job.drs_job_id}; what became of the instance is not known."
        give_up(job, message, gone=[row for row in rows if row.instance_id not in known])
    else:
        _take_progress(job, found, since)
    checkpoint("termination.watched", termination_id=str(job.termination_id))


@transaction.atomic
def _take_progress(job: TerminationJob, found: aws.Job | None, since: timedelta) -> None:
    news: dict[str, Any] = {}
    if found is not None and found.status != job.drs_status:
        news["drs_status"] = found.status
    done = {
        entry.server_id
        for entry in (found.participants if found else ())
        if entry.launch_status == "TERMINATED"
    }
    if done:
        over = Finding(InstanceOutcome.TERMINATED)
        settle(job, [(row, over) for row in open_instances(job) if row.source_server_id in done])
    after = schedule.poll_after(
        since,
        ending=False,
        fastest=seconds(settings.POLL_FASTEST_SECONDS),
        slowest=seconds(settings.POLL_SLOWEST_SECONDS),
    )
    later(job, "", after=after, **news)


def _take_end(job: TerminationJob, drs: aws.Drs, found: aws.Job) -> None:
    rows = open_instances(job)
    words = {entry.server_id: entry.launch_status for entry in found.participants}
    found_there = {instance.instance_id for instance in there(drs, rows)}
    why = failures(drs.job_log(found.job_id)) if found_there else {}
    with transaction.atomic():
        settle(
            job,
            [
                (
                    row,
                    verdict(
                        words.get(row.source_server_id, ""),
                        there=row.instance_id in found_there,
                        failure=why.get(row.source_server_id, ""),
                    ),
                )
                for row in rows
            ],
        )
        end(job, drs_status=found.status)
