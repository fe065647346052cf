"""What must run inside a database transaction, and what must not."""

from collections.abc import Callable, Iterator
from functools import wraps
from inspect import isgenerator
from typing import Any, ParamSpec, TypeVar, cast

from django.db import connection

P = ParamSpec("P")
R = TypeVar("R")


def in_transaction() -> bool:
    """Whether a transaction is open here. The one that wraps a test case does not count."""
    if not connection.in_atomic_block:
        return False
    blocks = getattr(connection, "atomic_blocks", [])
    return any(not getattr(block, "_from_testcase", False) for block in blocks)


def must_be_in_transaction(what: str) -> None:
    """Refuse to go on outside a transaction: `what` must commit with the change it belongs to."""
    if not in_transaction():
        raise RuntimeError(f"{what} must commit together with the change that it belongs to")


def reaches_outside(function: Callable[P, R]) -> Callable[P, R]:
    """Mark a function that talks to AWS: it refuses to run while a transaction is open.

    A transaction held while AWS answers holds its locks for as long as AWS likes. A generator
    refuses at each item, because it reaches AWS when it is iterated, not when it is called.
    """

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _must_be_outside(function.__qualname__)
        result = function(*args, **kwargs)
        if isgenerator(result):
            return cast("R", _each_outside(function.__qualname__, result))
        return result

    return guarded


def _must_be_outside(name: str) -> None:
    if in_transaction():
        raise RuntimeError(f"{name} reaches AWS inside a transaction")


def _each_outside(name: str, items: Iterator[Any]) -> Iterator[Any]:
    nothing = object()
    while True:
        _must_be_outside(name)
        item = next(items, nothing)
        if item is nothing:
            return
        yield item
