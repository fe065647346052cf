"""What is protected."""

from protection.models.access import (
    ProtectionGroupGroupPermission,
    ProtectionGroupUserPermission,
    TargetAccountGroupPermission,
    TargetAccountUserPermission,
)
from protection.models.accounts import AccountRegion, TargetAccount
from protection.models.groups import GroupHold, GroupMember, GroupVersion, ProtectionGroup
from protection.models.instances import RecoveryInstance
from protection.models.launch import (
    LaunchAddress,
    LaunchApply,
    LaunchApplyServer,
    LaunchSettings,
    LaunchSettingsVersion,
    LaunchStanding,
)
from protection.models.servers import SourceServer, SyncRun
from protection.models.staging import StagingAccount, StagingLink, StagingServer
from protection.models.tags import TagSyncSettings
from protection.models.validations import AccountValidation

__all__ = [
    "AccountRegion",
    "AccountValidation",
    "GroupHold",
    "GroupMember",
    "GroupVersion",
    "LaunchAddress",
    "LaunchApply",
    "LaunchApplyServer",
    "LaunchSettings",
    "LaunchSettingsVersion",
    "LaunchStanding",
    "ProtectionGroup",
    "ProtectionGroupGroupPermission",
    "ProtectionGroupUserPermission",
    "RecoveryInstance",
    "SourceServer",
    "StagingAccount",
    "StagingLink",
    "StagingServer",
    "SyncRun",
    "TagSyncSettings",
    "TargetAccount",
    "TargetAccountGroupPermission",
    "TargetAccountUserPermission",
]
