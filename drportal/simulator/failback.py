"""Failback of recovery instances, and letting go of them.

Servers from on premises: the failback client is started on the original machine (nothing in the
DRS API does that, so `connect_failback_client` stands for it), replication runs, and
StartFailbackLaunch starts the job. Servers from EC2 go another way: `reversal`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from drportal.simulator import instances, jobs, quotas
from drportal.simulator.exceptions import ConflictException, ValidationException
from drportal.simulator.faults import Kind
from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.replication import names
from drportal.simulator.resources import Failback, Job, Participant, RecoveryInstance
from drportal.simulator.reversal import check_free, conflict
from drportal.simulator.world import world

# No source gives these.
INITIATION = timedelta(minutes=5)
SYNC = timedelta(minutes=30)
LAUNCH = timedelta(minutes=5)
AFTER_START = timedelta(seconds=0.4)
AFTER_LAST = timedelta(seconds=2)

CONFIGURATION_DEFAULTS: dict[str, Any] = {
    "bandwidthThrottling": 0,
    "usePrivateIP": False,
    "internetProtocol": "IPV4",
}


def get_failback_replication_configuration(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """What was set, over the defaults."""
    instance = backend.instance(params["recoveryInstanceID"])
    name = f"Failback Replication Configuration for Recovery Instance {instance.id}"
    given = {"name": name} | CONFIGURATION_DEFAULTS | instance.failback_configuration
    return {"recoveryInstanceID": instance.id, **given}


def update_failback_replication_configuration(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Changes the members given."""
    instance = backend.instance(params.pop("recoveryInstanceID"))
    instance.failback_configuration.update(params)
    return {}


