# ruff: noqa: N803 - parameters have the names AWS gives them
from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from drportal.simulator import ec2, instances, jobs, quotas
from drportal.simulator.ec2_backend import LaunchProblem
from drportal.simulator.exceptions import ConflictException
from drportal.simulator.handlers import Handler
from drportal.simulator.launching import later
from drportal.simulator.models import DRSBackend
from drportal.simulator.resources import Job, Participant
from drportal.simulator.world import world

_AFTER_START = timedelta(seconds=0.4)
_AFTER_LAST = timedelta(seconds=1)


def terminate_recovery_instances(
    backend: DRSBackend, *, recoveryInstanceIDs: list[str]
) -> dict[str, Any]:
    """All or nothing. An instance that is gone or being terminated is a Conflict."""
    for number, instance_id in enumerate(recoveryInstanceIDs):
        unknown = instance_id not in backend.instances
        if unknown or instance_id in recoveryInstanceIDs[:number]:
            problem = "does not exist" if unknown else "is listed more than once"
            raise ConflictException(
                f"Recovery instance {instance_id} {problem}.",
                resourceId=instance_id,
                resourceType="RecoveryInstance",
            )
    found = [backend.instances[each] for each in recoveryInstanceIDs]
    quotas.check_not_in_job(backend, [each.server_id for each in found])
    quotas.check_job(backend, len(found))
    job = jobs.create(
        backend,
        kind="TERMINATE",
        initiated_by="TERMINATE_RECOVERY_INSTANCES",
        participants=[Participant(each.server_id, instance_id=each.id) for each in found],
    )
    later(backend, job.created_at, jobs.BEFORE_START, partial(_start, backend, job))
    return {"job": jobs.described(backend, job)}


def _start(backend: DRSBackend, job: Job, at: datetime) -> None:
    jobs.start(job, at)
    for number, participant in enumerate(job.participants):
        delay = _AFTER_START + jobs.STAGGER * number
        later(backend, at, delay, partial(_cleanup_start, backend, job, participant))


def _cleanup_start(backend: DRSBackend, job: Job, participant: Participant, at: datetime) -> None:
    jobs.note(job, at, "CLEANUP_START", sourceServerID=participant.server_id)
    participant.launch_status = "IN_PROGRESS"
    instance = backend.instances.get(participant.instance_id or "")
    if instance:
        ec2.begin_termination(instance.ec2)
    end = partial(_cleanup_end, backend, job, participant)
    later(backend, at, world.settings.termination, end)


def _cleanup_end(backend: DRSBackend, job: Job, participant: Participant, at: datetime) -> None:
    instance = backend.instances.get(participant.instance_id or "")
    try:
        if instance:
            instances.remove(backend, instance)
    except LaunchProblem as problem:
        participant.launch_status = "FAILED"
        data = {"sourceServerID": participant.server_id, "rawError": str(problem)}
        jobs.note(job, at, "CLEANUP_FAIL", **data)
    else:
        participant.launch_status = "TERMINATED"
        jobs.note(job, at, "CLEANUP_END", sourceServerID=participant.server_id)
    job.unfinished -= 1
    if job.unfinished == 0:
        later(backend, at, _AFTER_LAST, partial(jobs.complete, job))


HANDLERS: dict[str, Handler] = {"TerminateRecoveryInstances": terminate_recovery_instances}
