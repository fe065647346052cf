import time

from django.conf import settings

from drportal.aws.dynamodb import DynamoTables, Table
from drportal.aws.errors import AwsError
from drportal.mirror.errors import TableHasAnotherKey
from drportal.mirror.ownership import portal_table
from drportal.mirror.projections import all_projections
from drportal.transactions import reaches_outside

# DynamoDB answers this for some seconds after a table has become ACTIVE (botocore model).
_NOT_YET = "ContinuousBackupsUnavailableException"
_POLL_SECONDS = 1


@reaches_outside
def make_tables(*, within: float = 120) -> list[str]:
    """Make the tables that are missing, wait until all are ACTIVE, and protect them.

    Returns the names of those that were missing. May be repeated. Raises AwsError, also when a
    table is not ready after `within` seconds, and TableHasAnotherKey.
    """
    tables = DynamoTables.of_hub(settings.MIRROR_REGION)
    wanted = [portal_table(), *(projection.table() for projection in all_projections())]
    missing = [table for table in wanted if not _exists(tables, table)]
    for table in missing:
        tables.create(table)
    deadline = time.monotonic() + within
    for table in wanted:
        tables.wait_until_active(table.name, within=max(0, deadline - time.monotonic()))
        _protect(tables, table, deadline)
    return [table.name for table in missing]


def _exists(tables: DynamoTables, table: Table) -> bool:
    key = tables.key_of(table.name)
    if key and key != [table.key]:
        raise TableHasAnotherKey(table.name, key=key, wanted=table.key)
    return bool(key)


def _protect(tables: DynamoTables, table: Table, deadline: float) -> None:
    while True:
        try:
            return tables.protect(table)
        except AwsError as error:
            if error.context["aws_code"] != _NOT_YET or time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS)
