"""What carrying out an execution and carrying out a clean-up have in common."""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, models
from django.db.models import Q

from drportal.errors import DomainError
from drportal.observability import checkpoint, correlated, correlation_id
from drportal.state import Lifecycle, StaleState
from recovery.services import leases

logger = logging.getLogger(__name__)

_THREADS = 8


def carry(
    model: type[models.Model],
    pk: UUID,
    go: Callable[[UUID, leases.Lease], datetime | None],
    *,
    lifecycle: Lifecycle,
    point: str,
) -> None:
    """Let `go` take the row as far as it goes without waiting, under a lease, unless it has ended
    or somebody else is at it. `go` returns when it is due again; None if never by itself.

    Whatever goes wrong is said in the row's `message` and raised. `point` begins the names of the
    checkpoints.
    """
    about = {f"{model._meta.model_name}_id": str(pk)}
    active = Q(state__in=sorted(lifecycle.active))
    with leases.held(model, pk, among=active) as lease:
        if lease is None:
            return
        checkpoint(f"{point}.leased", **about)
        try:
            lease.next_due_at = go(pk, lease)
        except leases.LeaseLost:
            logger.warning("Another worker has taken over %s %s", model._meta.verbose_name, pk)
            return
        except Exception as error:
            # Whatever it is, the page says that the engine is stuck; the log says where.
            told = error.detail if isinstance(error, DomainError) else type(error).__name__
            say(model, pk, f"The engine could not go on, and tries again: {told}")
            raise
    checkpoint(f"{point}.released", **about)


def say(model: type[models.Model], pk: UUID, message: str) -> None:
    """Set what keeps the row from going on; an empty text if nothing does."""
    model._default_manager.filter(pk=pk).update(message=message[:2000])


def at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Ask AWS several things at the same time: an account that is slow holds up no other."""
    if len(calls) <= 1:
        for call in calls:
            call()
        return
    work = correlation_id()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="engine") as pool:
        asked = [pool.submit(_in_thread, call, work) for call in calls]
    for answered in asked:
        answered.result()


def tolerating_races(action: Callable[[], Any]) -> None:
    """Somebody moved the row first: then the next look tells what is left to do."""
    try:
        action()
    except StaleState as race:
        logger.info("%s", race.detail)


def _in_thread(call: Callable[[], None], work: str) -> None:
    try:
        with correlated(work):
            call()
    finally:
        connection.close()
