from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from drportal import heartbeats
from drportal.jobs import Job

_SENT_AT = "portal_sent_at"


class HeartbeatJob(Job):
    """A job whose message says when it was sent."""

    abstract = True

    def apply_async(self, *args: Any, **options: Any) -> Any:
        headers = {**(options.pop("headers", None) or {}), _SENT_AT: timezone.now().isoformat()}
        return super().apply_async(*args, headers=headers, **options)


def _sent_at(request: Any) -> datetime | None:
    # Celery puts a message's own headers on the request when a worker runs it.
    said = getattr(request, _SENT_AT, None) or (request.headers or {}).get(_SENT_AT)
    return parse_datetime(said) if said else None


@shared_task(base=HeartbeatJob, name="drportal.heartbeat", bind=True)
def heartbeat(self: HeartbeatJob, /, **_: object) -> None:
    """Note that beat sent this and that a worker ran it."""
    heartbeats.heard(sent_at=_sent_at(self.request))
