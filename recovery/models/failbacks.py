"""Bringing back what a recovery launched: who asked for it, what was asked of DRS, and what became
of each instance.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.aws.scope import Scope
from protection.models import TargetAccount
from recovery.failback_states import FAILBACK, FailbackState, Origin, ReturnState
from recovery.models.executions import Execution, WaveServer
from recovery.models.terminations import Termination
from recovery.states import JOB, JobState


class Failback(models.Model):
    """One request to bring back what an execution launched. Its gates and its cancelling are
    people's requests; workers carry them out.

    `termination` is the clean-up by which it ends. `due_at` is when it should be looked at next,
    and `leased_until` until when a worker does. `message` says what keeps it from going on, if
    anything does. `restored_at` is when it was restored from the mirror while it was under way:
    DRS may know more of it than we.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="failbacks")
    state = models.CharField(
        max_length=12, choices=FailbackState, default=FailbackState.REVERSING, editable=False
    )
    reason = models.CharField(max_length=1000)
    requested_by_id = models.BigIntegerField(null=True)
    requested_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ready_at = models.DateTimeField(null=True, editable=False)
    launch_opened_at = models.DateTimeField(null=True, editable=False)
    launch_opened_by = models.CharField(max_length=254, blank=True, default="")
    launch_comment = models.CharField(max_length=1000, blank=True, default="")
    finish_opened_at = models.DateTimeField(null=True, editable=False)
    finish_opened_by = models.CharField(max_length=254, blank=True, default="")
    finish_comment = models.CharField(max_length=1000, blank=True, default="")
    cancel_requested_at = models.DateTimeField(null=True, editable=False)
    cancel_requested_by = models.CharField(max_length=254, blank=True, default="")
    cancel_reason = models.CharField(max_length=1000, blank=True, default="")
    termination = models.ForeignKey(
        Termination, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    finished_at = models.DateTimeField(null=True, editable=False)
    message = models.CharField(max_length=2000, blank=True, default="", editable=False)
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    due_at = models.DateTimeField(null=True, default=timezone.now, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    restored_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("-created_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["execution"],
                condition=Q(state__in=sorted(FAILBACK.active)),
                name="recovery_one_live_failback_per_execution",
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(FAILBACK.active), finished_at=None)
                | Q(state__in=sorted(FAILBACK.terminal), finished_at__isnull=False),
                name="recovery_failback_finished_when_terminal",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"],
                condition=Q(state__in=sorted(FAILBACK.active)),
                name="recovery_failback_due",
            ),
        )

    def __str__(self) -> str:
        return f"failback after the {self.execution}"


class FailbackJob(models.Model):
    """The journal of one launch back: at most 100 servers of one account and Region.

    What came from AWS is launched where it came from, by StartRecovery of the source servers that
    the reversal made there; what came from on premises by StartFailbackLaunch, where the recovery
    instances are. `server_ids` are the job's servers at DRS, as it was asked last, `asked_at` when
    that was, and `known_job_ids` are jobs with the same servers that DRS listed before it was asked
    first, so they cannot be the answer. `account` is there while the job lives.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    failback = models.ForeignKey(Failback, on_delete=models.CASCADE, related_name="jobs")
    account = models.ForeignKey(
        TargetAccount, null=True, on_delete=models.PROTECT, related_name="+"
    )
    aws_account_id = models.CharField(max_length=12)
    account_name = models.CharField(max_length=64, blank=True, default="")
    region = models.CharField(max_length=32)
    origin = models.CharField(max_length=12, choices=Origin)
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
        ordering = ("failback", "created_at", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["aws_account_id", "region", "drs_job_id"],
                condition=~Q(drs_job_id=""),
                name="recovery_drs_job_answers_one_failback",
            ),
            models.CheckConstraint(
                condition=~Q(state=JobState.STARTED) | ~Q(drs_job_id=""),
                name="recovery_started_failback_has_its_id",
            ),
            models.CheckConstraint(
                condition=Q(account__isnull=False) | ~Q(state__in=sorted(JOB.active)),
                name="recovery_live_failback_has_its_account",
            ),
        )

    def __str__(self) -> str:
        return f"{self.failback} in {self.where}"

    @property
    def where(self) -> str:
        """The 12 digits of its account, and its Region, for a person."""
        return f"{self.aws_account_id}/{self.region}"

    def scope(self) -> Scope:
        """Where DRS is asked for a job that lives; such a one has its account."""
        if self.account is None:
            raise RuntimeError(f"{self} has ended, and its account is gone")
        return self.account.scope(self.region)


class FailbackInstance(models.Model):
    """A recovery instance that is to go back, as its launch left it behind; and how that stands.

    `reverse_asked_at`, `stop_asked_at` and `disconnect_asked_at` are written before DRS is asked:
    what came of it is looked for before anything is asked again. `known_arn` is the reversed
    server that DRS told of before it was asked, so it cannot be the answer. What DRS told at
    `looked_at` is `replication_state`, `failback_state`, `lag` and `eta_at`, in its own words.
    `back_instance_id` is what was launched where it came from, if that was AWS.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    failback = models.ForeignKey(Failback, on_delete=models.CASCADE, related_name="instances")
    server = models.ForeignKey(WaveServer, on_delete=models.CASCADE, related_name="failbacks")
    job = models.ForeignKey(
        FailbackJob, null=True, on_delete=models.SET_NULL, related_name="instances"
    )
    source_server_id = models.CharField(max_length=19)
    instance_id = models.CharField(max_length=24, blank=True, default="")
    launch_job_ids = ArrayField(models.CharField(max_length=24), default=list)
    origin = models.CharField(max_length=12, choices=Origin, blank=True, default="")
    origin_account_id = models.CharField(max_length=12, blank=True, default="")
    origin_region = models.CharField(max_length=32, blank=True, default="")
    known_arn = models.CharField(max_length=255, blank=True, default="")
    reversed_arn = models.CharField(max_length=255, blank=True, default="")
    state = models.CharField(
        max_length=12, choices=ReturnState, default=ReturnState.WAITING, editable=False
    )
    message = models.CharField(max_length=2000, blank=True, default="")
    due_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    refusals = models.PositiveIntegerField(default=0)
    reverse_asked_at = models.DateTimeField(null=True)
    reversed_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    replication_state = models.CharField(max_length=64, blank=True, default="")
    failback_state = models.CharField(max_length=64, blank=True, default="")
    lag = models.DurationField(null=True)
    eta_at = models.DateTimeField(null=True)
    back_instance_id = models.CharField(max_length=24, blank=True, default="")
    stop_asked_at = models.DateTimeField(null=True)
    disconnect_asked_at = models.DateTimeField(null=True)
    disconnected_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("failback", "source_server_id", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["failback", "server"], name="recovery_server_once_in_a_failback"
            ),
        )

    def __str__(self) -> str:
        return self.instance_id or f"the instance of {self.source_server_id}"

    @property
    def reversed_server_id(self) -> str:
        """The source server that the reversal made, at DRS where the instance came from."""
        return self.reversed_arn.rpartition("/")[2]
