"""Holds: what keeps a group as it is while something above relies on it.

Protection does not know what that is. Whoever holds names itself, and lets go again.
"""

from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from drportal.transactions import must_be_in_transaction
from protection.errors import GroupHeld
from protection.models import GroupHold, ProtectionGroup


def hold(groups: QuerySet[ProtectionGroup], *, holder_id: UUID, holder: str) -> None:
    """Hold `groups` until they are released, in the transaction of what needs them.

    An edit under way is waited for, so that whoever reads the groups from here on in this
    transaction reads what stays. Holding again changes nothing.
    """
    must_be_in_transaction("hold()")
    # In one order for everybody, so that two that begin at once cannot deadlock.
    locked = groups.order_by("pk").select_for_update(of=("self",), no_key=True)
    GroupHold.objects.bulk_create(
        (GroupHold(group=group, holder_id=holder_id, holder=holder[:255]) for group in locked),
        ignore_conflicts=True,
    )


def release(*, holder_id: UUID, groups: QuerySet[ProtectionGroup] | None = None) -> None:
    """Let go of `groups`, or of all that `holder_id` holds. Releasing again changes nothing."""
    must_be_in_transaction("release()")
    held = GroupHold.objects.filter(holder_id=holder_id, released_at=None)
    if groups is not None:
        held = held.filter(group__in=groups.order_by())
    held.update(released_at=timezone.now())


def holders_of(group: ProtectionGroup) -> list[str]:
    """Who holds the group now, first come first."""
    held = group.holds.filter(released_at=None).order_by("held_at", "id")
    return list(held.values_list("holder", flat=True))


def must_not_be_held(group: ProtectionGroup) -> None:
    """Raises GroupHeld, which names the holders. The caller has locked `group`."""
    holders = holders_of(group)
    if holders:
        raise GroupHeld(group, holders)


def holds_still(group: ProtectionGroup, holder_id: UUID) -> bool:
    """Whether `holder_id` holds the group now."""
    return group.holds.filter(holder_id=holder_id, released_at=None).exists()
