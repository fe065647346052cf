"""Notices: what people are told of, by which way, and what became of each telling."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone

from drportal.state import Lifecycle
from recovery.models.executions import Execution, ExecutionEvent, Wave
from recovery.models.plans import RecoveryPlan
from recovery.states import Kind


class Medium(models.TextChoices):
    """By which way a notice goes out."""

    MAIL = "MAIL", "Mail"
    TOPIC = "TOPIC", "SNS topic"
    SERVICE = "SERVICE", "Webhook, Slack, Teams, ..."


class DeliveryState(models.TextChoices):
    """How a delivery stands. DROPPED: before it got through it was no longer true, or wanted."""

    PENDING = "PENDING", "Waiting"
    FAILED = "FAILED", "Failed, tried again"
    SENT = "SENT", "Sent"
    GIVEN_UP = "GIVEN_UP", "Given up"
    DROPPED = "DROPPED", "Dropped"


_DELIVERY_ENDS = {DeliveryState.SENT, DeliveryState.GIVEN_UP, DeliveryState.DROPPED}

DELIVERY = Lifecycle(
    {
        DeliveryState.PENDING: {DeliveryState.FAILED, *_DELIVERY_ENDS},
        DeliveryState.FAILED: {DeliveryState.FAILED, *_DELIVERY_ENDS},
        DeliveryState.SENT: set(),
        DeliveryState.GIVEN_UP: set(),
        DeliveryState.DROPPED: set(),
    }
)
_OPEN = sorted(DELIVERY.active)


class NoticeChannel(models.Model):
    """A topic or a service that is told of one plan, or of all, of the kinds of notices it names.

    `address` is a secret, unless it is a topic's ARN: pages, records and the mirror know `masked`
    only. `address_lost` says that a restore could not give it back.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    plan = models.ForeignKey(
        RecoveryPlan, null=True, on_delete=models.CASCADE, related_name="notice_channels"
    )
    name = models.CharField(max_length=64)
    medium = models.CharField(max_length=8, choices=Medium)
    address = models.CharField(max_length=1000, blank=True, default="")
    masked = models.CharField(max_length=400)
    address_lost = models.BooleanField(default=False, editable=False)
    kinds = ArrayField(models.CharField(max_length=24), default=list)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "name"],
                nulls_distinct=False,
                name="recovery_channel_name_is_unique",
            ),
        )

    def __str__(self) -> str:
        return self.name


class NoticePreference(models.Model):
    """Which kinds of notices a person gets by mail, about the plans that they may see."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="+",
    )
    kinds = ArrayField(models.CharField(max_length=24), default=list, blank=True)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("person",)
        default_permissions = ()

    def __str__(self) -> str:
        return f"notices of {self.person}"


class Notice(models.Model):
    """Something that people are to be told. Written with what it tells of, in its transaction.

    `key` names what happened, so that it is told once. `about` says what kind of execution it is
    about, `outcome` how what it tells of ended, `number` which reminder it is, 0 for none.
    `addressed_at` is when its deliveries were made; until then it is due at `due_at`.
    """

    id = models.BigAutoField(primary_key=True)
    key = models.CharField(max_length=200, unique=True)
    kind = models.CharField(max_length=24)
    at = models.DateTimeField(default=timezone.now)
    plan = models.ForeignKey(RecoveryPlan, null=True, on_delete=models.SET_NULL, related_name="+")
    plan_name = models.CharField(max_length=64)
    about = models.CharField(max_length=8, choices=Kind, blank=True, default="")
    execution = models.ForeignKey(Execution, null=True, on_delete=models.CASCADE, related_name="+")
    wave = models.ForeignKey(Wave, null=True, on_delete=models.CASCADE, related_name="+")
    event = models.ForeignKey(ExecutionEvent, null=True, on_delete=models.CASCADE, related_name="+")
    message = models.CharField(max_length=2000, blank=True, default="")
    outcome = models.CharField(max_length=16, blank=True, default="")
    number = models.PositiveIntegerField(default=0)
    addressed_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-id",)
        default_permissions = ()
        indexes = (
            models.Index(
                fields=["due_at", "id"],
                condition=Q(addressed_at=None),
                name="recovery_notice_due",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} of {self.plan_name}"


class Delivery(models.Model):
    """One notice to one recipient: the line of the delivery log.

    `target` names the recipient once and for all; `address` is of a mail, and a channel's is read
    when it is sent to. `shown` may be shown. `person` is who asked for it, and gets it only while
    they may see the plan. `attempts` counts what was begun; `due_at` is the next, or the first.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    medium = models.CharField(max_length=8, choices=Medium)
    channel = models.ForeignKey(
        NoticeChannel, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    person = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+"
    )
    target = models.CharField(max_length=320)
    address = models.CharField(max_length=254, blank=True, default="")
    shown = models.CharField(max_length=480)
    state = models.CharField(
        max_length=8, choices=DeliveryState, default=DeliveryState.PENDING, editable=False
    )
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["Delivery"]] = models.Manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ("-created_at", "id")
        default_permissions = ("view",)
        constraints = (
            models.UniqueConstraint(
                fields=["notice", "target"], name="recovery_one_delivery_per_recipient"
            ),
            models.CheckConstraint(
                condition=Q(state__in=_OPEN, ended_at=None)
                | Q(state__in=sorted(DELIVERY.terminal), ended_at__isnull=False),
                name="recovery_delivery_ended_when_terminal",
            ),
        )
        indexes = (
            models.Index(
                fields=["due_at", "id"], condition=Q(state__in=_OPEN), name="recovery_delivery_due"
            ),
            models.Index(fields=["-created_at", "id"], name="recovery_delivery_newest"),
        )

    def __str__(self) -> str:
        return f"{self.notice} to {self.shown}"
