"""What every Celery task of the portal has in common."""

from typing import Any

from celery.contrib.django.task import DjangoTask

from drportal.observability import correlated, correlation_id

_HEADER = "portal_correlation_id"


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
