"""From the mirror's items back to plans, executions and what they asked of DRS."""

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from drportal.aws.dynamodb import Item
from drportal.mirror.rows import Restoration, columns
from protection.models import TargetAccount
from recovery import mirror_checks
from recovery.models import (
    Execution,
    GateDecision,
    LaunchJob,
    NoticeChannel,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
    Termination,
    TerminationInstance,
    TerminationJob,
    Wave,
    WavePreflight,
    WaveServer,
)
from recovery.services import adoption
from recovery.states import EXECUTION, JOB, TERMINATION_JOB, JobState

_PLAN: Final = {
    "id": "planId",
    "name": "planName",
    "description": "description",
    "owner": "owner",
    "rto": "rtoSeconds",
    "rpo": "rpoSeconds",
    "preflight_before_waves": "preflightBeforeWaves",
    "launch_settings_policy": "launchSettingsPolicy",
    "drill_every_days": "drillEveryDays",
    "notification_addresses": "notificationEmails",
    "tags": "tags",
    "approval_needed": "approvalNeeded",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "version": "version",
}
# What a wave of a plan and a wave of an execution are both told by.
_ANY_WAVE: Final = {
    "position": "position",
    "name": "waveName",
    "gate": "pauseBeforeWave",
    "gate_instructions": "gateInstructions",
    "gate_rule": "gateRule",
    "wait": "waitSeconds",
    "time_limit": "timeLimitSeconds",
    "success_threshold": "successThreshold",
    "checks": "checks",
}
_VERSION: Final = {
    "id": "versionId",
    "plan": "planId",
    "number": "number",
    "document": "document",
    "created_at": "createdAt",
    "created_by": "createdBy",
    "created_by_id": "createdById",
}
_CHANNEL: Final = {
    "id": "channelId",
    "plan": "planId",
    "name": "name",
    "medium": "medium",
    "address": "address",
    "masked": "masked",
    "address_lost": "addressWithheld",
    "kinds": "kinds",
    "active": "active",
    "created_at": "createdAt",
    "updated_at": "updatedAt",
}
_EXECUTION: Final = {
    "id": "executionId",
    "plan": "planId",
    "plan_name": "planName",
    "plan_version": "planVersion",
    "kind": "executionType",
    "preflight_before_waves": "preflightBeforeWaves",
    "launch_settings_policy": "launchSettingsPolicy",
    "state": "status",
    "reason": "statusReason",
    "requested_by": "initiatedBy",
    "requested_by_id": "initiatedById",
    "ticket": "ticket",
    "options": "startOptions",
    "created_at": "createdAt",
    "correlation_id": "requestId",
    "started_at": "startedAt",
    "finished_at": "finishedAt",
    "cancel_requested_at": "cancelRequestedAt",
    "cancel_requested_by": "cancelRequestedBy",
    "cancel_reason": "cancelReason",
    "pause_requested_at": "pauseRequestedAt",
    "pause_requested_by": "pauseRequestedBy",
    "pause_reason": "pauseReason",
    "pause_lifted_at": "pauseLiftedAt",
    "approval_needed": "approvalNeeded",
    "approval_until": "approvalUntil",
    "approved_at": "approvedAt",
    "approved_by": "approvedBy",
    "approved_by_id": "approvedById",
    "approval_comment": "approvalComment",
}
_WAVE: Final = _ANY_WAVE | {
    "id": "waveId",
    "execution": "executionId",
    "gate_reached_at": "gateReachedAt",
    "gate_opened_at": "gateOpenedAt",
    "gate_opened_by": "gateOpenedBy",
    "gate_comment": "gateComment",
    "wait_until": "waitUntil",
    "group_names": "groupNames",
    "state": "status",
    "message": "statusMessage",
    "started_at": "startedAt",
    "deadline_at": "deadlineAt",
    "finished_at": "finishedAt",
}
_OVERRIDE: Final = {
    "overridden": "checks",
    "overridden_at": "at",
    "overridden_by": "by",
    "override_reason": "reason",
}
_DECISION: Final = {
    "person": "person",
    "person_id": "personId",
    "approved": "approved",
    "comment": "comment",
    "at": "decidedAt",
}
_SERVER: Final = {
    "id": "waveServerId",
    "launch_job": "launchJobId",
    "account_id": "accountId",
    "region": "region",
    "server_id": "sourceServerId",
    "name": "serverName",
    "os": "os",
    "group_name": "groupName",
    "critical": "critical",
    "in_scope": "inScope",
    "chosen_point_id": "chosenRecoverySnapshotId",
    "chosen_point_at": "chosenRecoveryPointAt",
    "state": "status",
    "phase": "phase",
    "attempt": "attempt",
    "message": "statusMessage",
    "launch_status": "launchStatus",
    "recovery_instance_id": "recoveryInstanceId",
    "instance_state": "instanceState",
    "instance_type": "instanceType",
    "private_ip": "privateIp",
    "availability_zone": "availabilityZone",
    "subnet_id": "subnetId",
    "recovery_point_at": "recoveryPointAt",
    "facts_at": "factsAt",
    "instance_gone_at": "instanceGoneAt",
    "started_at": "startedAt",
    "launched_at": "launchedAt",
    "finished_at": "finishedAt",
}
_JOB: Final = {
    "id": "launchJobId",
    "aws_account_id": "accountId",
    "account_name": "accountName",
    "region": "region",
    "kind": "executionType",
    "server_ids": "sourceServerIds",
    "point_ids": "recoverySnapshotIds",
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
_TERMINATION: Final = {
    "id": "terminationId",
    "execution": "executionId",
    "state": "status",
    "message": "statusMessage",
    "reason": "reason",
    "requested_by": "initiatedBy",
    "requested_by_id": "initiatedById",
    "created_at": "createdAt",
    "finished_at": "finishedAt",
    "correlation_id": "requestId",
}
_TERMINATION_JOB: Final = {
    "id": "terminationJobId",
    "termination": "terminationId",
    "aws_account_id": "accountId",
    "account_name": "accountName",
    "region": "region",
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
    "id": "terminationInstanceId",
    "server": "waveServerId",
    "source_server_id": "sourceServerId",
    "instance_id": "recoveryInstanceId",
    "launch_job_ids": "launchedByJobIds",
    "state": "status",
    "message": "statusMessage",
    "finished_at": "finishedAt",
}
# Nobody's: a live job without its account is left out, as any row is whose parent is missing.
_NO_ACCOUNT: Final = UUID(int=0)


def recovery_plans(items: Iterable[Item], done: Restoration) -> None:
    """Plans, with their waves and what each of them launches."""
    for item in items:
        for plan in done.insert([RecoveryPlan(**columns(RecoveryPlan, item, _PLAN))]):
            for told in item["waves"]:
                _plan_wave(plan, told, done)


def _plan_wave(plan: RecoveryPlan, told: Item, done: Restoration) -> None:
    wave = PlanWave(
        plan=plan,
        depends_on=_positions(told["dependsOnWaves"]),
        **columns(PlanWave, told, _ANY_WAVE),
    )
    for written in done.insert([wave]):
        done.write(
            PlanWaveGroup(
                wave=written,
                group_id=UUID(entry["protectionGroupId"]),
                server_ids=entry["serverIds"],
                optional_server_ids=entry["optionalServerIds"],
            )
            for entry in told["protectionGroups"]
        )


def plan_versions(items: Iterable[Item], done: Restoration) -> None:
    """Versions of plans."""
    done.write(PlanVersion(**columns(PlanVersion, item, _VERSION)) for item in items)


def notice_channels(items: Iterable[Item], done: Restoration) -> None:
    """Notice channels; the address of a service is a secret, and has to be entered again."""
    done.write(NoticeChannel(**columns(NoticeChannel, item, _CHANNEL)) for item in items)


def executions(items: Iterable[Item], done: Restoration) -> None:
    """Executions, as they stood. What is under way is looked at as soon as an engine is there."""
    for item in items:
        values = columns(Execution, item, _EXECUTION)
        if not _may_have(values):
            done.leave_out(f"the plan of execution {values['id']}", "it is gone, or taken")
            values["plan_id"] = None
        done.write([Execution(**values)])


def _may_have(values: dict[str, Any]) -> bool:
    """Whether the plan is there, and no other execution of it is under way."""
    plan = values["plan_id"]
    if plan is None:
        return True
    if not RecoveryPlan.objects.filter(pk=plan).exists():
        return False
    under_way = values["state"] in EXECUTION.active
    return not (under_way and Execution.objects.active().filter(plan=plan).exists())


def waves(items: Iterable[Item], done: Restoration) -> None:
    """Waves, with their servers and launch jobs; then what is under way is taken up again."""
    accounts = dict(TargetAccount.objects.values_list("account_id", "pk"))
    for item in items:
        wave = Wave(depends_on=_positions(item["dependsOnWaves"]), **columns(Wave, item, _WAVE))
        for written in done.insert([wave]):
            if item.get("override"):
                told = columns(WavePreflight, item["override"], _OVERRIDE)
                done.write([WavePreflight(wave=written, **told)])
            done.write(_job(written, told, accounts) for told in item["jobs"])
            done.write(
                GateDecision(wave=written, **columns(GateDecision, told, _DECISION))
                for told in item["gateDecisions"]
            )
            done.write(
                WaveServer(
                    wave=written,
                    execution_id=written.execution_id,
                    **columns(WaveServer, told, _SERVER),
                )
                for told in item["servers"]
            )
            done.write(mirror_checks.rows(item["servers"]))
    adoption.take_up_again()


def _job(wave: Wave, told: Item, accounts: dict[str, UUID]) -> LaunchJob:
    job = LaunchJob(
        wave=wave,
        execution_id=wave.execution_id,
        account_id=accounts.get(told["accountId"]),
        **columns(LaunchJob, told, _JOB),
    )
    if job.account_id is None and job.state in JOB.active:
        job.account_id = _NO_ACCOUNT
    if job.state == JobState.INTENDED and job.asked_at is None:
        # DRS may have been asked since the item was sent: so it is looked for, not asked again.
        job.asked_at = job.intended_at or job.created_at
    return job


def terminations(items: Iterable[Item], done: Restoration) -> None:
    """Clean-ups, as they stood. Those under way are looked at as soon as an engine is there."""
    done.write(Termination(**columns(Termination, item, _TERMINATION)) for item in items)


def termination_jobs(items: Iterable[Item], done: Restoration) -> None:
    """The jobs of clean-ups, with their instances. What DRS was asked since an item was sent shows
    when it is looked: an instance that is gone is done, and a server that is in a job waits.
    """
    accounts = dict(TargetAccount.objects.values_list("account_id", "pk"))
    for item in items:
        job = TerminationJob(**columns(TerminationJob, item, _TERMINATION_JOB))
        if job.state in TERMINATION_JOB.active:
            job.account_id = accounts.get(job.aws_account_id, _NO_ACCOUNT)
        else:
            job.due_at = None
        for written in done.insert([job]):
            done.write(
                TerminationInstance(
                    job=written,
                    termination_id=written.termination_id,
                    **columns(TerminationInstance, told, _INSTANCE),
                )
                for told in item["instances"]
            )


def _positions(numbers: Iterable[int]) -> list[int]:
    return [number + 1 for number in numbers]
