"""What the mirror holds of executions.

An item says only what its own rows say. So an execution's item names its waves, and how each of
them stands is in the wave's own item, with its servers and its launch jobs: whoever changes a
server or a job marks its wave. Wave numbers count from 0, positions from 1.
"""

from collections.abc import Iterator

from django.db.models import Prefetch, QuerySet

from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import epoch, moment, seconds
from drportal.mirror.projections import Projection, Style
from recovery import mirror_checks, mirror_drills, mirror_failbacks, mirror_plans, mirror_restore
from recovery.mirror_plans import numbers
from recovery.models import (
    Execution,
    GateDecision,
    LaunchJob,
    ServerCheck,
    Termination,
    TerminationInstance,
    TerminationJob,
    Wave,
    WavePreflight,
    WaveServer,
)


def _executions(executions: QuerySet[Execution]) -> Iterator[Item]:
    waves = Wave.objects.order_by("position").only("id", "execution_id", "position", "name")
    for execution in executions.prefetch_related(Prefetch("waves", waves)):
        named = [
            {"waveId": str(wave.pk), "waveNumber": wave.position - 1, "waveName": wave.name}
            for wave in execution.waves.all()
        ]
        yield (
            _asked_for(execution)
            | _came_of(execution)
            | {
                "waves": named,
                "totalWaves": len(named),
            }
        )


def _asked_for(execution: Execution) -> Item:
    return {
        "executionId": str(execution.pk),
        "planId": str(execution.plan_id) if execution.plan_id else None,
        "planName": execution.plan_name,
        "planVersion": execution.plan_version,
        "executionType": execution.kind,
        "preflightBeforeWaves": execution.preflight_before_waves,
        "launchSettingsPolicy": execution.launch_settings_policy,
        "initiatedBy": execution.requested_by,
        "initiatedById": execution.requested_by_id,
        "ticket": execution.ticket,
        "startOptions": execution.options,
        "createdAt": moment(execution.created_at),
        "requestId": execution.correlation_id,
    }


def _came_of(execution: Execution) -> Item:
    return {
        "status": execution.state,
        "statusReason": execution.reason,
        "startTime": epoch(execution.started_at),
        "endTime": epoch(execution.finished_at),
        "startedAt": moment(execution.started_at),
        "finishedAt": moment(execution.finished_at),
        "cancelRequestedAt": moment(execution.cancel_requested_at),
        "cancelRequestedBy": execution.cancel_requested_by,
        "cancelReason": execution.cancel_reason,
        "pauseRequestedAt": moment(execution.pause_requested_at),
        "pauseRequestedBy": execution.pause_requested_by,
        "pauseReason": execution.pause_reason,
        "pauseLiftedAt": moment(execution.pause_lifted_at),
        "approvalNeeded": execution.approval_needed,
        "approvalUntil": moment(execution.approval_until),
        "approvedAt": moment(execution.approved_at),
        "approvedBy": execution.approved_by,
        "approvedById": execution.approved_by_id,
        "approvalComment": execution.approval_comment,
    }


def _waves(waves: QuerySet[Wave]) -> Iterator[Item]:
    checks = Prefetch("checks", ServerCheck.objects.order_by("position"))
    servers = WaveServer.objects.order_by("name", "id").prefetch_related(checks)
    jobs = LaunchJob.objects.order_by("created_at", "id")
    told = waves.select_related("preflight")
    for wave in told.prefetch_related(
        Prefetch("servers", servers), Prefetch("jobs", jobs), "decisions"
    ):
        yield _wave(wave) | {
            "override": _override(wave),
            "servers": [_server(server) for server in wave.servers.all()],
            "jobs": [_job(job) for job in wave.jobs.all()],
            "gateDecisions": [_decision(row) for row in wave.decisions.all()],
        }


def _wave(wave: Wave) -> Item:
    return {
        "waveId": str(wave.pk),
        "executionId": str(wave.execution_id),
        "waveNumber": wave.position - 1,
        "position": wave.position,
        "waveName": wave.name,
        "dependsOnWaves": numbers(wave.depends_on),
        "pauseBeforeWave": wave.gate,
        "gateInstructions": wave.gate_instructions,
        "gateRule": wave.gate_rule,
        "gateReachedAt": moment(wave.gate_reached_at),
        "gateOpenedAt": moment(wave.gate_opened_at),
        "gateOpenedBy": wave.gate_opened_by,
        "gateComment": wave.gate_comment,
        "waitSeconds": seconds(wave.wait),
        "waitUntil": moment(wave.wait_until),
        "timeLimitSeconds": seconds(wave.time_limit),
        "successThreshold": wave.success_threshold,
        "checks": wave.checks,
        "groupNames": wave.group_names,
        "status": wave.state,
        "statusMessage": wave.message,
        "startTime": epoch(wave.started_at),
        "endTime": epoch(wave.finished_at),
        "startedAt": moment(wave.started_at),
        "deadlineAt": moment(wave.deadline_at),
        "finishedAt": moment(wave.finished_at),
    }


