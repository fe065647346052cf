"""What is different between two versions of one thing, decided from their documents alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not the same. `old` or `new` is None where the field was not there.

    `field` is a path: `description`, `tags.Tier`, `waves[0].name`. Entries of a list that carry an
    `id` are known by it, wherever they stand: `servers[ID]`.
    """

    field: str
    old: Any
    new: Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """What changed from one document to another, in the order of their fields.

    A field that is None and one that is not there are the same.
    """
    return list(_of_mappings("", old, new))


def _of_mappings(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _of_values(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))


def _of_values(path: str, old: Any, new: Any) -> Iterator[Difference]:
    if old == new and type(old) is type(new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_mappings(path, old, new)
    elif _entries(old) and _entries(new):
        yield from _of_entries(path, old, new)
    else:
        yield Difference(path, old, new)


def _of_entries(
    path: str, old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    before, after = _by_name(old, new)
    for key in [*before, *(key for key in after if key not in before)]:
        yield from _of_values(f"{path}[{key}]", before.get(key), after.get(key))


def _by_name(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The entries of both by id if each has one of its own, and else by their places."""
    named = [[entry.get("id") for entry in entries] for entries in (old, new)]
    if all(None not in ids and len(set(ids)) == len(ids) for ids in named):
        return dict(zip(named[0], old, strict=True)), dict(zip(named[1], new, strict=True))
    return dict(enumerate(old)), dict(enumerate(new))


def _entries(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(entry, Mapping) for entry in value)
