"""The inventory: source servers as DRS last listed them."""

import uuid

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils import timezone

from protection.choices import SyncKind, SyncState
from protection.models.accounts import TargetAccount


class SourceServer(models.Model):
    """A source server, filed under the account and Region that manage it.

    Three accounts are kept apart: the one it is managed in (`account`), the one it comes from
    (`origin_account_id`, empty unless it runs in EC2) and the one whose staging area it
    replicates to (`staging_account_id`, empty unless it is extended). What begins with `origin_`
    is what EC2 told of the instance there, `origin_tags` being None while it has not;
    `synced_tags` are the tags that the tag sync has set in DRS, and may therefore remove.

    How old these facts are is `AccountRegion.listed_at`: a listing that changes nothing writes no
    row here. A server that a complete listing no longer holds is deleted, but one that a group
    names stays, with `gone_at`: a plan must not lose it silently.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(TargetAccount, on_delete=models.CASCADE, related_name="servers")
    region = models.CharField(max_length=32)
    server_id = models.CharField("source server id", max_length=19)
    arn = models.CharField("ARN", max_length=200)
    name = models.CharField(max_length=256)
    hostname = models.CharField(max_length=256, blank=True, default="")
    os = models.CharField("operating system", max_length=256, blank=True, default="")
    architecture = models.CharField(max_length=16, blank=True, default="")
    tags = models.JSONField(default=dict)
    replication_state = models.CharField(max_length=24, blank=True, default="")
    replication_error = models.TextField(blank=True, default="")
    lag = models.DurationField(null=True)
    first_synced = models.BooleanField(default=False)
    last_launch_result = models.CharField(max_length=24, blank=True, default="")
    recovery_instance_id = models.CharField(max_length=24, blank=True, default="")
    recommended_instance_type = models.CharField(max_length=32, blank=True, default="")
    cpu_cores = models.PositiveIntegerField(null=True)
    ram_bytes = models.BigIntegerField(null=True)
    disk_bytes = models.BigIntegerField(null=True)
    source_addresses = models.JSONField(default=list)
    origin_account_id = models.CharField(max_length=12, blank=True, default="")
    origin_region = models.CharField(max_length=32, blank=True, default="")
    origin_instance_id = models.CharField(max_length=24, blank=True, default="")
    origin_instance_type = models.CharField(max_length=32, blank=True, default="")
    origin_vpc_id = models.CharField(max_length=24, blank=True, default="")
    origin_subnet_id = models.CharField(max_length=24, blank=True, default="")
    origin_private_ip = models.CharField(max_length=45, blank=True, default="")
    origin_security_group_ids = models.JSONField(default=list, blank=True)
    origin_instance_profile = models.CharField(max_length=2048, blank=True, default="")
    origin_tags = models.JSONField(null=True, blank=True)
    synced_tags = models.JSONField(default=dict, blank=True)
    staging_account_id = models.CharField(max_length=12, blank=True, default="")
    staging_status = models.CharField(max_length=24, blank=True, default="")
    staging_error = models.TextField(blank=True, default="")
    fingerprint = models.CharField(max_length=64, editable=False)
    first_seen_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now, editable=False)
    gone_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["account", "region", "server_id"],
                name="protection_one_row_per_source_server",
            ),
        )
        indexes = (GinIndex(fields=["tags"], name="protection_server_tags"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.server_id})"


class SyncRun(models.Model):
    """One run of a sync: what it saw, changed, skipped and could not do."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=24, choices=SyncKind)
    state = models.CharField(max_length=16, choices=SyncState, default=SyncState.RUNNING)
    requested_by = models.CharField(max_length=254)
    started_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    scopes_listed = models.PositiveIntegerField(default=0)
    scopes_without_drs = models.PositiveIntegerField(default=0)
    scopes_skipped = models.PositiveIntegerField(default=0)
    scopes_failed = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=dict)  # how many objects, by the reason
    failed = models.PositiveIntegerField(default=0)  # objects of which the sync was refused
    dry_run = models.BooleanField(default=False)
    problems = models.JSONField(default=list)
    # What the tag sync did to each server, or would do in a dry run; see `Tally.tell`.
    changes = models.JSONField(default=list)

    class Meta:
        ordering = ("-started_at", "id")
        permissions = (("run_syncrun", "Can run a sync now"),)
        constraints = (
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(state=SyncState.RUNNING),
                name="protection_one_running_sync_of_a_kind",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.started_at:%Y-%m-%d %H:%M}"
