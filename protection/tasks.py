"""Protection's scheduled jobs."""

import logging
from collections.abc import Callable
from uuid import UUID

from celery import shared_task

from drportal.actor import PORTAL, SCHEDULE
from drportal.jobs import Job, hint
from protection.errors import SyncAlreadyRunning
from protection.models import ProtectionGroup, SyncRun
from protection.services import (
    instances,
    inventory,
    launch_apply,
    launch_drift,
    staging_sync,
    tag_sync,
    validation,
)

logger = logging.getLogger(__name__)


@shared_task(base=Job, name="protection.sync_inventory")
def sync_inventory(**_: object) -> None:
    """List the source servers of every account and Region."""
    _unless_running(inventory.sync)


@shared_task(base=Job, name="protection.apply_launch_settings")
def apply_launch_settings(*, apply_id: str, **_: object) -> None:
    """Apply a group's launch settings to those of its servers that are left."""
    launch_apply.carry_out(UUID(apply_id), actor=PORTAL)


@shared_task(base=Job, name="protection.apply_due_launch_settings")
def apply_due_launch_settings(**_: object) -> None:
    """Go on with what a lost message, a dead worker or a busy AWS has left undone."""
    for apply_id in launch_apply.due():
        hint("protection.apply_launch_settings", apply_id=str(apply_id))


@shared_task(base=Job, name="protection.check_launch_drift")
def check_launch_drift(*, group_id: str, **_: object) -> None:
    """Compare a group's launch settings with what DRS and EC2 hold."""
    group = ProtectionGroup.objects.select_related("account").filter(pk=group_id).first()
    if group is not None:
        launch_drift.check(group, actor=PORTAL)


@shared_task(base=Job, name="protection.check_all_launch_drift")
def check_all_launch_drift(**_: object) -> None:
    """Ask for that of every group of which anything is set."""
    launch_drift.ask_for_all()


@shared_task(base=Job, name="protection.sync_staging")
def sync_staging(**_: object) -> None:
    """Extend what may be extended from the staging accounts of every target."""
    _unless_running(staging_sync.sync)


@shared_task(base=Job, name="protection.sync_recovery_instances")
def sync_recovery_instances(**_: object) -> None:
    """List the recovery instances of every account and Region."""
    _unless_running(instances.sync)


@shared_task(base=Job, name="protection.sync_tags")
def sync_tags(**_: object) -> None:
    """Bring the tags of EC2 instances to their source servers."""
    _unless_running(tag_sync.sync)


@shared_task(base=Job, name="protection.validate_account")
def validate_account(*, validation_id: str, **_: object) -> None:
    """Go into one account and look whether a recovery would work there."""
    validation.carry_out(UUID(validation_id))


@shared_task(base=Job, name="protection.validate_unattended")
def validate_unattended(**_: object) -> None:
    """Beat's safety net: validations whose message or worker was lost."""
    validation.give_up_dead()
    for pk in validation.unattended():
        hint("protection.validate_account", validation_id=str(pk))


def _unless_running(sync: Callable[..., SyncRun]) -> None:
    """One run of a sync at a time: while one is alive, another is not due."""
    try:
        sync(actor=SCHEDULE)
    except SyncAlreadyRunning as running:
        logger.info("%s", running.detail)
