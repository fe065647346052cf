"""Executions: a plan being carried out, as it was when it started."""

import uuid
from datetime import timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from recovery.choices import LaunchSettingsPolicy
from recovery.models.plans import RecoveryPlan
from recovery.states import EXECUTION, WAVE, ExecutionState, Kind, Phase, ServerState, WaveState

_ACTIVE = sorted(EXECUTION.active)
_TERMINAL = sorted(EXECUTION.terminal)
_NOT_BEGUN = [ExecutionState.AWAITING, ExecutionState.CANCELLING, ExecutionState.CANCELLED]


class ExecutionQuerySet(models.QuerySet["Execution"]):
    """Executions, by how they stand."""

    def active(self) -> Self:
        """Those that have not ended."""
        return self.filter(state__in=_ACTIVE)


class Execution(models.Model):
    """One run of a plan version. Its state moves only through `drportal.state.move`.

    `message` says what keeps the engine from going on, if anything does.
    `cancel_requested_at` and `pause_requested_at` are people's requests; the engine carries them
    out. A pause that was lifted leaves `pause_lifted_at` and no request. `requests_made` counts
    what people asked: a step that was decided before the last of it is not carried out. `due_at`
    is when the engine should look at it next, and `leased_until` until when a worker does.
    `restored_at` is when it was restored from the mirror while it was under way: DRS may know more
    of it than we. With `approval_needed` it begins only once somebody else than who requested it
    has approved it, until `approval_until`. `options` is what was chosen of the plan, as
    `engine.options.StartOptions` tells it; empty for the whole plan from the latest recovery
    points.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(
        RecoveryPlan, null=True, on_delete=models.SET_NULL, related_name="executions"
    )
    plan_name = models.CharField(max_length=64)
    plan_version = models.PositiveIntegerField()
    kind = models.CharField(max_length=8, choices=Kind)
    preflight_before_waves = models.BooleanField(default=True, blank=True)
    launch_settings_policy = models.CharField(
        max_length=16,
        choices=LaunchSettingsPolicy,
        default=LaunchSettingsPolicy.BLOCK,
        blank=True,
    )
    state = models.CharField(
        max_length=12, choices=ExecutionState, default=ExecutionState.PENDING, editable=False
    )
    reason = models.CharField(max_length=1000, blank=True, default="")
    ticket = models.CharField(max_length=200, blank=True, default="")
    options = models.JSONField(blank=True, default=dict)
    requested_by_id = models.BigIntegerField(null=True)
    requested_by = models.CharField(max_length=254)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(null=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, editable=False)
    cancel_requested_by = models.CharField(max_length=254, blank=True, default="")
    cancel_reason = models.CharField(max_length=1000, blank=True, default="")
    pause_requested_at = models.DateTimeField(null=True, editable=False)
    pause_requested_by = models.CharField(max_length=254, blank=True, default="")
    pause_reason = models.CharField(max_length=1000, blank=True, default="")
    pause_lifted_at = models.DateTimeField(null=True, editable=False)
    approval_needed = models.BooleanField(default=False, editable=False)
    approval_until = models.DateTimeField(null=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    approved_by = models.CharField(max_length=254, blank=True, default="")
    approved_by_id = models.BigIntegerField(null=True, editable=False)
    approval_comment = models.CharField(max_length=1000, blank=True, default="")
    requests_made = models.PositiveIntegerField(default=0, editable=False)
    message = models.CharField(max_length=2000, blank=True, default="", editable=False)
    correlation_id = models.CharField(max_length=64, blank=True, default="")
    due_at = models.DateTimeField(null=True, default=timezone.now, editable=False)
    leased_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.UUIDField(null=True, editable=False)
    restored_at = models.DateTimeField(null=True, editable=False)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["plan"],
                condition=Q(state__in=_ACTIVE),
                name="recovery_one_active_execution_per_plan",
            ),
            models.CheckConstraint(
                condition=Q(state__in=_ACTIVE, finished_at=None)
                | Q(state__in=_TERMINAL, finished_at__isnull=False),
                name="recovery_execution_finished_when_terminal",
            ),
            models.CheckConstraint(
                condition=Q(approval_needed=False)
                | Q(approved_at__isnull=False)
                | Q(state__in=_NOT_BEGUN),
                name="recovery_nothing_begins_without_its_approval",
            ),
            models.CheckConstraint(
                condition=Q(approved_at=None)
                | ~Q(approved_by=F("requested_by"))
                & (
                    Q(approved_by_id=None)
                    | Q(requested_by_id=None)
                    | ~Q(approved_by_id=F("requested_by_id"))
                ),
                name="recovery_nobody_approves_their_own_execution",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at"], condition=Q(state__in=_ACTIVE), name="recovery_execution_due"
            ),
            models.Index(fields=["-created_at", "id"], name="recovery_execution_newest"),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display().lower()} of {self.plan_name}"


class Wave(models.Model):
    """A wave of an execution."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="waves")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    depends_on = ArrayField(models.PositiveSmallIntegerField(), default=list)
    gate = models.BooleanField(default=False)
    gate_instructions = models.CharField(max_length=1000, blank=True, default="")
    gate_rule = models.JSONField(default=dict, blank=True)
    gate_reached_at = models.DateTimeField(null=True)
    gate_opened_at = models.DateTimeField(null=True)
    gate_opened_by = models.CharField(max_length=254, blank=True, default="")
    gate_comment = models.CharField(max_length=1000, blank=True, default="")
    wait = models.DurationField(default=timedelta(0))
    wait_until = models.DateTimeField(null=True)
    time_limit = models.DurationField()
    success_threshold = models.PositiveSmallIntegerField(default=100)
    group_names = models.JSONField(default=list)
    checks = models.JSONField(default=list, blank=True)
    state = models.CharField(
        max_length=12, choices=WaveState, default=WaveState.PENDING, editable=False
    )
    message = models.CharField(max_length=1000, blank=True, default="")
    started_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("execution", "position")
        constraints = (
            models.UniqueConstraint(
                fields=["execution", "position"], name="recovery_one_run_wave_per_position"
            ),
            models.CheckConstraint(
                condition=Q(state__in=sorted(WAVE.active), finished_at=None)
                | Q(state__in=sorted(WAVE.terminal), finished_at__isnull=False),
                name="recovery_wave_finished_when_terminal",
            ),
        )

    def __str__(self) -> str:
        return f"wave {self.position} ({self.name})"


