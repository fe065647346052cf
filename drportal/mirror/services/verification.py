from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from drportal.aws.dynamodb import DynamoTables, Item
from drportal.mirror.models import OutboxEntry
from drportal.mirror.ownership import installation
from drportal.mirror.packing import digest, told
from drportal.mirror.projections import DELETED, Projection, all_projections
from drportal.mirror.selectors import standing
from drportal.mirror.services.marking import mark
from drportal.transactions import reaches_outside

_CHUNK = 100


class What(StrEnum):
    """How the two sides differ."""

    MISSING = "MISSING"  # the database has it, the table does not
    EXTRA = "EXTRA"  # the table has it, the database does not
    DIFFERENT = "DIFFERENT"
    NO_TABLE = "NO_TABLE"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object on which the two sides differ though nothing is on its way.

    `attributes` names what is DIFFERENT in its item.
    """

    kind: str
    what: What
    object_id: str = ""
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """Whether DynamoDB says what the database says.

    `behind` is how many objects wait in the outbox; on these nothing is said. `compared` is how
    many objects the database has, by kind.
    """

    behind: int
    differences: list[Difference]
    compared: dict[str, int] = field(default_factory=dict)


@reaches_outside
def verify() -> VerifyResult:
    """Compare every object of the database with its item, and every item with its object.

    The portal may go on working meanwhile: what looks different is looked at again, and what
    changes between the looks counts as on its way. Raises AwsError.
    """
    tables = DynamoTables.of_hub(settings.MIRROR_REGION)
    differences: list[Difference] = []
    compared: dict[str, int] = {}
    for projection in all_projections():
        if tables.status(projection.table().name) is None:
            differences.append(Difference(projection.kind, What.NO_TABLE))
            continue
        suspects, compared[projection.kind] = _suspects(tables, projection)
        differences += _confirmed(tables, projection, suspects)
    _note(differences)
    return VerifyResult(standing().behind, differences, compared)


def _note(differences: Sized) -> None:
    ours = installation()
    ours.verified_at, ours.differences = timezone.now(), len(differences)
    ours.save(update_fields=["verified_at", "differences"])


def repair(differences: Iterable[Difference]) -> int:
    """Mark the objects that differ, so that the next drain sends them. Returns how many."""
    wanted = sorted(
        (difference.kind, difference.object_id)
        for difference in differences
        if difference.what is not What.NO_TABLE
    )
    with transaction.atomic():
        for kind, pairs in groupby(wanted, key=lambda pair: pair[0]):
            mark(kind, *(object_id for _, object_id in pairs))
    return len(wanted)


def _suspects(tables: DynamoTables, projection: Projection) -> tuple[list[str], int]:
    held = {
        str(item[projection.key]): digest(item, leaving_out=projection.passing)
        for item in tables.items(projection.table())
        if not item.get(DELETED)
    }
    suspects, count = [], 0
    for ids in projection.object_ids():
        for object_id, item in projection.items(ids).items():
            count += 1
            if held.pop(object_id, None) != digest(item, leaving_out=projection.passing):
                suspects.append(object_id)
    return [*suspects, *held], count


def _confirmed(
    tables: DynamoTables, projection: Projection, suspects: list[str]
) -> Iterator[Difference]:
    for start in range(0, len(suspects), _CHUNK):
        ids = suspects[start : start + _CHUNK]
        # In this order. What was committed before the first look and is not on its way any more
        # is in the table by now; what is committed later shows in the second look.
        before = projection.items(ids)
        behind = set(
            OutboxEntry.objects.filter(kind=projection.kind, object_id__in=ids).values_list(
                "object_id", flat=True
            )
        )
        held = {i: tables.item(projection.table(), i) for i in ids if i not in behind}
        after = projection.items(list(held))
        for object_id, item in held.items():
            if before.get(object_id) == after.get(object_id):
                yield from _difference(projection, object_id, after.get(object_id), item)


def _difference(
    projection: Projection, object_id: str, wanted: Item | None, held: Item | None
) -> Iterator[Difference]:
    if held is not None and held.get(DELETED):
        held = None
    if wanted is None or held is None:
        if wanted is not held:
            what = What.MISSING if held is None else What.EXTRA
            yield Difference(projection.kind, what, object_id)
        return
    ours, theirs = (told(item, leaving_out=projection.passing) for item in (wanted, held))
    names = [n for n in ours.keys() | theirs.keys() if ours.get(n, ...) != theirs.get(n, ...)]
    if names:
        yield Difference(projection.kind, What.DIFFERENT, object_id, tuple(sorted(names)))
