"""Leases on rows: who works on an execution or a watch now, for as long as they live.

A lease ends by itself when its holder dies. While the holder lives, a thread renews it, so that
it can be shorter than the slowest answer of AWS.
"""

import logging
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection, models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

logger = logging.getLogger(__name__)

_MOST = 1000  # that one look of beat asks for


class LeaseLost(RuntimeError):
    """Somebody else has taken over; whatever was planned must not be done."""


class Lease:
    """A lease that is held. Set `next_due_at` to say when to look again; None for not at all."""

    def __init__(self, rows: models.QuerySet[Any], token: UUID, taken_due_at: datetime) -> None:
        self._rows = rows.filter(lease_token=token)
        self._taken_due_at = taken_due_at
        self._over = threading.Event()
        self._lost = False
        self.next_due_at: datetime | None = None

    def must_be_held(self) -> None:
        """Raise LeaseLost if it is known to be lost."""
        if self._lost:
            raise LeaseLost

    def keep(self) -> None:
        """Renew until it is over. Runs in a thread of its own, on a connection of its own. What
        cannot be renewed because the database is away is lost when its time is over.
        """
        ends = time.monotonic() + settings.LEASE_SECONDS
        try:
            while not self._over.wait(settings.LEASE_SECONDS / 4):
                asked = time.monotonic()
                renewed = self._renewed()
                if renewed:
                    ends = asked + settings.LEASE_SECONDS
                if renewed is False or time.monotonic() >= ends:
                    self._lost = True
                    return
        finally:
            connection.close()

    def _renewed(self) -> bool | None:
        """Whether it was renewed; None if the database does not tell."""
        try:
            return bool(self._rows.update(leased_until=_until()))
        except DatabaseError as error:
            logger.warning("A lease could not be renewed, and is tried again: %s", error)
            connection.close()
            return None

    def stop(self) -> None:
        """Renew no more."""
        self._over.set()

    def release(self) -> None:
        """Let go. A request that came in meanwhile has set `due_at`; that is kept."""
        self._over.set()
        free = {"leased_until": None, "lease_token": None}
        if not self._rows.filter(due_at=self._taken_due_at).update(due_at=self.next_due_at, **free):
            self._rows.update(**free)


@contextmanager
def held(model: type[models.Model], pk: Any, *, among: Q | None = None) -> Iterator[Lease | None]:
    """A lease on a row that is due, or None if it is not due or somebody else is at it.

    If the work raises, the row is due again after a lease's time.
    """
    now = timezone.now()
    retry_at = now + timedelta(seconds=settings.LEASE_SECONDS)
    token = uuid.uuid4()
    rows = model._default_manager.filter(pk=pk)
    free = Q(leased_until=None) | Q(leased_until__lte=Now())
    ready = rows.filter(free, among or Q(), due_at__lte=now)
    if not ready.update(leased_until=_until(), lease_token=token, due_at=retry_at):
        yield None
        return
    lease = Lease(rows, token, retry_at)
    lease.next_due_at = retry_at
    keeper = threading.Thread(target=lease.keep, name=f"lease-{token}", daemon=True)
    keeper.start()
    try:
        yield lease
    finally:
        lease.stop()
        keeper.join()
        lease.release()


def _until() -> Any:
    # The database's clock: the machines' own may differ.
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)


def sooner(rows: models.QuerySet[Any], when: datetime) -> None:
    """Make rows due at `when`, unless they are due before that."""
    rows.filter(Q(due_at=None) | Q(due_at__gt=when)).update(due_at=when)


def due(rows: models.QuerySet[Any], now: datetime) -> list[Any]:
    """The keys of those of `rows` that are due and that nobody is at, longest due first."""
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    found = rows.filter(free, due_at__lte=now).order_by("due_at")
    return list(found.values_list("pk", flat=True)[:_MOST])
