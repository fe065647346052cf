"""Protection groups: making, editing, restoring and deleting them. Every change is a version."""

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
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
from protection.errors import (
    GroupChanged,
    GroupHeld,
    GroupInUse,
    GroupIsEmpty,
    GroupNameTaken,
    GroupsOverlap,
    InvalidName,
    InvalidServers,
    InvalidTags,
    MissingField,
    NoSuchVersion,
    ServerInAnotherGroup,
    TagsTaken,
)
from protection.models import (
    GroupMember,
    GroupVersion,
    ProtectionGroup,
    SourceServer,
    TargetAccount,
)
from protection.rules import selection as rules
from protection.selectors import servers_chosen, with_other_groups
from protection.services.holds import holders_of, must_not_be_held

# Who made a version that was there before versions were kept.
_UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A group as somebody wants it: of `tags` or of servers, whose inventory rows these are."""

    name: str
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] | None = None
    server_ids: Collection[UUID] | None = None
    allow_overlap: bool = False


def create(
    *,
    name: str,
    account: TargetAccount,
    region: str,
    tags: Mapping[str, str] | None = None,
    server_ids: Collection[UUID] | None = None,
    description: str = "",
    owner: str = "",
    allow_overlap: bool = False,
    actor: Actor,
) -> ProtectionGroup:
    """Make a group of either `tags` or servers (`server_ids` are ids of inventory rows).

    Raises InvalidInput, GroupIsEmpty, GroupNameTaken, TagsTaken, ServerInAnotherGroup and, unless
    `allow_overlap`, GroupsOverlap; then nothing is written.
    """
    if not is_drs_region(region):
        raise InvalidInput.field("region", "unknown_region", f"DRS has no Region {region}.")
    wanted = Wanted(name, description, owner, tags, server_ids, allow_overlap)
    with _one_at_a_time(account.pk):
        group = ProtectionGroup(account=account, region=region)
        return _save(group, wanted, actor=actor, what="created")


def edit(
    group: ProtectionGroup,
    *,
    name: str,
    tags: Mapping[str, str] | None = None,
    server_ids: Collection[UUID] | None = None,
    description: str = "",
    owner: str = "",
    allow_overlap: bool = False,
    version: int | None = None,
    actor: Actor,
) -> ProtectionGroup:
    """Change a group into its next version. With `version`, only if that is still its version.

    Account and Region are fixed. Raises what `create` raises, GroupChanged, and GroupHeld while
    something relies on the group as it is.
    """
    wanted = Wanted(name, description, owner, tags, server_ids, allow_overlap)
    with _one_at_a_time(group.account_id):
        group = _next(group, version)
        return _save(group, wanted, actor=actor, what="edited")


def amend(
    group: ProtectionGroup, *, version: int | None = None, actor: Actor, **changes: Any
) -> ProtectionGroup:
    """Change some of what `edit` takes, and leave the rest as it is. Raises what `edit` raises."""
    with _one_at_a_time(group.account_id):
        group = _next(group, version)
        if changes.get("tags") or changes.get("server_ids"):
            # A new choice takes the place of the old one, whichever way that was made.
            changes = {"tags": None, "server_ids": None} | changes
        wanted = replace(_as_it_is(group), **changes)
        return _save(group, wanted, actor=actor, what="edited")


def restore(
    group: ProtectionGroup,
    number: int,
    *,
    allow_overlap: bool = False,
    version: int | None = None,
    actor: Actor,
) -> ProtectionGroup:
    """Make a new version that says what version `number` said; that one stays in the history.

    It is checked as an edit is. What the old version allowed to overlap, it allows again. Raises
    what `edit` raises, and NoSuchVersion.
    """
    with _one_at_a_time(group.account_id):
        group = _next(group, version)
        old = group.versions.filter(number=number).first()
        if old is None:
            raise NoSuchVersion(group, number)
        wanted = _as_it_was(old.document)
        wanted = replace(wanted, allow_overlap=wanted.allow_overlap or allow_overlap)
        return _save(group, wanted, actor=actor, what="restored", from_version=number)


def delete(group: ProtectionGroup, *, actor: Actor) -> None:
    """Delete a group. Raises GroupInUse while a plan needs it, and GroupHeld."""
    with transaction.atomic():
        group = ProtectionGroup.objects.select_for_update().get(pk=group.pk)
        held = holders_of(group)
        record("protection.group.deleted", actor=actor, subject=group, name=group.name)
        mark("ProtectionGroups", group.pk)
        mark("LaunchConfigurations", *group.launch_settings.values_list("pk", flat=True))
        try:
            group.delete()
        except ProtectedError as error:
            raise GroupInUse(group, error.protected_objects) from error
        if held:
            raise GroupHeld(group, held)


def document(group: ProtectionGroup) -> dict[str, Any]:
    """What a group says, as its version keeps it. One query."""
    members = SourceServer.objects.filter(pk__in=group.members.values("server_id"))
    return {
        "name": group.name,
        "description": group.description,
        "owner": group.owner,
        "selection": str(group.selection),
        "tags": group.tags,
        "servers": [
            {"id": str(server.pk), "server_id": server.server_id, "name": server.name}
            for server in members.order_by("name", "id")
        ],
        "allows_overlap": group.allows_overlap,
    }


def checked_tags(tags: object) -> dict[str, str]:
    """`tags` if they can be a group's. Raises InvalidTags."""
    try:
        return rules.checked(tags)
    except InvalidInput as error:
        raise InvalidTags(error.detail, errors=error.errors) from error


