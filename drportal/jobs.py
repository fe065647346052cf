"""What every Celery task of the portal has in common, and how work is asked for."""

import logging
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import current_app
from celery.contrib.django.task import DjangoTask
from django.db import transaction
from kombu.exceptions import OperationalError

from drportal.observability import correlated, correlation_id

# The portal's own tasks among those of the schedule; the rest are Celery's chores.
OUR_TASKS = r"^(api|drportal|mirror|protection|recovery|audit|queries)\."
_HEADER = "portal_correlation_id"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task that beat sends every so many seconds.

    A message that no worker has taken after `expires` seconds is dropped, so that they never pile
    up: the next one does the same.
    """

    name: str
    task: str
    every: int
    queue: str
    expires: int


def hint(task: str, **arguments: Any) -> None:
    """When the current transaction commits, ask a worker for `task`.

    Only a hint: if it gets lost, or the broker is away, the next look of beat at the database
    does the work. So a failure to send it is logged and goes no further.
    """
    transaction.on_commit(partial(_send, task, arguments, correlation_id()))


def _send(task: str, arguments: dict[str, Any], work: str) -> None:
    try:
        current_app.send_task(task, kwargs=arguments, headers={_HEADER: work}, retry=False)
    except OperationalError as error:
        logger.warning("%s was not asked for: %s", task, error)


class Job(DjangoTask):  # type: ignore[type-arg]  # generic to the type checker only
    """A task that may run twice or late, because brokers redeliver and workers die.

    So a job takes ids and reads the row again; its service makes the second run harmless; and
    what it achieved is in the database, never in a result. It carries on the correlation id of
    whoever asked for it.
    """

    abstract = True
    acks_late = True
    reject_on_worker_lost = True
    ignore_result = True

    def apply_async(self, *args: Any, **options: Any) -> Any:
        headers = dict(options.pop("headers", None) or {})
        headers.setdefault(_HEADER, correlation_id())
        return super().apply_async(*args, headers=headers, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # Celery puts a message's own headers on the request when a worker runs it.
        carried = getattr(self.request, _HEADER, None) or (self.request.headers or {}).get(_HEADER)
        with correlated(carried):
            return super().__call__(*args, **kwargs)
