"""State machines whose moves are decided by the database."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from django.db.models import Model, QuerySet

from drportal.errors import DomainError, Kind


class IllegalMove(DomainError):
    """The lifecycle has no such move."""

    code = "state.illegal_move"
    kind = Kind.CONFLICT


class StaleState(DomainError):
    """Somebody else moved the object first."""

    code = "state.stale"
    kind = Kind.CONFLICT


class Lifecycle:
    """The legal moves of one model's state. States that lead nowhere are terminal."""

    def __init__(self, moves: Mapping[str, AbstractSet[str]]) -> None:
        self._moves = {str(source): frozenset(map(str, to)) for source, to in moves.items()}
        unknown = frozenset[str]().union(*self._moves.values()) - self._moves.keys()
        if unknown:
            raise ValueError(f"moves lead to states the table does not list: {sorted(unknown)}")
        self.terminal = frozenset(state for state, targets in self._moves.items() if not targets)
        self.active = frozenset(self._moves) - self.terminal

    @property
    def states(self) -> frozenset[str]:
        return frozenset(self._moves)

    def allows(self, source: str, target: str) -> bool:
        """Whether the table has a move from `source` to `target`."""
        return target in self._moves[source]


def move(instance: Model, target: str, *, lifecycle: Lifecycle, **changes: Any) -> None:
    """Move `instance` to `target`, provided its row is still where we read it.

    One conditional UPDATE decides the race: of two workers that hold the same instance, the
    second finds no row to change and gets `StaleState`. `changes` are written with it. A move
    that the table does not list raises `IllegalMove` and writes nothing.
    """
    source: str = instance.state  # type: ignore[attr-defined]  # every model with a lifecycle has it
    if not lifecycle.allows(source, target):
        raise IllegalMove(f"{instance} cannot go from {source} to {target}.")
    moved = (
        type(instance)
        ._base_manager.filter(pk=instance.pk, state=source)
        .update(state=target, **changes)
    )
    if not moved:
        raise StaleState(f"{instance} is no longer {source}.")
    for field, value in {"state": target, **changes}.items():
        setattr(instance, field, value)


def move_all(
    rows: QuerySet[Any], target: str, *, lifecycle: Lifecycle, source: str, **changes: Any
) -> int:
    """Move those of `rows` that are at `source` to `target`, and return how many they were.

    One UPDATE, under the same rule as `move`; rows that are elsewhere are left where they are. A
    move that the table does not list raises `IllegalMove` and writes nothing.
    """
    if not lifecycle.allows(source, target):
        raise IllegalMove(
            f"{rows.model._meta.verbose_name_plural} cannot go from {source} to {target}."
        )
    return rows.filter(state=source).update(state=target, **changes)
