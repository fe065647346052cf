"""What holds a question to reading."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def read_only() -> Iterator[None]:
    """A transaction that PostgreSQL itself lets write nothing: a write in it raises
    InternalError. It sees one state of the database from its first query on.

    It is the outermost one, else it raises RuntimeError: inside another, what that one wrote
    before would be let through. AWS is not asked in it, and a read is recorded after it.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
        yield
