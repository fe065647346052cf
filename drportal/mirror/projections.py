"""What each table of the mirror holds. Each app declares its own; the settings name where."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.utils.module_loading import import_string

from drportal.aws.dynamodb import Index, Item, Table

if TYPE_CHECKING:
    from drportal.mirror.rows import Restoration

VERSION = "mirrorVersion"  # the number that tells an old send from a new one
DELETED = "mirrorDeleted"  # there, and true, in what stands for a deleted object
# Beyond what PostgreSQL's sequence reaches in any lifetime, so nothing that it gave out.
NO_VERSION = 2**60
_CHUNK = 500
_ALL = Q()


class Style(Enum):
    """How a table's items are sent."""

    CONTROL = auto()  # one by one, on condition that the table holds nothing newer
    BATCH = auto()  # 25 at a time, without a condition


class NoProjection(LookupError):
    """Something was marked that no app mirrors. That is a bug, so it is no DomainError."""


@dataclass(frozen=True, slots=True)
class Projection:
    """One table: which rows it mirrors, and what their items are made of.

    `kind` is the table's name without its prefix. `key` is the attribute that holds the object id
    as text, the value of the row's `field`. `restore` writes the rows of items again; those of the
    projections that were declared before are there by then. A `preset` table has rows in an empty
    database too. `build` makes the items of a queryset, all of them in
    a number of queries that does not depend on how many there are. `among` says which rows are
    mirrored, where not all are. What `passing` names changes without being sent: an item holds it
    as it was when something else was sent, and a comparison leaves it out. `lacking` says, in a
    sentence, what of these objects a restore could not give back.
    """

    kind: str
    model: type[Model]
    key: str
    style: Style
    build: Callable[[QuerySet[Any]], Iterable[Item]]
    restore: Callable[[Iterable[Item], "Restoration"], None]
    field: str = "pk"
    indexes: tuple[Index, ...] = ()
    among: Q = _ALL
    passing: frozenset[str] = frozenset()
    lacking: Callable[[], str] | None = None
    preset: bool = False

    def table(self) -> Table:
        """The table, under its full name."""
        name = f"{settings.MIRROR_TABLE_PREFIX}{self.kind}"
        return Table(name, self.key, self.indexes, expires=self.style is Style.CONTROL)

    def rows(self) -> QuerySet[Any]:
        """The rows that are mirrored."""
        return self.model._default_manager.filter(self.among)

    def items(self, object_ids: Sequence[str]) -> dict[str, Item]:
        """The items of those objects that exist, by object id, in a constant number of queries."""
        values = [value for object_id in object_ids for value in self._value(object_id)]
        rows = self.rows().filter(**{f"{self.field}__in": values})
        return {item[self.key]: _without_nothing(item) for item in self.build(rows)}

    def known(self, object_ids: Sequence[str]) -> set[str]:
        """Those of the ids whose objects exist."""
        values = [value for object_id in object_ids for value in self._value(object_id)]
        rows = self.rows().filter(**{f"{self.field}__in": values})
        return {str(value) for value in rows.values_list(self.field, flat=True)}

    def object_ids(self) -> Iterator[list[str]]:
        """The ids of all objects, in chunks."""
        rows = self.rows().order_by(self.field).values_list(self.field, flat=True)
        chunk: list[str] = []
        for value in rows.iterator(chunk_size=_CHUNK):
            chunk.append(str(value))
            if len(chunk) == _CHUNK:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    def _value(self, object_id: str) -> list[Any]:
        """The id as the column's type; none if it is not one, for then there is no such row."""
        name = self.model._meta.pk.name if self.field == "pk" else self.field
        try:
            return [self.model._meta.get_field(name).to_python(object_id)]  # type: ignore[union-attr]  # never a relation
        except ValidationError:
            return []


def projection_of(kind: str) -> Projection:
    """The projection of `kind`. Raises NoProjection."""
    try:
        return _projections()[kind]
    except KeyError:
        raise NoProjection(f"no app mirrors {kind!r}") from None


def all_projections() -> tuple[Projection, ...]:
    """Every table of the mirror."""
    return tuple(_projections().values())


@cache
def _projections() -> dict[str, Projection]:
    # By name, because the apps that declare them stand above the mirror.
    declared = [
        projection
        for module in settings.MIRROR_PROJECTIONS
        for projection in import_string(f"{module}.PROJECTIONS")
    ]
    found = {projection.kind: projection for projection in declared}
    if len(found) != len(declared):
        raise ValueError("two projections have the same kind")
    return found


def _without_nothing(item: Item) -> Item:
    """An attribute that is None is left out: unknown, or not applicable."""
    return {name: value for name, value in item.items() if value is not None}
