from django.conf import settings
from django.db import transaction

from drportal.aws.dynamodb import DynamoTables
from drportal.mirror.projections import DELETED, Projection, all_projections
from drportal.mirror.services.marking import mark
from drportal.transactions import reaches_outside

_CHUNK = 500


@reaches_outside
def resync() -> dict[str, int]:
    """Mark every object of the database, and every item whose object it does not have, to be sent.

    In chunks, each in a transaction of its own, so that it may be stopped and repeated. Returns
    how many were marked, by kind. Raises AwsError; then what was marked until then stays so.
    """
    tables = DynamoTables.of_hub(settings.MIRROR_REGION)
    return {
        projection.kind: _mark_objects(projection) + _mark_leftovers(tables, projection)
        for projection in all_projections()
    }


def _mark_objects(projection: Projection) -> int:
    count = 0
    for ids in projection.object_ids():
        with transaction.atomic():
            mark(projection.kind, *ids)
        count += len(ids)
    return count


def _mark_leftovers(tables: DynamoTables, projection: Projection) -> int:
    """Mark what the table has and the database has not: sent, it is deleted there."""
    count, chunk = 0, list[str]()
    for item in tables.items(projection.table()):
        if not item.get(DELETED):
            chunk.append(str(item[projection.key]))
        if len(chunk) == _CHUNK:
            count, chunk = count + _mark_missing(projection, chunk), []
    return count + _mark_missing(projection, chunk)


def _mark_missing(projection: Projection, ids: list[str]) -> int:
    there = projection.known(ids)
    missing = [object_id for object_id in ids if object_id not in there]
    with transaction.atomic():
        mark(projection.kind, *missing)
    return len(missing)
