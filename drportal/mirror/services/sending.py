import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from drportal.aws.dynamodb import BATCH, TTL_ATTRIBUTE, DynamoTables, Item
from drportal.aws.errors import AwsError, Failure
from drportal.mirror import leases, ownership
from drportal.mirror.errors import HeldByAnotherPortal
from drportal.mirror.leases import Leased
from drportal.mirror.packing import packed
from drportal.mirror.projections import (
    DELETED,
    NO_VERSION,
    VERSION,
    NoProjection,
    Projection,
    Style,
    projection_of,
)
from drportal.mirror.services.marking import mark
from drportal.observability import checkpoint
from drportal.transactions import reaches_outside

DRAIN_TIME = timedelta(seconds=20)
# What stands for a deleted object stays for longer than any send can be late.
TOMBSTONE_TIME = timedelta(days=7)
# Where waiting helps, nobody waits long after DynamoDB is back.
_LONGEST_WHILE_AWAY = timedelta(seconds=30)
_AWAY = frozenset(
    {Failure.UNREACHABLE, Failure.TIMED_OUT, Failure.CONNECTION_LOST, Failure.CREDENTIALS}
)


@dataclass(frozen=True, slots=True)
class Drained:
    """What one drain did: how many objects it sent, and how many it put off."""

    sent: int = 0
    postponed: int = 0


@dataclass(slots=True)
class _Round:
    """One lot of leased objects, and what became of them."""

    sent: int = 0
    postponed: int = 0
    away: bool = False

    def failed(self, entries: Sequence[Leased], error: AwsError) -> None:
        longest = _LONGEST_WHILE_AWAY if error.passing else leases.LONGEST_DELAY
        leases.postpone(entries, error.detail, longest=longest)
        self.postponed += len(entries)
        self.away = self.away or error.failure in _AWAY

    def refused(self, entries: Sequence[Leased], error: HeldByAnotherPortal) -> None:
        leases.postpone(entries, error.detail, longest=_LONGEST_WHILE_AWAY)
        self.postponed += len(entries)
        self.away = True

    def unfit(self, entries: Sequence[Leased], why: str) -> None:
        leases.postpone(entries, why)
        self.postponed += len(entries)


@reaches_outside
def drain(*, within: timedelta = DRAIN_TIME, limit: int = 100) -> Drained:
    """Send what is due, longest due first, until nothing is or the time is up.

    Any number of drains may run at once. What AWS does not take is put off, object by object,
    and says why in the outbox; no AwsError gets out. While the tables are another portal's,
    nothing is sent, and the outbox says so.
    """
    ends = time.monotonic() + within.total_seconds()
    sent = postponed = 0
    tables = None
    while time.monotonic() < ends:
        entries = leases.take(limit)
        if not entries:
            break
        checkpoint("mirror.leased", entries=len(entries))
        done = _Round()
        tables = tables or _our_tables(entries, done)
        if tables is not None:
            _send(tables, entries, done)
        sent, postponed = sent + done.sent, postponed + done.postponed
        if done.away or tables is None:
            break
    return Drained(sent, postponed)


@reaches_outside
def drain_all() -> Drained:
    """Drain until nothing more is due."""
    sent = postponed = 0
    while (done := drain()).sent:
        sent, postponed = sent + done.sent, postponed + done.postponed
    return Drained(sent, postponed + done.postponed)


@reaches_outside
def take_over() -> None:
    """Make the tables ours, whoever's they are: the other portal sends nothing any more.

    What waits here is due at once. Raises AwsError.
    """
    ownership.wrest(DynamoTables.of_hub(settings.MIRROR_REGION))


def _our_tables(entries: list[Leased], done: _Round) -> DynamoTables | None:
    """The tables, or None if they cannot be asked, or are another portal's; then `entries` wait."""
    try:
        tables = DynamoTables.of_hub(settings.MIRROR_REGION)
        ownership.must_hold(tables)
    except AwsError as error:
        done.failed(entries, error)
    except HeldByAnotherPortal as error:
        done.refused(entries, error)
    else:
        return tables
    return None