def must_choose(tags: object, server_ids: object) -> None:
    """A choice is by tags or one by one. Raises InvalidInput for both, MissingField for none."""
    if bool(tags) == bool(server_ids):
        message = "Choose servers either by tags or one by one, and choose at least one."
        refusal = InvalidInput if tags else MissingField
        raise refusal.field("selection", "tags_or_servers", message)


@contextmanager
def _one_at_a_time(account_id: UUID) -> Iterator[None]:
    """A transaction in which no other group of the account is saved: two that begin to overlap at
    once would not see each other. Always the first lock, so that nobody waits in a circle.
    """
    with transaction.atomic():
        TargetAccount.objects.select_for_update(no_key=True).get(pk=account_id)
        yield


def _next(group: ProtectionGroup, version: int | None) -> ProtectionGroup:
    """The group as it is now, which nobody else changes meanwhile, numbered as its next version."""
    group = ProtectionGroup.objects.select_for_update().get(pk=group.pk)
    if version is not None and version != group.version:
        yours = group.versions.filter(number=version).first()
        raise GroupChanged(
            group,
            yours={"version": version, "document": yours.document if yours else None},
            current={"version": group.version, "document": document(group)},
        )
    must_not_be_held(group)
    if not group.versions.filter(number=group.version).exists():
        _keep(group, at=group.updated_at, by_id=None, by=_UNKNOWN)
    group.version += 1
    group.updated_at = timezone.now()
    return group


def _as_it_is(group: ProtectionGroup) -> Wanted:
    return Wanted(
        name=group.name,
        description=group.description,
        owner=group.owner,
        tags=group.tags or None,
        server_ids=list(group.members.values_list("server_id", flat=True)),
        allow_overlap=group.allows_overlap,
    )


def _as_it_was(said: Mapping[str, Any]) -> Wanted:
    return Wanted(
        name=said["name"],
        description=said["description"],
        owner=said["owner"],
        tags=said["tags"] or None,
        server_ids=[UUID(server["id"]) for server in said["servers"]],
        allow_overlap=said["allows_overlap"],
    )


