from celery import shared_task

from drportal.jobs import Job
from drportal.mirror import services


@shared_task(base=Job, name="mirror.drain")
def drain(**_: object) -> None:
    """Send to DynamoDB what is due. Any number of these may run at once."""
    services.drain()
