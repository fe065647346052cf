"""Protection's scheduled jobs."""

import logging

from celery import shared_task

from drportal.actor import SCHEDULE
from drportal.jobs import Job
from protection.errors import SyncAlreadyRunning
from protection.services import instances, inventory, tag_sync

logger = logging.getLogger(__name__)


@shared_task(base=Job, name="protection.sync_inventory")
def sync_inventory(**_: object) -> None:
    """List the source servers of every account and Region."""
    try:
        inventory.sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)


@shared_task(base=Job, name="protection.sync_recovery_instances")
def sync_recovery_instances(**_: object) -> None:
    """List the recovery instances of every account and Region."""
    try:
        instances.sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)


@shared_task(base=Job, name="protection.sync_tags")
def sync_tags(**_: object) -> None:
    """Bring the tags of EC2 instances to their source servers."""
    try:
        tag_sync.sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)
