"""Recovery plans: which groups come back in which order."""

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from protection.models import ProtectionGroup
from recovery.choices import LaunchSettingsPolicy


class RecoveryPlan(models.Model):
    """A graph of waves over protection groups. Every change makes a new, immutable version.

    `approval_needed` says that a recovery waits until a second person has approved it.
    With `preflight_before_waves`, AWS is asked anew about the servers of each wave before it
    launches; then `launch_settings_policy` says what is done about settings that do not hold.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=1000, blank=True, default="")
    owner = models.CharField(max_length=255, blank=True, default="")
    rto = models.DurationField("recovery time objective", null=True)
    rpo = models.DurationField("recovery point objective", null=True)
    preflight_before_waves = models.BooleanField(default=True, blank=True)
    launch_settings_policy = models.CharField(
        max_length=16,
        choices=LaunchSettingsPolicy,
        default=LaunchSettingsPolicy.BLOCK,
        blank=True,
    )
    drill_every_days = models.PositiveSmallIntegerField("drilled at least every (days)", null=True)
    notification_addresses = ArrayField(models.EmailField(), default=list, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    approval_needed = models.BooleanField("recoveries need approval", default=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        permissions = (
            ("share_recoveryplan", "Can share recovery plan"),
            ("drill_recoveryplan", "Can start drills of recovery plan"),
            ("recover_recoveryplan", "Can start recoveries of recovery plan"),
            ("steer_recoveryplan", "Can steer executions of recovery plan"),
            ("terminate_recoveryplan", "Can terminate what drills of recovery plan launched"),
            (
                "terminate_recovery_recoveryplan",
                "Can terminate what recoveries of recovery plan launched",
            ),
            ("failback_recoveryplan", "Can fail back what recovery plan launched"),
            ("override_preflight_recoveryplan", "Can start recovery plan despite its preflight"),
            ("approve_recoveryplan", "Can approve what others start of recovery plan"),
        )
        constraints = (
            models.UniqueConstraint(Lower("name"), name="recovery_plan_name_is_unique"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^\S(.*\S)?$"), name="recovery_plan_name_is_trimmed"
            ),
            models.CheckConstraint(
                condition=Q(drill_every_days=None) | Q(drill_every_days__gte=1),
                name="recovery_plan_drill_interval_is_a_day_or_more",
            ),
        )

    def __str__(self) -> str:
        return self.name


class PlanWave(models.Model):
    """A wave of a plan: groups that start together once the waves it depends on ended well.

    `gate_rule` is a `recovery.engine.gates.GateRule`, empty where anybody who may steer opens.
    `depends_on` holds positions of waves of the same plan; positions count from 1. `wait` is how
    long the wave waits once it could start. It ends well if every critical server was launched and
    at least `success_threshold` percent of all, and has passed its `checks`: see
    `recovery.engine.checks`.
    """

    plan = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE, related_name="waves")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=64)
    depends_on = ArrayField(models.PositiveSmallIntegerField(), default=list, blank=True)
    gate = models.BooleanField("gate before", default=False)
    gate_instructions = models.CharField(max_length=1000, blank=True, default="")
    gate_rule = models.JSONField(default=dict, blank=True)
    wait = models.DurationField(default=timedelta(0))
    time_limit = models.DurationField()
    success_threshold = models.PositiveSmallIntegerField("success threshold (%)", default=100)
    checks = models.JSONField(default=list, blank=True)
    groups = models.ManyToManyField(
        ProtectionGroup, through="recovery.PlanWaveGroup", related_name="+"
    )

    class Meta:
        ordering = ("plan", "position")
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "position"], name="recovery_one_wave_per_position"
            ),
            models.CheckConstraint(
                condition=Q(position__gte=1), name="recovery_positions_count_from_1"
            ),
            models.CheckConstraint(
                condition=Q(success_threshold__gte=1, success_threshold__lte=100),
                name="recovery_threshold_is_a_percentage",
            ),
            models.CheckConstraint(
                condition=Q(wait__gte=timedelta(0)), name="recovery_no_wait_is_negative"
            ),
        )

    def __str__(self) -> str:
        return f"{self.plan}: {self.name}"


class PlanWaveGroup(models.Model):
    """That a wave launches a group. A group that a plan needs cannot be deleted.

    `server_ids` are DRS's ids of those of its servers that are launched, all if empty;
    `optional_server_ids` of those whose failure does not fail the wave.
    """

    wave = models.ForeignKey(PlanWave, on_delete=models.CASCADE, related_name="entries")
    group = models.ForeignKey(ProtectionGroup, on_delete=models.PROTECT, related_name="+")
    server_ids = ArrayField(models.CharField(max_length=19), default=list, blank=True)
    optional_server_ids = ArrayField(models.CharField(max_length=19), default=list, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["wave", "group"], name="recovery_group_once_in_a_wave"),
        )

    def __str__(self) -> str:
        return f"{self.group} in {self.wave}"


class PlanVersion(models.Model):
    """What a plan said at one time. Never changed: a trigger refuses it."""

    plan = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by_id = models.BigIntegerField(null=True)
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ("plan", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "number"], name="recovery_plan_version_is_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.plan} version {self.number}"
