from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

Kind = TypeVar("Kind")


class ScenarioError(ValueError):
    """A scenario that cannot be loaded; the text says where and why."""


class Reader:
    """One object of a scenario. Every complaint names its place, as in `servers[3].os`."""

    def __init__(self, value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise ScenarioError(f"{place}: must be an object, not {_kind(value)}.")
        self._members: dict[str, Any] = value
        self._read: set[str] = set()
        self.place = place

    def required(self, name: str, kind: type[Kind]) -> Kind:
        if name not in self._members:
            raise ScenarioError(f"{self._at(name)}: is missing.")
        return self._typed(name, kind)

    def optional(self, name: str, kind: type[Kind], default: Kind) -> Kind:
        return self._typed(name, kind) if name in self._members else default

    def number(self, name: str, default: float, *, least: float | None = None) -> float:
        """A number, whole or not."""
        self._read.add(name)
        value = self._members.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScenarioError(f"{self._at(name)}: must be a number, not {_kind(value)}.")
        if least is not None and value < least:
            raise ScenarioError(f"{self._at(name)}: must be at least {least:g}, not {value:g}.")
        return value

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty when it is absent."""
        values = self.optional(name, list, [])
        for number, value in enumerate(values):
            if not isinstance(value, str):
                raise ScenarioError(f"{self._at(name)}[{number}]: must be a string.")
        return values

    def objects(self, name: str) -> Iterator[Reader]:
        """A list of objects; empty when it is absent."""
        for number, value in enumerate(self.optional(name, list, [])):
            yield Reader(value, f"{self._at(name)}[{number}]")

    def member(self, name: str) -> Reader:
        """An object; empty when it is absent."""
        return Reader(self.optional(name, dict, {}), self._at(name))

    def rest(self) -> dict[str, Any]:
        """The members that nobody has read."""
        return {name: value for name, value in self._members.items() if name not in self._read}

    def finish(self) -> None:
        """Complain about members that nobody has read."""
        unknown = sorted(self.rest())
        if unknown:
            raise ScenarioError(f"{self.place}: has unknown members: {', '.join(unknown)}.")

    def refuse(self, name: str, why: object) -> ScenarioError:
        """The error that says what is wrong with a member."""
        return ScenarioError(f"{self._at(name)}: {why}")

    def _at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def _typed(self, name: str, kind: type[Kind]) -> Kind:
        self._read.add(name)
        value = self._members[name]
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            wanted = _NAMES.get(kind, kind.__name__)
            raise ScenarioError(f"{self._at(name)}: must be {wanted}, not {_kind(value)}.")
        return value


_NAMES: dict[type, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "an object",
}


def _kind(value: object) -> str:
    return "null" if value is None else _NAMES.get(type(value), type(value).__name__)
