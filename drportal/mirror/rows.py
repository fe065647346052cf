"""From items back to rows, for a restore."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar
from uuid import UUID

from django.db import Error, transaction
from django.db.models import (
    DateTimeField,
    DurationField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    UUIDField,
)

from drportal.aws.dynamodb import Item
from drportal.mirror.errors import ItemNotUnderstood
from drportal.mirror.services.marking import mark

M = TypeVar("M", bound=Model)
_CHUNK = 500


@dataclass(slots=True)
class Restoration:
    """What a restore has written so far, and what it had to leave out, in sentences."""

    written: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, what: object, why: str) -> None:
        self.left_out.append(f"{what}: {why}.")

    def insert(self, rows: Iterable[M]) -> Iterator[M]:
        """Write `rows`, and yield those that could be written.

        A row that does not fit with the others is left out: DynamoDB may have been behind on one
        of two objects that were changed together when the portal was lost.
        """
        for chunk in _chunks(rows):
            yield from self._insert(chunk)

    def write(self, rows: Iterable[Model]) -> None:
        """Write `rows`, and leave out those that cannot be."""
        for _ in self.insert(rows):
            pass

    def behind(self, kind: str, object_id: UUID | str) -> None:
        """DynamoDB has yet to be told of an object that was made, or changed, while restoring."""
        mark(kind, object_id)

    def _insert(self, chunk: list[M]) -> Iterator[M]:
        model = type(chunk[0])
        try:
            with transaction.atomic():
                model._default_manager.bulk_create(chunk)
        except Error as error:
            if len(chunk) == 1:
                name = f"{model._meta.verbose_name} {chunk[0].pk}"
                self.leave_out(name, _reason(error))
                return
            middle = len(chunk) // 2
            yield from self._insert(chunk[:middle])
            yield from self._insert(chunk[middle:])
        else:
            self.written[model._meta.label] = self.written.get(model._meta.label, 0) + len(chunk)
            yield from chunk


def columns(
    model: type[Model], item: Item, names: Mapping[str, str], *, kind: str = ""
) -> dict[str, Any]:
    """The values of a row's columns, as keyword arguments: `names` says which attribute of `item`
    holds which column. Raises ItemNotUnderstood.

    An attribute that is absent is None, or the column's own word for nothing.
    """
    found = {}
    for column, attribute in names.items():
        of_model: Any = model._meta.get_field(column)
        try:
            found[of_model.attname] = _value(of_model, item.get(attribute))
        except (TypeError, ValueError) as error:
            where = kind or model._meta.label
            key = str(item.get(names.get("id", ""), "?"))
            why = f"the attribute {attribute} is damaged or missing"
            raise ItemNotUnderstood(where, key, why) from error
    return found


def time(text: Any) -> datetime | None:
    """A time as `attributes.moment` wrote it."""
    return None if text is None else datetime.fromisoformat(text)


def _value(column: "Field[Any, Any]", value: Any) -> Any:
    if value is None:
        return _nothing(column)
    if isinstance(column, DateTimeField):
        return datetime.fromisoformat(value)
    if isinstance(column, DurationField):
        return timedelta(seconds=value)
    if isinstance(column, ForeignKey):
        return column.target_field.to_python(value)
    if isinstance(column, UUIDField):
        return UUID(value)
    if isinstance(column, IntegerField):
        return int(value)
    return value


def _nothing(column: "Field[Any, Any]") -> Any:
    if column.null:
        return None
    if column.blank and column.has_default():
        return column.get_default()
    raise ValueError(f"{column.name} cannot be empty")


def _reason(error: Error) -> str:
    """What PostgreSQL says is wrong, without the values: a constraint's name says what it holds."""
    diagnosis = getattr(error.__cause__, "diag", None)
    constraint = getattr(diagnosis, "constraint_name", None)
    primary = getattr(diagnosis, "message_primary", None)
    if constraint and "_fk_" in constraint:
        return "what it belongs to is not in the mirror"
    return str(constraint or primary or type(error).__name__)


def _chunks(rows: Iterable[M]) -> Iterator[list[M]]:
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
