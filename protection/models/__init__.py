"""What is protected."""

from protection.models.access import (
    ProtectionGroupGroupPermission,
    ProtectionGroupUserPermission,
    TargetAccountGroupPermission,
    TargetAccountUserPermission,
)
from protection.models.accounts import AccountRegion, TargetAccount
from protection.models.groups import GroupMember, ProtectionGroup
from protection.models.servers import SourceServer, SyncRun

__all__ = [
    "AccountRegion",
    "GroupMember",
    "ProtectionGroup",
    "ProtectionGroupGroupPermission",
    "ProtectionGroupUserPermission",
    "SourceServer",
    "SyncRun",
    "TargetAccount",
    "TargetAccountGroupPermission",
    "TargetAccountUserPermission",
]
