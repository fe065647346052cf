"""What differs between two versions, in words for a page."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from protection.rules.history import Difference

_ENTRY_BY_ID = re.compile(r"\[[0-9a-f-]{36}\]")


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a table of changes."""

    field: str
    old: str
    new: str


def in_words(found: Iterable[Difference]) -> list[Change]:
    """A line for each difference. An entry that is known by its id is named in its values."""
    return [
        Change(
            field=_ENTRY_BY_ID.sub("", change.field).replace("_", " "),
            old=_said(change.old),
            new=_said(change.new),
        )
        for change in found
    ]


def _said(value: Any) -> str:
    match value:
        case None:
            return "not there"
        case "":
            return "empty"
        case bool():
            return "yes" if value else "no"
        case {"name": name, "server_id": server_id}:
            return f"{name} ({server_id})"
        case Mapping():
            return ", ".join(f"{key}={held}" for key, held in value.items()) or "none"
        case list():
            return ", ".join(map(_said, value)) or "none"
    return str(value)
