"""Recovery instances, as DRS and EC2 last listed them."""

import uuid

from django.db import models
from django.utils import timezone

from protection.models.accounts import TargetAccount


class RecoveryInstance(models.Model):
    """An instance that a launch left behind, filed under the account and Region that hold it.

    How old these facts are is `AccountRegion.instances_listed_at`. A row goes when a complete
    listing no longer holds it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(
        TargetAccount, on_delete=models.CASCADE, related_name="recovery_instances"
    )
    region = models.CharField(max_length=32)
    instance_id = models.CharField("recovery instance id", max_length=24)
    server_id = models.CharField("source server id", max_length=19, blank=True, default="")
    arn = models.CharField("ARN", max_length=200, blank=True, default="")
    job_id = models.CharField("DRS job", max_length=24, blank=True, default="")
    name = models.CharField(max_length=256, blank=True, default="")
    ec2_state = models.CharField(max_length=16, blank=True, default="")
    is_drill = models.BooleanField(null=True)
    point_in_time = models.DateTimeField(null=True)
    failback_state = models.CharField(max_length=40, blank=True, default="")
    replication_state = models.CharField(max_length=40, blank=True, default="")
    instance_type = models.CharField(max_length=32, blank=True, default="")
    private_ip = models.CharField(max_length=45, blank=True, default="")
    public_ip = models.CharField(max_length=45, blank=True, default="")
    vpc_id = models.CharField(max_length=24, blank=True, default="")
    subnet_id = models.CharField(max_length=24, blank=True, default="")
    availability_zone = models.CharField(max_length=32, blank=True, default="")
    launched_at = models.DateTimeField(null=True)
    tags = models.JSONField(default=dict)
    fingerprint = models.CharField(max_length=64, editable=False)
    first_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "region", "instance_id"],
                name="protection_one_row_per_recovery_instance",
            ),
        )
        indexes = (models.Index(fields=["server_id"], name="protection_instance_server"),)

    def __str__(self) -> str:
        return f"{self.name or self.instance_id} ({self.instance_id})"
