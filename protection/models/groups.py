"""Protection groups: which servers are recovered together."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import MD5, Cast, Lower
from django.utils import timezone

from protection.choices import Selection
from protection.models.accounts import TargetAccount
from protection.models.servers import SourceServer


class ProtectionGroup(models.Model):
    """Servers of one account and Region, chosen one by one or by their tags, never both.

    `tags` are pairs that a server must all have; keys and values match exactly. No two groups of
    an account and Region have the same tags. `allows_overlap` says that somebody chose to let
    this group share servers with others.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=1000, blank=True, default="")
    account = models.ForeignKey(TargetAccount, on_delete=models.PROTECT, related_name="groups")
    region = models.CharField(max_length=32)
    owner = models.CharField(max_length=255, blank=True, default="")
    allows_overlap = models.BooleanField(default=False)
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
            # By digest: the tags themselves may be longer than an index entry. PostgreSQL writes
            # equal jsonb as equal text.
            models.UniqueConstraint(
                F("account"),
                F("region"),
                MD5(Cast("tags", models.TextField())),
                condition=Q(selection=Selection.TAGS),
                name="protection_group_tags_are_unique",
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


class GroupVersion(models.Model):
    """What a group said at one time. Never changed: a trigger refuses it."""

    group = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    created_by_id = models.BigIntegerField(null=True)
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ("group", "-number")
        constraints = (
            models.UniqueConstraint(
                fields=["group", "number"], name="protection_group_version_is_unique"
            ),
        )

    def __str__(self) -> str:
        return f"{self.group} version {self.number}"


class GroupHold(models.Model):
    """That something above, such as an execution that has yet to reach it, relies on a group.

    While a hold is not released the group cannot be edited. `holder` names it for a person,
    `holder_id` for the program.
    """

    group = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE, related_name="holds")
    holder_id = models.UUIDField()
    holder = models.CharField(max_length=255)
    held_at = models.DateTimeField(default=timezone.now, editable=False)
    released_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["group", "holder_id"],
                condition=Q(released_at=None),
                name="protection_group_held_once_by_a_holder",
            ),
        )

    def __str__(self) -> str:
        return f"{self.group} for {self.holder}"
