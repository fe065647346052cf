"""Protection groups: which servers are recovered together."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from protection.choices import Selection
from protection.models.accounts import TargetAccount
from protection.models.servers import SourceServer


class ProtectionGroup(models.Model):
    """Servers of one account and Region, chosen one by one or by their tags, never both.

    `tags` are pairs that a server must all have; keys and values match exactly.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=1000, blank=True, default="")
    account = models.ForeignKey(TargetAccount, on_delete=models.PROTECT, related_name="groups")
    region = models.CharField(max_length=32)
    selection = models.CharField(max_length=8, choices=Selection)
    tags = models.JSONField(default=dict, blank=True)
    servers = models.ManyToManyField(
        SourceServer, through="protection.GroupMember", related_name="+", blank=True
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        ordering = ("name", "id")
        permissions = (("share_protectiongroup", "Can share protection group"),)
        constraints = (
            models.UniqueConstraint(Lower("name"), name="protection_group_name_is_unique"),
            models.CheckConstraint(
                condition=Q(name__regex=r"^\S(.*\S)?$"), name="protection_group_name_is_trimmed"
            ),
            models.CheckConstraint(
                condition=Q(selection=Selection.SERVERS, tags={})
                | Q(selection=Selection.TAGS) & ~Q(tags={}),
                name="protection_group_chooses_by_tags_or_servers",
            ),
        )

    def __str__(self) -> str:
        return self.name


class GroupMember(models.Model):
    """A server that was put into a group by hand. A server is in one such group at most."""

    group = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE, related_name="members")
    server = models.ForeignKey(SourceServer, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["server"], name="protection_server_in_one_explicit_group"
            ),
        )

    def __str__(self) -> str:
        return f"{self.server} in {self.group}"
