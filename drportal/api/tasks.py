"""The API's scheduled jobs."""

from celery import shared_task

from drportal.api import idempotency
from drportal.jobs import Job


@shared_task(base=Job, name="api.purge_idempotency_keys")
def purge_idempotency_keys(**_: object) -> None:
    """Forget idempotency keys that nobody may use any more."""
    idempotency.purge()
