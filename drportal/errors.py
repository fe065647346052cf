"""The base of every failure that the portal anticipates."""

from enum import StrEnum
from typing import Any, ClassVar


class Kind(StrEnum):
    """What sort of failure it is: the one thing that an entry point needs to know."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    LIMIT = "limit"
    UNAVAILABLE = "unavailable"


class DomainError(Exception):
    """Base of every anticipated failure. Subclasses set `code` and `kind` and phrase `detail`.

    `detail` is a sentence for the person who caused it; it never holds a secret. `context` holds
    the identifiers that the sentence is about. `known_as` is the code by which clients of the
    reference system know it, where that has one.
    """

    code: ClassVar[str]
    kind: ClassVar[Kind]
    known_as: ClassVar[str] = ""

    def __init__(self, detail: str, **context: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.context = context

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses take keyword arguments of their own, so the default recipe (call the class
        # with self.args) cannot rebuild one in another process.
        return (_rebuild, (type(self), self.detail, self.context))


def _rebuild(cls: type[DomainError], detail: str, context: dict[str, Any]) -> DomainError:
    error = cls.__new__(cls)
    DomainError.__init__(error, detail, **context)
    return error


class InvalidInput(DomainError):
    """Input that breaks a rule. `errors` names each field with a code and a sentence."""

    code = "invalid"
    kind = Kind.INVALID
    known_as = "VALIDATION_FAILED"

    def __init__(self, detail: str, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(detail, errors=errors or [])

    @classmethod
    def field(cls, name: str, code: str, message: str) -> "InvalidInput":
        """The complaint about one field."""
        return cls(message, errors=[{"field": name, "code": code, "message": message}])

    @property
    def errors(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.context["errors"]
        return found


class NotFound(DomainError):
    """There is no such object, or none that the caller may see; the two look the same."""

    code = "not_found"
    kind = Kind.NOT_FOUND
    known_as = "NOT_FOUND"


class Forbidden(DomainError):
    """The caller may see the object but not do this to it."""

    code = "forbidden"
    kind = Kind.FORBIDDEN