def disconnect_recovery_instance(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Replication ends at once and the agent goes; the EC2 instance stays.

    ConflictException for an instance that a job holds, or that is disconnected already.
    """
    instance = backend.instance(params["recoveryInstanceID"])
    check_free(backend, instance)
    if instance.replication_state == "DISCONNECTED":
        raise conflict(instance, "is disconnected already")
    instance.replication_state = "DISCONNECTED"
    instance.failback = Failback(reversed_arn=instance.failback.reversed_arn)
    return {}


def delete_recovery_instance(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Forgets a disconnected instance; the EC2 instance stays.

    The model has no ResourceNotFoundException here, so an unknown instance is a ConflictException.
    """
    instance = _existing(backend, params["recoveryInstanceID"])
    check_free(backend, instance)
    if instance.replication_state != "DISCONNECTED":
        raise conflict(instance, "is not disconnected")
    instances.forget(backend, instance)
    return {}


def stop_failback(backend: DRSBackend, **params: Any) -> dict[str, Any]:
    """Back to FAILBACK_NOT_STARTED, whatever the state was."""
    instance = backend.instance(params["recoveryInstanceID"])
    instance.failback = Failback()
    if instance.replication_state != "DISCONNECTED":
        instance.replication_state = "NOT_STARTED"
    return {}


def connect_failback_client(
    backend: DRSBackend, instance_id: str, client_id: str | None = None
) -> None:
    """The failback client starts on the original machine and replication back to it begins.

    Only for servers from on premises; ValueError for any other, and for one that is disconnected.
    """
    instance = backend.instance(instance_id)
    if instance.origin is not None or instance.replication_state == "DISCONNECTED":
        raise ValueError(f"{instance_id} cannot be paired with a failback client.")
    failback = Failback(
        state="FAILBACK_IN_PROGRESS",
        client_id=client_id or instance_id,
        initiated_at=world.clock.now(),
        to_original=True,
    )
    instance.failback = failback
    instance.replication_state = "INITIATING"
    _later(
        backend, world.clock.now(), INITIATION, partial(_first_byte, backend, instance, failback)
    )


def _first_byte(
    backend: DRSBackend, instance: RecoveryInstance, failback: Failback, at: datetime
) -> None:
    if instance.failback is failback:  # it was not stopped meanwhile
        failback.first_byte_at = at
        instance.replication_state = "INITIAL_SYNC"
        _later(backend, at, SYNC, partial(_synced, instance, failback))


def _synced(instance: RecoveryInstance, failback: Failback, _at: datetime) -> None:
    if instance.failback is failback:
        failback.state = "FAILBACK_READY_FOR_LAUNCH"
        instance.replication_state = "CONTINUOUS"


def start_failback_launch(
    backend: DRSBackend, *, tags: dict[str, str] | None = None, **params: Any
) -> dict[str, Any]:
    """All or nothing: every instance must be FAILBACK_READY_FOR_LAUNCH, else a Conflict."""
    identifiers = params["recoveryInstanceIDs"]
    if len(set(identifiers)) < len(identifiers):
        message = "names an instance twice"
        raise ValidationException(
            f"recoveryInstanceIDs {message}.",
            reason="fieldValidationFailed",
            fields=[("recoveryInstanceIDs", message)],
        )
    returning = [_launchable(backend, each) for each in identifiers]
    quotas.check_not_in_job(backend, [each.server_id for each in returning])
    quotas.check_job(backend, len(returning))
    job = jobs.create(
        backend,
        kind="LAUNCH",
        initiated_by="FAILBACK",
        participants=[Participant(each.server_id, instance_id=each.id) for each in returning],
        tags=tags,
    )
    for instance in returning:
        instance.failback.job_id = job.id
        instance.failback.launch_type = "RECOVERY"
    _later(backend, job.created_at, jobs.BEFORE_START, partial(_start, backend, job))
    return {"job": jobs.described(backend, job)}


def _launchable(backend: DRSBackend, identifier: str) -> RecoveryInstance:
    instance = _existing(backend, identifier)
    if instance.origin is not None or instance.failback.state != "FAILBACK_READY_FOR_LAUNCH":
        raise conflict(instance, f"has the failback state {instance.failback.state}")
    return instance


def _start(backend: DRSBackend, job: Job, at: datetime) -> None:
    jobs.start(job, at)
    for number, participant in enumerate(job.participants):
        delay = AFTER_START + jobs.STAGGER * number
        _later(backend, at, delay, partial(_launch_start, backend, job, participant))


def _launch_start(backend: DRSBackend, job: Job, participant: Participant, at: datetime) -> None:
    participant.launch_status = "IN_PROGRESS"
    jobs.note(job, at, "LAUNCH_START", sourceServerID=participant.server_id)
    _later(backend, at, LAUNCH, partial(_launch_end, backend, job, participant))


def _launch_end(backend: DRSBackend, job: Job, participant: Participant, at: datetime) -> None:
    instance = backend.instances.get(participant.instance_id or "")
    raw_error = _launch_error(backend, job, participant, instance)
    data = {"sourceServerID": participant.server_id}
    if raw_error is None:
        participant.launch_status = "LAUNCHED"
        jobs.note(job, at, "LAUNCH_END", **data)
    else:
        participant.launch_status = "FAILED"
        jobs.note(job, at, "LAUNCH_FAILED", **data, rawError=raw_error)
    if instance is not None and instance.failback.job_id == job.id:
        instance.failback.state = "FAILBACK_ERROR" if raw_error else "FAILBACK_COMPLETED"
    job.unfinished -= 1
    if job.unfinished == 0:
        _later(backend, at, AFTER_LAST, partial(jobs.complete, job))


def _launch_error(
    backend: DRSBackend, job: Job, participant: Participant, instance: RecoveryInstance | None
) -> str | None:
    if instance is None or instance.failback.job_id != job.id:
        return "The failback was stopped."
    server = backend.servers.get(participant.server_id)
    fault = world.faults.strike(
        Kind.LAUNCH_FAIL,
        account=backend.account_id,
        region=backend.region_name,
        server=names(server) if server else (participant.server_id,),
    )
    return None if fault is None else fault.raw_error or "The failback client did not answer."


def _later(
    backend: DRSBackend, at: datetime, delay: timedelta, step: Callable[[datetime], None]
) -> None:
    backend.agenda.plan(at + world.clock.scaled(delay), step)


def _existing(backend: DRSBackend, identifier: str) -> RecoveryInstance:
    """For operations that model no ResourceNotFoundException: a Conflict instead."""
    if identifier not in backend.instances:
        raise ConflictException(
            f"RecoveryInstance {identifier} does not exist.",
            resourceId=identifier,
            resourceType="RecoveryInstance",
        )
    return backend.instances[identifier]


HANDLERS: dict[str, Handler] = {
    "GetFailbackReplicationConfiguration": get_failback_replication_configuration,
    "UpdateFailbackReplicationConfiguration": update_failback_replication_configuration,
    "DisconnectRecoveryInstance": disconnect_recovery_instance,
    "DeleteRecoveryInstance": delete_recovery_instance,
    "StopFailback": stop_failback,
    "StartFailbackLaunch": start_failback_launch,
}
