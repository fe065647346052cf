"""Whether DRS has room for one more job in an account and Region: a launch, a clean-up, or a
launch back.

Whoever asks holds the row lock of the place's watch, so that no two take the last place.
"""

from collections.abc import Collection, Iterator, Sequence

from drportal.aws.drs import Job
from recovery.engine import quota
from recovery.models import FailbackJob, LaunchJob, TerminationJob
from recovery.states import JobState

AnyJob = LaunchJob | TerminationJob | FailbackJob


def why_wait(job: AnyJob, server_ids: Collection[str], listed: Sequence[Job]) -> str:
    """Why a job of these servers has to wait, by what DRS lists and what it was asked for and
    does not list yet; empty if it fits.
    """
    running = [found for found in listed if not found.completed]
    busy = {server: found.job_id for found in running for server in found.server_ids}
    held = sorted(set(server_ids) & busy.keys())
    if held:
        return f"{held[0]} is in DRS job {busy[held[0]]}, and a server can be in one job only"
    unlisted = list(_unlisted(job, [found.job_id for found in listed]))
    load = quota.Load(
        jobs=len(running) + len(unlisted),
        servers=sum(len(found.participants) for found in running) + sum(unlisted),
    )
    return quota.why_wait(len(server_ids), load)


def _unlisted(job: AnyJob, listed: Collection[str]) -> Iterator[int]:
    """The sizes of the other jobs there that DRS may run and does not list yet."""
    for model in (LaunchJob, TerminationJob, FailbackJob):
        ours = model._default_manager.filter(account=job.account, region=job.region)
        others = ours.exclude(pk=job.pk)
        newer = others.filter(state=JobState.STARTED).exclude(drs_job_id__in=listed)
        for rows in (others.filter(state=JobState.INTENDED), newer):
            yield from map(len, rows.values_list("server_ids", flat=True))