class WaveServer(models.Model):
    """A server in a wave: what was asked for it, and what became of it.

    Where it was not `in_scope`, the start did not choose it, and it was never held.
    `chosen_point_id` is the recovery point that it is launched from, by DRS's id, and
    `chosen_point_at` when that was taken, as far as that is known; empty for the latest.
    `recovery_point_at` is the moment whose data it was launched with, as DRS told of its instance.
    `launched_at` is since when it is known that DRS has launched it in this attempt, whatever its
    checks then said: an instance of it is there, or was.
    `instance_gone_at` is since when it is known that the instance is no longer there.
    `attempt` counts from 1: a person may ask that a server that failed be launched again. What
    earlier attempts came to is in the timeline and in their launch jobs.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="servers")
    wave = models.ForeignKey(Wave, on_delete=models.CASCADE, related_name="servers")
    launch_job = models.ForeignKey(
        "recovery.LaunchJob", null=True, on_delete=models.SET_NULL, related_name="servers"
    )
    account_id = models.CharField(max_length=12)
    region = models.CharField(max_length=32)
    server_id = models.CharField(max_length=19)
    name = models.CharField(max_length=256)
    os = models.CharField(max_length=256, blank=True, default="")
    group_name = models.CharField(max_length=64)
    critical = models.BooleanField(default=True)
    in_scope = models.BooleanField(default=True)
    chosen_point_id = models.CharField(max_length=21, blank=True, default="")
    chosen_point_at = models.DateTimeField(null=True)
    state = models.CharField(
        max_length=12, choices=ServerState, default=ServerState.PENDING, editable=False
    )
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.WAITING, editable=False)
    attempt = models.PositiveSmallIntegerField(blank=True, default=1, editable=False)
    message = models.TextField(blank=True, default="")
    launch_status = models.CharField(max_length=16, blank=True, default="")
    recovery_instance_id = models.CharField(max_length=24, blank=True, default="")
    instance_state = models.CharField(max_length=16, blank=True, default="")
    instance_type = models.CharField(max_length=32, blank=True, default="")
    private_ip = models.CharField(max_length=45, blank=True, default="")
    availability_zone = models.CharField(max_length=32, blank=True, default="")
    subnet_id = models.CharField(max_length=32, blank=True, default="")
    recovery_point_at = models.DateTimeField(null=True)
    facts_at = models.DateTimeField(null=True)
    instance_gone_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    launched_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("wave", "name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["execution", "account_id", "region", "server_id"],
                name="recovery_server_once_in_an_execution",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.server_id})"

    @property
    def being_checked(self) -> bool:
        """Whether it is launched, and its checks have not ended."""
        return self.state == ServerState.LAUNCHED and self.phase == Phase.CHECKING


class ExecutionEvent(models.Model):
    """One line of an execution's timeline. `kind` is a stable word, `message` a sentence."""

    id = models.BigAutoField(primary_key=True)
    execution = models.ForeignKey(Execution, on_delete=models.CASCADE, related_name="events")
    wave = models.ForeignKey(Wave, null=True, on_delete=models.CASCADE, related_name="+")
    server = models.ForeignKey(WaveServer, null=True, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=48)
    message = models.CharField(max_length=2000)
    actor = models.CharField(max_length=254)

    class Meta:
        ordering = ("execution", "id")

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.message}"
