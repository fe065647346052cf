"""Cleaning up what an execution launched: who asked for it, what was asked of DRS, and what became
of each instance.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.aws.scope import Scope
from protection.models import TargetAccount
from recovery.models.executions import Execution, WaveServer
from recovery.states import (
    TERMINATION,
    TERMINATION_JOB,
    InstanceOutcome,
    JobState,
    TerminationState,
)


class Termination(models.Model):
    """One request to terminate what an execution launched. It ends when every instance of it is
    accounted for; for what is left then, another may be made, and this one stays as it is.

    `due_at` is when it should be looked at next, and `leased_until` until when a worker does.
    `message` says what keeps it from going on, if anything does.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="terminations")
    state = models.CharField(
        max_length=12, choices=TerminationState, default=TerminationState.RUNNING, editable=False
    )
    reason = models.CharField(max_length=1000, blank=True, default="")
    requested_by_id = models.BigIntegerField(null=True)
    requested_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    message = models.CharField(max_length=2000, blank=True, default="", editable=False)
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    due_at = models.DateTimeField(null=True, default=timezone.now, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)

    class Meta:
        ordering = ("-created_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["execution"],
                condition=Q(state__in=sorted(TERMINATION.active)),
                name="recovery_one_live_termination_per_execution",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(TERMINATION.active), finished_at=None)
                | Q(state__in=sorted(TERMINATION.terminal), finished_at__isnull=False),
                name="recovery_termination_finished_when_terminal",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=sorted(TERMINATION.active)),
                name="recovery_termination_due",
            ),
        )

    def __str__(self) -> str:
        return f"clean-up after the {self.execution}"


class TerminationJob(models.Model):
    """The journal of one TerminateRecoveryInstances: at most 100 instances of one account and
    Region.

    `account` is there while the job lives, and keeps the account from being deleted; afterwards
    `aws_account_id` and `account_name` tell. `instance_ids` and `server_ids` are what DRS was asked
    for last, `asked_at` when that was, and `known_job_ids` are jobs with the same servers that DRS
    listed before it was asked first, so they cannot be the answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    termination = models.ForeignKey(Termination, on_delete=models.CASCADE, related_name="jobs")
    account = models.ForeignKey(
        TargetAccount, null=True, on_delete=models.PROTECT, related_name="+"
    )
    aws_account_id = models.CharField(max_length=12)
    account_name = models.CharField(max_length=64, blank=True, default="")
    region = models.CharField(max_length=32)
    instance_ids = ArrayField(models.CharField(max_length=24), default=list)
    server_ids = ArrayField(models.CharField(max_length=19), default=list)
    state = models.CharField(
        max_length=12, choices=JobState, default=JobState.QUEUED, editable=False
    )
    message = models.CharField(max_length=2000, blank=True, default="")
    due_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(default=0)
    known_job_ids = ArrayField(models.CharField(max_length=24), default=list)
    drs_job_id = models.CharField("DRS job", max_length=24, blank=True, default="")
    drs_status = models.CharField(max_length=16, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    intended_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("termination", "created_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["aws_account_id", "region", "drs_job_id"],
                condition=~Q(drs_job_id=""),
                name="recovery_drs_job_answers_one_termination",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.STARTED) | ~Q(drs_job_id=""),
                name="recovery_started_termination_has_its_id",
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=False) | ~Q(state__in=sorted(TERMINATION_JOB.active)),
                name="recovery_live_termination_has_its_account",
            ),
        )

    def __str__(self) -> str:
        return f"{self.termination} in {self.where}"

    @property
    def where(self) -> str:
        """The 12 digits of its account, and its Region, for a person."""
        return f"{self.aws_account_id}/{self.region}"

    def scope(self) -> Scope:
        """Where DRS is asked for a job that lives; such a one has its account."""
        if self.account is None:
            raise RuntimeError(f"{self} has ended, and its account is gone")
        return self.account.scope(self.region)


class TerminationInstance(models.Model):
    """An instance that is to be terminated, as the launch left it behind, and what became of it.

    `instance_id` is empty while it is not known. `launch_job_ids` are the DRS jobs by which the
    execution launched its server: an instance of another job is not the one that is meant. `state`
    is its outcome.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    termination = models.ForeignKey(Termination, on_delete=models.CASCADE, related_name="instances")
    job = models.ForeignKey(TerminationJob, on_delete=models.CASCADE, related_name="instances")
    server = models.ForeignKey(WaveServer, on_delete=models.CASCADE, related_name="terminations")
    source_server_id = models.CharField(max_length=19)
    instance_id = models.CharField(max_length=24, blank=True, default="")
    launch_job_ids = ArrayField(models.CharField(max_length=24), default=list)
    state = models.CharField(
        max_length=12, choices=InstanceOutcome, default=InstanceOutcome.WAITING, editable=False
    )
    message = models.CharField(max_length=2000, blank=True, default="")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("job", "source_server_id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["termination", "server"], name="recovery_server_once_in_a_termination"
            ),
        )

    def __str__(self) -> str:
        return self.instance_id or f"the instance of {self.source_server_id}"
