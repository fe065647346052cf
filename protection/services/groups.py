"""Protection groups: making, editing and deleting them."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.aws.regions import is_drs_region
from drportal.errors import InvalidInput
from drportal.mirror.services import mark
from protection.choices import Selection
from protection.errors import GroupInUse, GroupIsEmpty, GroupNameTaken, ServerInAnotherGroup
from protection.models import GroupMember, ProtectionGroup, SourceServer, TargetAccount
from protection.rules import selection as rules
from protection.selectors import servers_chosen


def create(
    *,
    name: str,
    account: TargetAccount,
    region: str,
    tags: Mapping[str, str] | None = None,
    server_ids: Collection[UUID] | None = None,
    description: str = "",
    actor: Actor,
) -> ProtectionGroup:
    """Make a group of either `tags` or servers (`server_ids` are ids of inventory rows).

    Raises InvalidInput, GroupIsEmpty, GroupNameTaken and ServerInAnotherGroup; then nothing is
    written.
    """
    if not is_drs_region(region):
        raise InvalidInput.field("region", "unknown_region", f"DRS has no Region {region}.")
    group = ProtectionGroup(name=_name(name), account=account, region=region)
    group.description = description
    return _save(group, tags=tags, server_ids=server_ids, actor=actor, what="created")


def edit(
    group: ProtectionGroup,
    *,
    name: str,
    tags: Mapping[str, str] | None = None,
    server_ids: Collection[UUID] | None = None,
    description: str = "",
    actor: Actor,
) -> ProtectionGroup:
    """Give a group a new name, description and choice. Account and Region are fixed.

    Raises what `create` raises. Executions under way are not touched: they are snapshots.
    """
    with transaction.atomic():
        group = ProtectionGroup.objects.select_for_update().get(pk=group.pk)
        group.name, group.description = _name(name), description
        group.version += 1
        group.updated_at = timezone.now()
        return _save(group, tags=tags, server_ids=server_ids, actor=actor, what="edited")


def delete(group: ProtectionGroup, *, actor: Actor) -> None:
    """Delete a group. Raises GroupInUse while a plan needs it."""
    with transaction.atomic():
        record("protection.group.deleted", actor=actor, subject=group, name=group.name)
        mark("ProtectionGroups", group.pk)
        try:
            group.delete()
        except ProtectedError as error:
            raise GroupInUse(group, error.protected_objects) from error


def _save(
    group: ProtectionGroup,
    *,
    tags: Mapping[str, str] | None,
    server_ids: Collection[UUID] | None,
    actor: Actor,
    what: str,
) -> ProtectionGroup:
    if bool(tags) == bool(server_ids):
        message = "Choose servers either by tags or one by one, and choose at least one."
        raise InvalidInput.field("selection", "tags_or_servers", message)
    group.selection = Selection.TAGS if tags else Selection.SERVERS
    group.tags = rules.checked(tags) if tags else {}
    try:
        with transaction.atomic():
            group.save()
            _set_members(group, server_ids or ())
            chosen = _must_hold_servers(group)
            record(
                f"protection.group.{what}",
                actor=actor,
                subject=group,
                name=group.name,
                account=group.account.account_id,
                region=group.region,
                tags=group.tags,
                servers=chosen,
            )
            mark("ProtectionGroups", group.pk)
    except IntegrityError as error:
        raise _in_words(error, group, server_ids or ()) from error
    return group


def _set_members(group: ProtectionGroup, server_ids: Collection[UUID]) -> None:
    wanted = set(server_ids)
    there = SourceServer.objects.filter(
        pk__in=wanted, account_id=group.account_id, region=group.region
    )
    if there.count() != len(wanted):
        message = f"A server is not in {group.account.account_id}/{group.region}, or unknown."
        raise InvalidInput.field("server_ids", "server_not_here", message)
    group.members.exclude(server_id__in=wanted).delete()
    kept = set(group.members.values_list("server_id", flat=True))
    GroupMember.objects.bulk_create(
        GroupMember(group=group, server_id=pk) for pk in sorted(wanted - kept)
    )


def _must_hold_servers(group: ProtectionGroup) -> list[str]:
    chosen = list(servers_chosen(group).values_list("server_id", flat=True))
    if not chosen:
        where = f"{group.account.account_id}/{group.region}"
        raise GroupIsEmpty(f"No known server in {where} has these tags.", tags=group.tags)
    return chosen


def _name(name: str) -> str:
    trimmed = name.strip()
    if not 1 <= len(trimmed) <= 64:  # noqa: PLR2004  # the field's own length
        raise InvalidInput.field("name", "invalid", "A name has 1 to 64 characters.")
    return trimmed


def _in_words(error: IntegrityError, group: ProtectionGroup, wanted: Collection[UUID]) -> Any:
    if "protection_group_name_is_unique" in str(error):
        return GroupNameTaken(group.name)
    if "protection_server_in_one_explicit_group" in str(error):
        held = GroupMember.objects.filter(server_id__in=wanted).exclude(group_id=group.pk)
        return ServerInAnotherGroup(held.values_list("server__name", "group__name"))
    return error
