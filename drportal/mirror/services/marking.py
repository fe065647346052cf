from uuid import UUID

from django.db import connection
from django.utils import timezone

from drportal.transactions import must_be_in_transaction

# An entry per object and transaction: nothing here waits for another transaction, so services may
# mark in any order without two of them blocking each other until PostgreSQL ends one.
_MARK = """
    INSERT INTO mirror_outboxentry
           (kind, object_id, transaction, version, due_at, attempts, last_error, behind_since)
    SELECT %(kind)s, object_id, pg_current_xact_id()::text::bigint, 0, %(now)s, 0, '', %(now)s
      FROM unnest(%(ids)s::text[]) AS object_id
    ON CONFLICT (kind, object_id, transaction) DO NOTHING
"""


def mark(kind: str, *object_ids: UUID | int | str) -> None:
    """Note, in the caller's transaction, that DynamoDB is behind on these objects.

    `kind` is the table's name without its prefix, such as "ProtectionGroups". One statement for
    any number of objects; marks of one object coalesce. Raises RuntimeError outside a transaction.
    """
    must_be_in_transaction("mark()")
    ids = sorted({str(object_id) for object_id in object_ids})
    if not ids:
        return
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"kind": kind, "ids": ids, "now": timezone.now()})
