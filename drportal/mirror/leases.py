"""Who sends an outbox entry: a lease, because a lock would be held while AWS answers."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from drportal.mirror.models import OutboxEntry

# How long the entries of a worker that died wait. A sender that is slower than this does no harm.
LEASE = timedelta(seconds=30)
LONGEST_DELAY = timedelta(minutes=5)
_LONGEST_ERROR = 1000

_TAKE = """
    UPDATE mirror_outboxentry
       SET leased_until = %(until)s, version = nextval('mirror_sequence')
     WHERE id = ANY(%(ids)s)
 RETURNING id, version
"""
_LIFT = """
    SELECT setval('mirror_sequence', %(above)s)
     WHERE %(seen)s > (SELECT last_value FROM mirror_sequence)
"""
# nextval() takes no lock that a lift could wait for. So a lift goes so far beyond what it saw that
# no numbers drawn meanwhile reach it; and one lift waits for another.
_MARGIN = 1_000_000
_LIFT_LOCK = 0x6D6972726F72


def take(limit: int) -> list[OutboxEntry]:
    """Lease what is due and free, longest due first. Each entry gets a version of its own.

    The version is drawn while the row is locked, and the object is read after that. So of two
    sends of an object, the one with the higher version saw everything that was committed before
    it was leased.
    """
    now = timezone.now()
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    with transaction.atomic():
        due = OutboxEntry.objects.filter(free, due_at__lte=now).order_by("due_at", "id")
        entries = list(due.select_for_update(skip_locked=True)[:limit])
        if not entries:
            return []
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, {"until": now + LEASE, "ids": [entry.pk for entry in entries]})
            versions: dict[int, int] = dict(cursor.fetchall())
    for entry in entries:
        entry.version, entry.leased_until = versions[entry.pk], now + LEASE
    return entries


def settle(entries: Collection[OutboxEntry]) -> list[OutboxEntry]:
    """These were sent. Clear them, but leave those that were marked again meanwhile due at once.

    Returns those whose lease had passed to another sender by the time they were sent.
    """
    if not entries:
        return []
    now = timezone.now()
    with transaction.atomic():
        held = {
            row.pk: row
            for row in OutboxEntry.objects.filter(_ours(entries)).select_for_update().order_by("pk")
        }
        seen = {entry.pk: entry.sequence for entry in entries}
        done = [pk for pk, row in held.items() if row.sequence == seen[pk]]
        OutboxEntry.objects.filter(pk__in=done).delete()
        # Everything up to our reading has been sent; what is newer was marked after it.
        OutboxEntry.objects.filter(pk__in=held.keys() - set(done)).update(
            leased_until=None, due_at=now, attempts=0, last_error="", behind_since=now
        )
    return [entry for entry in entries if entry.pk not in held]


def postpone(
    entries: Collection[OutboxEntry], error: str, *, longest: timedelta = LONGEST_DELAY
) -> None:
    """These could not be sent: try each again after twice as long as the last time.

    No entry waits longer than `longest`.
    """
    now = timezone.now()
    for attempts in {entry.attempts for entry in entries}:
        alike = [entry for entry in entries if entry.attempts == attempts]
        OutboxEntry.objects.filter(_ours(alike)).update(
            leased_until=None,
            due_at=now + min(delay(attempts), longest),
            attempts=F("attempts") + 1,
            last_error=error[:_LONGEST_ERROR],
        )


def release(entries: Collection[OutboxEntry]) -> None:
    """These were not tried after all: whoever comes next may."""
    if entries:
        OutboxEntry.objects.filter(_ours(entries)).update(leased_until=None)


def outbid(entry: OutboxEntry, seen: int) -> None:
    """DynamoDB holds the object under the higher version `seen`. Draw higher ones from now on.

    If another sender put it, our lease is gone and nothing is left to do. If our lease stands, the
    version is from before the database was restored to an earlier time: send again.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LIFT_LOCK])
        cursor.execute(_LIFT, {"seen": seen, "above": seen + _MARGIN})
    OutboxEntry.objects.filter(_ours([entry])).update(leased_until=None, due_at=timezone.now())


def delay(attempts: int) -> timedelta:
    """How long an entry waits after that many failed attempts: 1 s, 2 s, 4 s ... 5 minutes."""
    return min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_DELAY)


def _ours(entries: Collection[OutboxEntry]) -> Q:
    # No two leases have the same version.
    versions: list[Any] = [entry.version for entry in entries]
    return Q(pk__in=[entry.pk for entry in entries], version__in=versions)
