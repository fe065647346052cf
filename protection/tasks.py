"""Protection's scheduled jobs."""

import logging

from celery import shared_task

from drportal.actor import SCHEDULE
from drportal.jobs import Job
from protection.errors import SyncAlreadyRunning
from protection.services import inventory, staging_sync

logger = logging.getLogger(__name__)


@shared_task(base=Job, name="protection.sync_inventory")
def sync_inventory(**_: object) -> None:
    """List the source servers of every account and Region."""
    try:
        inventory.sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)


@shared_task(base=Job, name="protection.sync_staging")
def sync_staging(**_: object) -> None:
    """Extend what may be extended from the staging accounts of every target."""
    try:
        staging_sync.sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)
