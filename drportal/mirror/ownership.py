"""Whose the tables are: two portals that write to the same ones would destroy each other's copy.

The table `Portal` holds one item, `owner`, with the identity of the portal that may write. A
portal notes its own there when nobody's is; it never takes the place of another by itself, however
long nothing was heard of that one: what a lost portal left is what it will be restored from.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

from drportal.aws.dynamodb import DynamoTables, Table
from drportal.mirror.attributes import moment
from drportal.mirror.errors import HeldByAnotherPortal
from drportal.mirror.models import Installation, OutboxEntry

KEY: Final = "owner"
# The row is written this often at most while nothing changes.
_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Holder:
    """The portal that holds the tables, and when it was last heard of, as it said."""

    identity: str
    heard_at: str

    def __str__(self) -> str:
        return f"portal {self.identity}, last heard of at {self.heard_at or 'an unknown time'}"


def portal_table() -> Table:
    """The table of the owner's item, under its full name."""
    return Table(f"{settings.MIRROR_TABLE_PREFIX}Portal", "portal")


def installation() -> Installation:
    """This portal's row, made at the first call."""
    return Installation.objects.get_or_create(pk=1)[0]


def another_holder(tables: DynamoTables, *, wrest: bool = False) -> Holder | None:
    """Hold the tables. Returns None if they are ours now, else who holds them.

    One call to AWS, and a second one if they are another's. Raises AwsError.
    """
    ours = installation()
    at = moment(timezone.now()) or ""
    held = tables.hold(portal_table(), KEY, holder=str(ours.identity), at=at, wrest=wrest)
    if held is None:
        _note_held(ours)
        return None
    holder = Holder(str(held.get("holder", "unknown")), str(held.get("heardAt", "")))
    _note_refused(holder)
    return holder


def must_hold(tables: DynamoTables) -> None:
    """Raises HeldByAnotherPortal unless the tables are ours now, and AwsError."""
    holder = another_holder(tables)
    if holder is not None:
        raise HeldByAnotherPortal(holder)


def wrest(tables: DynamoTables) -> None:
    """Take the tables, whoever's they are; what waits is sent at the next drain."""
    another_holder(tables, wrest=True)
    OutboxEntry.objects.filter(leased_until=None).update(due_at=timezone.now())


def _note_held(ours: Installation) -> None:
    now = timezone.now()
    if ours.refused_at or ours.held_at is None or ours.held_at < now - _NOTED_EVERY:
        Installation.objects.filter(pk=ours.pk).update(
            held_at=now, refused_at=None, holder="", holder_heard_at=""
        )


def _note_refused(holder: Holder) -> None:
    row = Installation.objects.filter(pk=1)
    row.filter(refused_at=None).update(refused_at=timezone.now())
    row.update(holder=holder.identity[:64], holder_heard_at=holder.heard_at[:40])
