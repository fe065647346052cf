"""An empty portal, in the same test: everything configured is gone, the schedule stands."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection, transaction

from protection.models import (
    LaunchSettings,
    ProtectionGroup,
    SourceServer,
    StagingAccount,
    TagSyncSettings,
    TargetAccount,
)
from recovery.models import ImportRun, RecoveryPlan

_TABLES = (
    RecoveryPlan,
    ImportRun,
    ProtectionGroup,
    LaunchSettings,
    StagingAccount,
    SourceServer,
    TargetAccount,
    TagSyncSettings,
)


def empty_the_portal() -> None:
    names = ", ".join(model._meta.db_table for model in _TABLES)
    with connection.cursor() as cursor:
        # What waits to be checked at the end of the transaction is checked now.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
        cursor.execute(f"TRUNCATE {names} CASCADE")


@contextmanager
def undone() -> Iterator[None]:
    """One example of a property, in a portal as it is set up: its rows are not the next one's."""
    with transaction.atomic():
        call_command("sync_schedules", stdout=io.StringIO())
        yield
        transaction.set_rollback(True)
