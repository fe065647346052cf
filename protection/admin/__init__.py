"""Operators' pages about what is protected, and about people and schedules."""

from protection.admin.accounts import TargetAccountAdmin
from protection.admin.groups import ProtectionGroupAdmin
from protection.admin.people import RoleAdmin, UserAdmin
from protection.admin.schedules import PeriodicTaskAdmin
from protection.admin.servers import SourceServerAdmin
from protection.admin.sync_runs import SyncRunAdmin

__all__ = [
    "PeriodicTaskAdmin",
    "ProtectionGroupAdmin",
    "RoleAdmin",
    "SourceServerAdmin",
    "SyncRunAdmin",
    "TargetAccountAdmin",
    "UserAdmin",
]
