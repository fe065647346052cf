"""What the mirror holds of plans, and of whom is told about them. Wave numbers count from 0,
positions from 1.
"""

from collections.abc import Iterable, Iterator

from django.db.models import Prefetch, QuerySet

from drportal.aws.dynamodb import Index, Item
from drportal.mirror.attributes import epoch, moment, seconds
from drportal.mirror.projections import Projection, Style
from recovery import mirror_restore
from recovery.models import (
    NoticeChannel,
    PlanVersion,
    PlanWave,
    PlanWaveGroup,
    RecoveryPlan,
)
from recovery.models.notices import Medium


def numbers(positions: Iterable[int]) -> list[int]:
    """Positions, as the mirror counts them."""
    return sorted(position - 1 for position in positions)


def _recovery_plans(plans: QuerySet[RecoveryPlan]) -> Iterator[Item]:
    entries = PlanWaveGroup.objects.order_by("group_id")
    waves = PlanWave.objects.order_by("position").prefetch_related(Prefetch("entries", entries))
    for plan in plans.prefetch_related(Prefetch("waves", waves)):
        yield {
            "planId": str(plan.pk),
            "planName": plan.name,
            "description": plan.description,
            "owner": plan.owner,
            "rtoSeconds": seconds(plan.rto),
            "rpoSeconds": seconds(plan.rpo),
            "preflightBeforeWaves": plan.preflight_before_waves,
            "launchSettingsPolicy": plan.launch_settings_policy,
            "drillEveryDays": plan.drill_every_days,
            "notificationEmails": list(plan.notification_addresses),
            "tags": plan.tags,
            "approvalNeeded": plan.approval_needed,
            "waves": [_plan_wave(wave) for wave in plan.waves.all()],
            "createdDate": epoch(plan.created_at),
            "lastModifiedDate": epoch(plan.updated_at),
            "createdAt": moment(plan.created_at),
            "updatedAt": moment(plan.updated_at),
            "version": plan.version,
        }


def _plan_wave(wave: PlanWave) -> Item:
    return {
        "waveNumber": wave.position - 1,
        "position": wave.position,
        "waveName": wave.name,
        "protectionGroupIds": [str(entry.group_id) for entry in wave.entries.all()],
        "protectionGroups": [
            {
                "protectionGroupId": str(entry.group_id),
                "serverIds": list(entry.server_ids),
                "optionalServerIds": list(entry.optional_server_ids),
            }
            for entry in wave.entries.all()
        ],
        "pauseBeforeWave": wave.gate,
        "gateInstructions": wave.gate_instructions,
        "gateRule": wave.gate_rule,
        "dependsOnWaves": numbers(wave.depends_on),
        "waitSeconds": seconds(wave.wait),
        "timeLimitSeconds": seconds(wave.time_limit),
        "successThreshold": wave.success_threshold,
        "checks": wave.checks,
    }


def _plan_versions(versions: QuerySet[PlanVersion]) -> Iterator[Item]:
    for version in versions:
        yield {
            "versionId": str(version.pk),
            "planId": str(version.plan_id),
            "number": version.number,
            "document": version.document,
            "createdAt": moment(version.created_at),
            "createdBy": version.created_by,
            "createdById": version.created_by_id,
        }


def _notice_channels(channels: QuerySet[NoticeChannel]) -> Iterator[Item]:
    for channel in channels:
        open_address = channel.medium == Medium.TOPIC
        yield {
            "channelId": str(channel.pk),
            "planId": str(channel.plan_id) if channel.plan_id else None,
            "name": channel.name,
            "medium": channel.medium,
            "address": channel.address if open_address else None,
            "masked": channel.masked,
            "addressWithheld": channel.address_lost or not open_address,
            "kinds": list(channel.kinds),
            "active": channel.active,
            "createdAt": moment(channel.created_at),
            "updatedAt": moment(channel.updated_at),
        }


def _lost_addresses() -> str:
    count = NoticeChannel.objects.filter(address_lost=True, address="").count()
    if not count:
        return ""
    return f"{count} notice channels lack their addresses: enter them again, nothing is sent there."


PROJECTIONS = (
    Projection(
        kind="RecoveryPlans",
        model=RecoveryPlan,
        key="planId",
        style=Style.CONTROL,
        build=_recovery_plans,
        restore=mirror_restore.recovery_plans,
    ),
    Projection(
        kind="RecoveryPlanVersions",
        model=PlanVersion,
        key="versionId",
        style=Style.BATCH,
        build=_plan_versions,
        restore=mirror_restore.plan_versions,
        indexes=(Index("planIdIndex", "planId", "createdAt"),),
    ),
    Projection(
        kind="NoticeChannels",
        model=NoticeChannel,
        key="channelId",
        style=Style.CONTROL,
        build=_notice_channels,
        restore=mirror_restore.notice_channels,
        lacking=_lost_addresses,
    ),
)