def _send(tables: DynamoTables, entries: list[Leased], done: _Round) -> None:
    waiting: dict[str, list[Leased]] = defaultdict(list)
    for entry in entries:
        waiting[entry.kind].append(entry)
    while waiting:
        kind, lot = waiting.popitem()
        try:
            _send_kind(tables, kind, lot, done)
        except BaseException as error:
            # A bug in a projection, or the worker is stopping: neither may hold up the rest.
            leases.postpone(lot, type(error).__name__)
            leases.release([entry for rest in waiting.values() for entry in rest])
            raise


def _send_kind(tables: DynamoTables, kind: str, entries: list[Leased], done: _Round) -> None:
    try:
        projection = projection_of(kind)
    except NoProjection as error:
        done.unfit(entries, str(error))
        return
    with _one_snapshot():
        items = projection.items([entry.object_id for entry in entries])
    checkpoint("mirror.built", kind=kind)
    at_once = BATCH if projection.style is Style.BATCH else 1
    parts = deque(entries[i : i + at_once] for i in range(0, len(entries), at_once))
    while parts:
        part = parts.popleft()
        try:
            sent = _send_part(tables, projection, part, items, done)
        except AwsError as error:
            if error.failure is not Failure.INVALID:
                done.failed([*part, *(entry for rest in parts for entry in rest)], error)
                return
            if len(part) == 1:
                done.failed(part, error)
            # One item that DynamoDB refuses must not keep the others of its batch away.
            parts.extendleft([entry] for entry in part if len(part) > 1)
        else:
            checkpoint("mirror.sent", kind=kind)
            _settle(projection, sent)
            done.sent += len(sent)


def _send_part(
    tables: DynamoTables,
    projection: Projection,
    part: list[Leased],
    items: dict[str, Item],
    done: _Round,
) -> list[Leased]:
    if projection.style is Style.CONTROL:
        return [e for e in part if _put(tables, projection, e, items.get(e.object_id), done)]
    return _write_batch(tables, projection, part, items, done)


def _put(
    tables: DynamoTables,
    projection: Projection,
    entry: Leased,
    item: Item | None,
    done: _Round,
) -> bool:
    """Send one item under its version. A deleted object gets a tombstone.

    Without it there would be nothing that an old put of the object, still under way, could lose
    against.
    """
    if item is None:
        gone_at = int((timezone.now() + TOMBSTONE_TIME).timestamp())
        item = {projection.key: entry.object_id, DELETED: True, TTL_ATTRIBUTE: gone_at}
    versioned = packed(item) | {VERSION: entry.version}
    seen = tables.put_newer(projection.table(), versioned, version=VERSION)
    if seen is None:
        return True
    if entry.version < seen < NO_VERSION:
        leases.outbid(entry, seen)
    else:
        done.unfit([entry], "the table holds something under this key that the mirror did not put")
    return False


def _write_batch(
    tables: DynamoTables,
    projection: Projection,
    part: list[Leased],
    items: dict[str, Item],
    done: _Round,
) -> list[Leased]:
    versions = {entry.object_id: entry.version for entry in part}
    puts = [packed(items[i]) | {VERSION: version} for i, version in versions.items() if i in items]
    deletes = [object_id for object_id in versions if object_id not in items]
    undone = tables.write_batch(projection.table(), puts, deletes)
    done.unfit([e for e in part if e.object_id in undone], "DynamoDB was busy with its batch")
    return [e for e in part if e.object_id not in undone]


def _settle(projection: Projection, sent: list[Leased]) -> None:
    late = leases.settle(sent)
    if late and projection.style is Style.BATCH:
        # Another sender took over while we were slow, and what we sent has no condition: it may
        # have replaced something newer. So it is sent once more.
        with transaction.atomic():
            mark(projection.kind, *(entry.object_id for entry in late))


@contextmanager
def _one_snapshot() -> Iterator[None]:
    """Everything read inside is as of one moment, so that no item is half old and half new."""
    if connection.in_atomic_block:  # a test case's: PostgreSQL takes this as a first word only
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield
