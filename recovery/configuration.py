"""What is configured, as one document: accounts, groups, launch settings, plans and schedules.

No secrets, and nothing that AWS told. Equal configurations give equal documents wherever they
stand: objects are named by what people call them, never by the portal's own ids.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Prefetch
from django_celery_beat.models import PeriodicTask

from drportal.jobs import OUR_TASKS
from protection.choices import Combination, SettingsLevel
from protection.models import (
    GroupMember,
    LaunchSettings,
    ProtectionGroup,
    StagingAccount,
    TagSyncSettings,
    TargetAccount,
)
from recovery.documents.schema import VERSION
from recovery.models import PlanWave, PlanWaveGroup, RecoveryPlan

Entry = dict[str, Any]


def document() -> Entry:
    """The whole configuration. A fixed number of queries, however much is configured."""
    return {
        "schema_version": VERSION,
        "accounts": accounts(),
        "staging_accounts": staging_accounts(),
        "launch_settings": installation_settings(),
        "groups": groups(),
        "plans": plans(),
        "tag_sync": tag_sync(),
        "schedules": schedules(),
    }


def accounts(account_ids: Iterable[str] | None = None) -> list[Entry]:
    """The target accounts, or those of `account_ids`, by account id. Their external ids are
    secrets and are not told.
    """
    found = TargetAccount.objects.order_by("account_id")
    if account_ids is not None:
        found = found.filter(account_id__in=list(account_ids))
    return [
        {
            "account_id": account.account_id,
            "name": account.name,
            "hub": account.is_hub,
            "role_arn": account.role_arn,
            "active": account.active,
        }
        for account in found
    ]


def staging_accounts(account_ids: Iterable[str] | None = None) -> list[Entry]:
    """The staging accounts, or those of `account_ids`, by account id, with the targets that they
    serve.
    """
    found = StagingAccount.objects.order_by("account_id").prefetch_related("targets")
    if account_ids is not None:
        found = found.filter(account_id__in=list(account_ids))
    return [
        {
            "account_id": account.account_id,
            "name": account.name,
            "role_arn": account.role_arn,
            "targets": sorted(target.account_id for target in account.targets.all()),
        }
        for account in found
    ]


def installation_settings() -> Entry:
    """The launch settings of the whole installation."""
    found = LaunchSettings.objects.filter(level=SettingsLevel.INSTALLATION).first()
    return _ordered(found.values) if found else {}


def groups(names: Iterable[str] | None = None) -> list[Entry]:
    """The protection groups, by name, with their launch settings and those of their servers."""
    found = ProtectionGroup.objects.select_related("account").prefetch_related(
        Prefetch("members", GroupMember.objects.select_related("server")),
        Prefetch("launch_settings", LaunchSettings.objects.select_related("server")),
    )
    if names is not None:
        found = found.filter(name__in=list(names))
    return [_group(group) for group in sorted(found, key=_by_name)]


def _by_name(named: ProtectionGroup | RecoveryPlan) -> tuple[str, str]:
    return named.name.lower(), named.name


def _group(group: ProtectionGroup) -> Entry:
    own: Entry = {}
    of_servers = []
    for settings in group.launch_settings.all():
        if settings.server is None:
            own = _ordered(settings.values)
        elif settings.values or settings.combination == Combination.REPLACE:
            of_servers.append(
                {
                    "server_id": settings.server.server_id,
                    "combination": settings.combination,
                    "launch_settings": _ordered(settings.values),
                }
            )
    return {
        "name": group.name,
        "description": group.description,
        "owner": group.owner,
        "account_id": group.account.account_id,
        "region": group.region,
        "tags": _ordered(group.tags),
        "server_ids": sorted(member.server.server_id for member in group.members.all()),
        "allows_overlap": group.allows_overlap,
        "launch_settings": own,
        "servers": sorted(of_servers, key=lambda entry: str(entry["server_id"])),
    }


def plans(names: Iterable[str] | None = None) -> list[Entry]:
    """The recovery plans, by name, with their waves in order."""
    launched: dict[int, list[PlanWaveGroup]] = defaultdict(list)
    for row in PlanWaveGroup.objects.select_related("group"):
        launched[row.wave_id].append(row)
    waves = PlanWave.objects.order_by("position")
    found = RecoveryPlan.objects.prefetch_related(Prefetch("waves", waves))
    if names is not None:
        found = found.filter(name__in=list(names))
    return [_plan(plan, launched) for plan in sorted(found, key=_by_name)]


def _plan(plan: RecoveryPlan, launched: dict[int, list[PlanWaveGroup]]) -> Entry:
    return {
        "name": plan.name,
        "description": plan.description,
        "owner": plan.owner,
        "rto_seconds": _seconds(plan.rto),
        "rpo_seconds": _seconds(plan.rpo),
        "preflight_before_waves": plan.preflight_before_waves,
        "launch_settings_policy": str(plan.launch_settings_policy),
        "drill_every_days": plan.drill_every_days,
        "notification_addresses": list(plan.notification_addresses),
        "tags": _ordered(plan.tags),
        "approval_needed": plan.approval_needed,
        "waves": [_wave(wave, launched[wave.pk]) for wave in plan.waves.all()],
    }


def _wave(wave: PlanWave, launched: list[PlanWaveGroup]) -> Entry:
    return {
        "name": wave.name,
        "groups": [
            {
                "group": row.group.name,
                "server_ids": sorted(row.server_ids),
                "optional_server_ids": sorted(row.optional_server_ids),
            }
            for row in sorted(launched, key=lambda row: _by_name(row.group))
        ],
        "depends_on": sorted(wave.depends_on),
        "gate": wave.gate,
        "gate_instructions": wave.gate_instructions,
        "gate_rule": wave.gate_rule or None,
        "wait_seconds": _seconds(wave.wait),
        "time_limit_seconds": _seconds(wave.time_limit),
        "success_threshold": wave.success_threshold,
        "checks": list(wave.checks),
    }


def tag_sync() -> Entry:
    """How the tag sync works."""
    found = TagSyncSettings.objects.first() or TagSyncSettings()
    return {
        "include_accounts": sorted(found.include_accounts),
        "exclude_accounts": sorted(found.exclude_accounts),
        "include_keys": sorted(found.include_keys),
        "exclude_keys": sorted(found.exclude_keys),
        "key_mapping": _ordered(found.key_mapping),
        "dry_run": found.dry_run,
    }


def schedules() -> list[Entry]:
    """What beat sends how often. Only what comes at an interval is told."""
    found = PeriodicTask.objects.filter(task__regex=OUR_TASKS).exclude(interval=None)
    tasks = sorted(found.select_related("interval"), key=lambda task: str(task.name))
    return [
        {
            "name": task.name,
            "enabled": task.enabled,
            "every_seconds": int(task.interval.schedule.run_every.total_seconds()),
        }
        for task in tasks
    ]


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


def _ordered(found: Any) -> Any:
    """Objects with their members in the order of their names, all the way down."""
    if isinstance(found, dict):
        return {name: _ordered(found[name]) for name in sorted(found)}
    if isinstance(found, list):
        return [_ordered(held) for held in found]
    return found