def _save(
    group: ProtectionGroup, wanted: Wanted, *, actor: Actor, what: str, **facts: Any
) -> ProtectionGroup:
    _fill(group, wanted)
    server_ids = set(wanted.server_ids or ())
    try:
        with transaction.atomic():
            group.save()
            _set_members(group, server_ids)
            chosen = _must_hold_servers(group)
            shared = [row for row in chosen if row[2]]
            if shared and not group.allows_overlap:
                raise GroupsOverlap(shared)
            _keep(group, at=group.updated_at, by_id=actor.user_id, by=actor.name)
            record(
                f"protection.group.{what}",
                actor=actor,
                subject=group,
                name=group.name,
                version=group.version,
                account=group.account.account_id,
                region=group.region,
                tags=group.tags,
                servers=[server for _, server, _ in chosen],
                allows_overlap=group.allows_overlap,
                shared={server: groups for _, server, groups in shared},
                **facts,
            )
            mark("ProtectionGroups", group.pk)
    except IntegrityError as error:
        raise _in_words(error, group, server_ids) from error
    return group


def _fill(group: ProtectionGroup, wanted: Wanted) -> None:
    must_choose(wanted.tags, wanted.server_ids)
    group.name = _name(wanted.name)
    group.description = _fitting("description", wanted.description, most=1000)
    group.owner = _fitting("owner", wanted.owner, most=255)
    group.selection = Selection.TAGS if wanted.tags else Selection.SERVERS
    group.tags = checked_tags(wanted.tags) if wanted.tags else {}
    group.allows_overlap = wanted.allow_overlap


def _set_members(group: ProtectionGroup, wanted: set[UUID]) -> None:
    there = SourceServer.objects.filter(
        pk__in=wanted, account_id=group.account_id, region=group.region
    )
    if there.count() != len(wanted):
        message = f"A server is not in {group.account.account_id}/{group.region}, or unknown."
        raise InvalidServers.field("server_ids", "server_not_here", message)
    group.members.exclude(server_id__in=wanted).delete()
    kept = set(group.members.values_list("server_id", flat=True))
    GroupMember.objects.bulk_create(
        GroupMember(group=group, server_id=pk) for pk in sorted(wanted - kept)
    )


def _must_hold_servers(group: ProtectionGroup) -> Sequence[tuple[str, str, list[str]]]:
    """The name and the DRS id of each server that the group holds, and the other groups with it."""
    servers = with_other_groups(servers_chosen(group), besides=group.pk)
    chosen = list(servers.values_list("name", "server_id", "others"))
    if not chosen:
        where = f"{group.account.account_id}/{group.region}"
        raise GroupIsEmpty(f"No known server in {where} has these tags.", tags=group.tags)
    return chosen


def _keep(group: ProtectionGroup, *, at: datetime, by_id: int | None, by: str) -> None:
    GroupVersion.objects.create(
        group=group,
        number=group.version,
        document=document(group),
        created_at=at,
        created_by_id=by_id,
        created_by=by,
    )


def _name(name: str) -> str:
    trimmed = name.strip()
    if not trimmed:
        raise InvalidName.field("name", "blank", "A name has 1 to 64 characters.")
    if len(trimmed) > 64:  # noqa: PLR2004  # the field's own length
        raise InvalidName.field("name", "max_length", "A name has 1 to 64 characters.")
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} for letter in trimmed):
        message = "A name is one line of text, without control characters."
        raise InvalidName.field("name", "invalid", message)
    return trimmed


def _fitting(field: str, text: str, *, most: int) -> str:
    if len(text) > most:
        raise InvalidInput.field(field, "max_length", f"At most {most} characters.")
    return text


def _in_words(error: IntegrityError, group: ProtectionGroup, wanted: Collection[UUID]) -> Any:
    if "protection_group_name_is_unique" in str(error):
        return GroupNameTaken(group.name)
    if "protection_group_tags_are_unique" in str(error):
        same = ProtectionGroup.objects.filter(
            account_id=group.account_id, region=group.region, tags=group.tags
        )
        holder = same.exclude(pk=group.pk).first()
        return TagsTaken(group.tags, holder.name if holder else "that was there first")
    if "protection_server_in_one_explicit_group" in str(error):
        held = GroupMember.objects.filter(server_id__in=wanted).exclude(group_id=group.pk)
        return ServerInAnotherGroup(held.values_list("server__name", "group__name"))
    return error
