"""Applying launch settings for what holds a group: an execution that has yet to launch servers."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction

from audit.services import record
from drportal.actor import Actor
from drportal.jobs import hint
from protection.errors import HolderGone, NothingToApply
from protection.models import LaunchApply, LaunchApplyServer, ProtectionGroup
from protection.services import launch_wanted
from protection.services.holds import holds_still
from protection.services.launch_apply import must_be_idle


def ask(
    group: ProtectionGroup, servers: Collection[UUID], *, holder_id: UUID, actor: Actor
) -> LaunchApply:
    """Ask for the settings of `servers`, by row, to be applied for what holds the group: it has yet
    to need those servers, nobody else does, and it is the one that may have them changed.

    Raises ApplyInProgress, NothingToApply if nothing is set for any, and HolderGone if it does not
    hold the group.
    """
    with transaction.atomic():
        group = ProtectionGroup.objects.select_for_update(no_key=True).get(pk=group.pk)
        if not holds_still(group, holder_id):
            raise HolderGone(group)
        must_be_idle(group, force=False)
        wanted = {
            pk: values for pk, values in launch_wanted.wanted(group, servers).items() if values
        }
        if not wanted:
            raise NothingToApply(f"Nothing is set for any of these servers of {group}.")
        apply = LaunchApply.objects.create(
            group=group, requested_by=actor.name[:254], holder_id=holder_id
        )
        LaunchApplyServer.objects.bulk_create(
            LaunchApplyServer(apply=apply, server_id=pk, values=values)
            for pk, values in wanted.items()
        )
        record(
            "protection.launch_apply.requested",
            actor=actor,
            subject=group,
            apply=str(apply.pk),
            servers=len(wanted),
            holder=str(holder_id),
        )
        hint("protection.apply_launch_settings", apply_id=str(apply.pk))
    return apply
