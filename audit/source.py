"""The network address that the request under way came from."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address

_address: ContextVar[str | None] = ContextVar("audit_source_address", default=None)


def source_address() -> str | None:
    """The address of whoever asked for the work under way, or None: unknown, or nobody asked."""
    return _address.get()


@contextmanager
def coming_from(address: str | None) -> Iterator[None]:
    """Audit records written inside name `address`. Text that is no IP address counts as unknown."""
    token = _address.set(_valid(address))
    try:
        yield
    finally:
        _address.reset(token)


def _valid(address: str | None) -> str | None:
    try:
        return str(ip_address(address)) if address else None
    except ValueError:
        return None
