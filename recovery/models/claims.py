"""Who holds a server, what was asked of DRS, and who watches what comes of it."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.aws.scope import Scope
from protection.models import TargetAccount
from recovery.engine.wording import counted
from recovery.models.executions import Execution, Wave
from recovery.states import JOB, JobState, Kind


class ServerClaim(models.Model):
    """That an execution holds a server. Nobody else can while it is not released."""

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="claims")
    account_id = models.CharField(max_length=12)
    region = models.CharField(max_length=32)
    server_id = models.CharField(max_length=19)
    claimed_at = models.DateTimeField(default=timezone.now)
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["account_id", "region", "server_id"],
                condition=Q(released_at=None),
                name="recovery_server_held_once",
            ),
        )

    def __str__(self) -> str:
        return f"{self.server_id} for {self.execution}"


class AccountClaim(models.Model):
    """That an execution works in an account, which therefore stays. The row goes when the last of
    the execution's servers there is released.
    """

    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(TargetAccount, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["execution", "account"], name="recovery_account_claimed_once"
            ),
        )

    def __str__(self) -> str:
        return str(self.execution)


class LaunchJob(models.Model):
    """The journal of one StartRecovery: at most 100 servers of one account and Region.

    `account` is there while the job lives. Afterwards it may be deleted: `aws_account_id`, its 12
    digits, and `account_name` still tell. `asked_at` is written right before DRS is asked.
    `point_ids` are the recovery points that were chosen, by server id; servers that are not named
    there are launched from the latest.
    `known_job_ids` are jobs with the same servers that DRS listed before that, so they cannot be
    the answer to it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="jobs")
    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="jobs")
    account = models.ForeignKey(
        TargetAccount, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    aws_account_id = models.CharField(max_length=12)
    account_name = models.CharField(max_length=64)
    region = models.CharField(max_length=32)
    kind = models.CharField(max_length=8, choices=Kind)
    server_ids = ArrayField(models.CharField(max_length=19))
    point_ids = models.JSONField(blank=True, default=dict)
    state = models.CharField(
        max_length=12, choices=JobState, default=JobState.QUEUED, editable=False
    )
    message = models.CharField(max_length=2000, blank=True, default="")
    due_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    known_job_ids = ArrayField(models.CharField(max_length=24), default=list)
    drs_job_id = models.CharField("DRS job", max_length=24, blank=True, default="")
    drs_status = models.CharField(max_length=16, blank=True, default="")
    log_read_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    intended_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("execution", "created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "region", "drs_job_id"],
                condition=~Q(drs_job_id=""),
                name="recovery_drs_job_answers_one_intent",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[JobState.STARTED, JobState.ENDED]) | ~Q(drs_job_id=""),
                name="recovery_started_job_has_its_id",
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=False) | ~Q(state__in=sorted(JOB.active)),
                name="recovery_live_job_has_its_account",
            ),
        )
        indexes = (
            models.Index(
                fields=["account", "region"],
                condition=Q(state__in=sorted(JOB.active)),
                name="recovery_live_jobs",
            ),
        )

    def __str__(self) -> str:
        return self.drs_job_id or f"launch of {counted(len(self.server_ids), 'server')}"

    @property
    def where(self) -> str:
        """The 12 digits of its account, and its Region, for a person."""
        return f"{self.aws_account_id}/{self.region}"

    def scope(self) -> Scope:
        """Where DRS is asked for a job that lives; such a one has its account."""
        if self.account is None:
            raise RuntimeError(f"{self} has ended, and its account is gone")
        return self.account.scope(self.region)


class JobWatch(models.Model):
    """One account and Region in which launch jobs live: polled once for all of them.

    Its row lock also decides, of two executions, whose job takes the last place in a quota.
    """

    account = models.ForeignKey(TargetAccount, on_delete=models.CASCADE, related_name="+")
    region = models.CharField(max_length=32)
    due_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    lease_token = models.UUIDField(null=True)
    polled_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    message = models.CharField(max_length=2000, blank=True, default="")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["account", "region"], name="recovery_one_watch_per_account_and_region"
            ),
        )

    def __str__(self) -> str:
        return f"watch of {self.account_id}/{self.region}"
