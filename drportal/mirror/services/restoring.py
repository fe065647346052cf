"""Rebuilding a lost portal: from the tables into an empty database.

Every table is read whole into files before a row is written, so that nothing is written unless
all could be read, AWS is not waited for in a transaction, and memory does not grow with the tables.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from django.apps import apps
from django.conf import settings
from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils import timezone

from drportal.aws.dynamodb import DynamoTables, Item
from drportal.mirror import leases, ownership
from drportal.mirror.errors import DatabaseIsNotEmpty, ItemNotUnderstood, NotAllRestored
from drportal.mirror.models import Installation, OutboxEntry
from drportal.mirror.packing import unpacked
from drportal.mirror.projections import DELETED, NO_VERSION, VERSION, Projection, all_projections
from drportal.mirror.rows import Restoration
from drportal.transactions import reaches_outside


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore read from each table, how many rows it wrote of each model, and what it had
    to leave out, in sentences.
    """

    items: dict[str, int]
    written: dict[str, int]
    left_out: list[str]


@reaches_outside
def restore(
    *,
    take_over: bool = False,
    accept_losses: bool = False,
    conclude: Callable[[Restored], None] = lambda _: None,
) -> Restored:
    """Fill an empty database from the tables, in one transaction; `conclude` is called at its end.

    With `take_over`, the tables are made this portal's first, whoever's they are.
    Raises DatabaseIsNotEmpty, HeldByAnotherPortal, AwsError when a table cannot be read to its
    end, ItemNotUnderstood, and NotAllRestored unless losses are accepted. Then nothing is written.
    """
    must_be_empty()
    tables = DynamoTables.of_hub(settings.MIRROR_REGION)
    if take_over:
        ownership.wrest(tables)
    ownership.must_hold(tables)
    with TemporaryDirectory(prefix="drportal-restore-") as folder:
        spool = _Spool(Path(folder))
        for projection in all_projections():
            spool.take(projection, tables)
        with transaction.atomic(durable=True):
            return _fill(spool, accept_losses=accept_losses, conclude=conclude)


def must_be_empty() -> None:
    """Raises DatabaseIsNotEmpty if there is what a restore would write, or an outbox entry."""
    held = [
        projection.kind
        for projection in all_projections()
        if not projection.preset and projection.rows().exists()
    ]
    if OutboxEntry.objects.exists():
        held.append("an outbox with entries")
    if held:
        raise DatabaseIsNotEmpty(held)


class _Spool:
    """The items of all tables, in files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.items: dict[str, int] = {}
        self.version = 0  # the highest that any table holds

    def take(self, projection: Projection, tables: DynamoTables) -> None:
        """Read a table to its end. What stands for deleted objects is passed over."""
        count = 0
        with self._path(projection).open("w") as file:
            for stored in tables.items(projection.table()):
                self._note_version(projection, stored)
                if stored.get(DELETED):
                    continue
                file.write(json.dumps(unpacked(stored)) + "\n")
                count += 1
        self.items[projection.kind] = count

    def read(self, projection: Projection) -> Iterator[Item]:
        with self._path(projection).open() as file:
            for line in file:
                yield json.loads(line)

    def _note_version(self, projection: Projection, item: Item) -> None:
        version, key = item.get(VERSION), item.get(projection.key)
        if not isinstance(key, str) or not isinstance(version, int):
            why = "the mirror did not write this item"
            raise ItemNotUnderstood(projection.kind, str(key), why)
        if version < NO_VERSION:
            self.version = max(self.version, version)

    def _path(self, projection: Projection) -> Path:
        return self._folder / f"{projection.kind}.jsonl"


def _fill(spool: _Spool, *, accept_losses: bool, conclude: Callable[[Restored], None]) -> Restored:
    must_be_empty()
    with connection.cursor() as cursor:
        # So that a row whose parent is missing is refused by itself, not the whole at the end.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    done = Restoration()
    for projection in all_projections():
        projection.restore(spool.read(projection), done)
    if done.left_out and not accept_losses:
        raise NotAllRestored(done.left_out)
    _continue_numbering()
    leases.lift(spool.version)
    ours = ownership.installation()
    Installation.objects.filter(pk=ours.pk).update(restored_at=timezone.now())
    restored = Restored(spool.items, done.written, done.left_out)
    conclude(restored)
    return restored


def _continue_numbering() -> None:
    """Rows were written under their own numbers: the next ones come after those."""
    labels = {projection.model._meta.app_label for projection in all_projections()}
    models = [model for label in labels for model in apps.get_app_config(label).get_models()]
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), models):
            cursor.execute(statement)