def _override(wave: Wave) -> Item | None:
    """What a person overrode before it. What AWS said is not told: it is asked again."""
    row: WavePreflight | None = getattr(wave, "preflight", None)
    if row is None or row.overridden_at is None:
        return None
    return {
        "checks": list(row.overridden),
        "at": moment(row.overridden_at),
        "by": row.overridden_by,
        "reason": row.override_reason,
    }


def _decision(row: GateDecision) -> Item:
    return {
        "person": row.person,
        "personId": row.person_id,
        "approved": row.approved,
        "comment": row.comment,
        "decidedAt": moment(row.at),
    }


def _server(server: WaveServer) -> Item:
    return {
        "waveServerId": str(server.pk),
        "sourceServerId": server.server_id,
        "serverName": server.name,
        "accountId": server.account_id,
        "region": server.region,
        "os": server.os,
        "groupName": server.group_name,
        "critical": server.critical,
        "inScope": server.in_scope,
        "chosenRecoverySnapshotId": server.chosen_point_id,
        "chosenRecoveryPointAt": moment(server.chosen_point_at),
        "launchJobId": str(server.launch_job_id) if server.launch_job_id else None,
        "status": server.state,
        "phase": server.phase,
        "attempt": server.attempt,
        "statusMessage": server.message,
        "launchStatus": server.launch_status,
        "recoveryInstanceId": server.recovery_instance_id,
        "instanceState": server.instance_state,
        "instanceType": server.instance_type,
        "privateIp": server.private_ip,
        "availabilityZone": server.availability_zone,
        "subnetId": server.subnet_id,
        "recoveryPointAt": moment(server.recovery_point_at),
        "factsAt": moment(server.facts_at),
        "instanceGoneAt": moment(server.instance_gone_at),
        "startedAt": moment(server.started_at),
        "launchedAt": moment(server.launched_at),
        "finishedAt": moment(server.finished_at),
        "checks": [mirror_checks.item(check) for check in server.checks.all()],
    }


def _job(job: LaunchJob) -> Item:
    return {
        "launchJobId": str(job.pk),
        "accountId": job.aws_account_id,
        "accountName": job.account_name,
        "region": job.region,
        "executionType": job.kind,
        "sourceServerIds": list(job.server_ids),
        "recoverySnapshotIds": job.point_ids,
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


def _terminations(terminations: QuerySet[Termination]) -> Iterator[Item]:
    for row in terminations:
        yield {
            "terminationId": str(row.pk),
            "executionId": str(row.execution_id),
            "status": row.state,
            "statusMessage": row.message,
            "reason": row.reason,
            "initiatedBy": row.requested_by,
            "initiatedById": row.requested_by_id,
            "createdAt": moment(row.created_at),
            "finishedAt": moment(row.finished_at),
            "requestId": row.correlation_id,
        }


def _termination_jobs(jobs: QuerySet[TerminationJob]) -> Iterator[Item]:
    instances = TerminationInstance.objects.order_by("source_server_id", "id")
    for job in jobs.prefetch_related(Prefetch("instances", instances)):
        yield {
            "terminationJobId": str(job.pk),
            "terminationId": str(job.termination_id),
            "accountId": job.aws_account_id,
            "accountName": job.account_name,
            "region": job.region,
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
            "instances": [_instance(row) for row in job.instances.all()],
        }


def _instance(row: TerminationInstance) -> Item:
    return {
        "terminationInstanceId": str(row.pk),
        "waveServerId": str(row.server_id),
        "sourceServerId": row.source_server_id,
        "recoveryInstanceId": row.instance_id,
        "launchedByJobIds": list(row.launch_job_ids),
        "status": row.state,
        "statusMessage": row.message,
        "finishedAt": moment(row.finished_at),
    }


PROJECTIONS = (
    *mirror_plans.PROJECTIONS,
    Projection(
        kind="ExecutionHistory",
        model=Execution,
        key="executionId",
        style=Style.CONTROL,
        build=_executions,
        restore=mirror_restore.executions,
        indexes=(
            Index("StatusIndex", "status", "createdAt"),
            Index("planIdIndex", "planId", "createdAt"),
        ),
    ),
    Projection(
        kind="WaveStatus",
        model=Wave,
        key="waveId",
        style=Style.CONTROL,
        build=_waves,
        restore=mirror_restore.waves,
        indexes=(Index("ExecutionIndex", "executionId"),),
    ),
    Projection(
        kind="Terminations",
        model=Termination,
        key="terminationId",
        style=Style.CONTROL,
        build=_terminations,
        restore=mirror_restore.terminations,
        indexes=(Index("ExecutionIndex", "executionId", "createdAt"),),
    ),
    Projection(
        kind="TerminationJobs",
        model=TerminationJob,
        key="terminationJobId",
        style=Style.CONTROL,
        build=_termination_jobs,
        restore=mirror_restore.termination_jobs,
        indexes=(Index("TerminationIndex", "terminationId"),),
    ),
    *mirror_drills.PROJECTIONS,
    *mirror_failbacks.PROJECTIONS,
)
