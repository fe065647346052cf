"""Who sends an object: a lease, because a lock would be held while AWS answers."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from drportal.mirror.models import OutboxEntry

# How long the objects of a worker that died wait. A sender that is slower than this does no harm.
LEASE = timedelta(seconds=30)
LONGEST_DELAY = timedelta(minutes=5)
_LONGEST_ERROR = 1000

# One lease is given out at a time, so that a later one has the higher version, and that no two
# hold entries of the same object.
_TAKE_LOCK = 0x6D6972726F01
_TAKE = """
    WITH head AS (
        SELECT kind, object_id, due_at
          FROM mirror_outboxentry AS entry
         WHERE due_at <= %(now)s
           AND NOT EXISTS (
               SELECT FROM mirror_outboxentry AS held
                WHERE held.kind = entry.kind AND held.object_id = entry.object_id
                  AND held.leased_until > %(now)s)
         ORDER BY due_at, id
         LIMIT %(rows)s
    ), due AS (
        SELECT kind, object_id FROM head
         GROUP BY kind, object_id ORDER BY min(due_at) LIMIT %(limit)s
    ), numbered AS MATERIALIZED (
        SELECT kind, object_id, nextval('mirror_sequence') AS version FROM due
    )
    UPDATE mirror_outboxentry AS entry
       SET leased_until = %(until)s, version = numbered.version
      FROM numbered
     WHERE entry.kind = numbered.kind AND entry.object_id = numbered.object_id
 RETURNING entry.kind, entry.object_id, entry.version, entry.id, entry.attempts
"""
_ROWS_PER_OBJECT = 20

_LIFT = """
    SELECT setval('mirror_sequence', %(above)s)
     WHERE %(seen)s > (SELECT last_value FROM mirror_sequence)
"""
# nextval() takes no lock that a lift could wait for. So a lift goes so far beyond what it saw that
# no numbers drawn meanwhile reach it; and one lift waits for another.
_MARGIN = 1_000_000
_LIFT_LOCK = 0x6D6972726F02


@dataclass(frozen=True, slots=True)
class Leased:
    """An object to be sent, under the version of its lease, and the entries that ask for it."""

    kind: str
    object_id: str
    version: int
    entries: frozenset[int]
    attempts: int


def take(limit: int) -> list[Leased]:
    """Lease up to `limit` objects that are due and free, longest due first.

    The object is read after this. So of two sends of an object, the one with the higher version
    saw everything that was committed before it was leased.
    """
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TAKE_LOCK])
        bounds = {"limit": limit, "rows": limit * _ROWS_PER_OBJECT}
        cursor.execute(_TAKE, {"now": now, "until": now + LEASE, **bounds})
        rows = cursor.fetchall()
    found: dict[tuple[str, str, int], dict[int, int]] = defaultdict(dict)
    for kind, object_id, version, entry, attempts in rows:
        found[kind, object_id, version][entry] = attempts
    return [Leased(*key, frozenset(held), max(held.values())) for key, held in found.items()]


def settle(sent: Collection[Leased]) -> list[Leased]:
    """These were sent: clear the entries that asked for it. Later ones stay.

    Returns those whose lease had passed to another sender by then.
    """
    with transaction.atomic():
        held = _held(sent)
        OutboxEntry.objects.filter(pk__in=held).delete()
    return [leased for leased in sent if not leased.entries & held.keys()]


def postpone(failed: Collection[Leased], error: str, *, longest: timedelta = LONGEST_DELAY) -> None:
    """These could not be sent: try each again after twice as long as the last time.

    None waits longer than `longest`.
    """
    now = timezone.now()
    with transaction.atomic():
        held = _held(failed)
        for attempts in {leased.attempts for leased in failed}:
            alike = [leased for leased in failed if leased.attempts == attempts]
            entries = {pk for leased in alike for pk in leased.entries}
            OutboxEntry.objects.filter(pk__in=entries & held.keys()).update(
                leased_until=None,
                due_at=now + min(delay(attempts), longest),
                attempts=attempts + 1,
                last_error=error[:_LONGEST_ERROR],
            )


def release(untried: Collection[Leased]) -> None:
    """These were not tried after all: whoever comes next may."""
    with transaction.atomic():
        OutboxEntry.objects.filter(pk__in=_held(untried)).update(leased_until=None)


def outbid(leased: Leased, seen: int) -> None:
    """DynamoDB holds the object under the higher version `seen`. Draw higher ones from now on.

    If another sender put it, our lease is gone and nothing is left to do. If our lease stands, the
    version is from before the database was restored to an earlier time: send again.
    """
    lift(seen)
    release([leased])


def lift(seen: int) -> None:
    """Draw versions above `seen` from now on."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LIFT_LOCK])
        cursor.execute(_LIFT, {"seen": seen, "above": seen + _MARGIN})


def delay(attempts: int) -> timedelta:
    """How long an object waits after that many failed attempts: 1 s, 2 s, 4 s ... 5 minutes."""
    return min(timedelta(seconds=2 ** min(attempts, 10)), LONGEST_DELAY)


def _held(leases: Collection[Leased]) -> dict[int, int]:
    """Those entries that are still under these leases, locked, in one order for everybody.

    Must run in a transaction. No two leases have the same version.
    """
    entries = {pk: leased.version for leased in leases for pk in leased.entries}
    rows = OutboxEntry.objects.filter(pk__in=entries).select_for_update().order_by("pk")
    return {row.pk: row.version for row in rows if row.version == entries[row.pk]}
