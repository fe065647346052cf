"""Operators' pages about what is protected, and about people and schedules."""

from protection.admin.accounts import TargetAccountAdmin
from protection.admin.groups import ProtectionGroupAdmin
from protection.admin.instances import RecoveryInstanceAdmin
from protection.admin.launch_settings import LaunchSettingsAdmin
from protection.admin.people import RoleAdmin, UserAdmin
from protection.admin.schedules import PeriodicTaskAdmin
from protection.admin.servers import SourceServerAdmin
from protection.admin.staging import StagingAccountAdmin
from protection.admin.sync_runs import SyncRunAdmin
from protection.admin.tag_settings import TagSyncSettingsAdmin

__all__ = [
    "LaunchSettingsAdmin",
    "PeriodicTaskAdmin",
    "ProtectionGroupAdmin",
    "RecoveryInstanceAdmin",
    "RoleAdmin",
    "SourceServerAdmin",
    "StagingAccountAdmin",
    "SyncRunAdmin",
    "TagSyncSettingsAdmin",
    "TargetAccountAdmin",
    "UserAdmin",
]
