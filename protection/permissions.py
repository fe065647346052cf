"""The permissions that protection's objects know beside Django's four."""

from enum import StrEnum


class AccountPermission(StrEnum):
    """On target accounts."""

    VIEW = "protection.view_targetaccount"
    ADD = "protection.add_targetaccount"
    CHANGE = "protection.change_targetaccount"
    DELETE = "protection.delete_targetaccount"
    SHARE = "protection.share_targetaccount"


class GroupPermission(StrEnum):
    """On protection groups."""

    VIEW = "protection.view_protectiongroup"
    ADD = "protection.add_protectiongroup"
    CHANGE = "protection.change_protectiongroup"
    DELETE = "protection.delete_protectiongroup"
    SHARE = "protection.share_protectiongroup"


class ServerPermission(StrEnum):
    """On source servers: held model-wide, or through the account they are managed in."""

    VIEW = "protection.view_sourceserver"


class SyncPermission(StrEnum):
    """On sync runs."""

    VIEW = "protection.view_syncrun"
    RUN = "protection.run_syncrun"


class LaunchSettingsPermission(StrEnum):
    """On the launch settings of the installation; those of a group are changed with the group."""

    VIEW = "protection.view_launchsettings"
    CHANGE = "protection.change_launchsettings"


class InstancePermission(StrEnum):
    """On recovery instances: held model-wide, or through the account they are in."""

    VIEW = "protection.view_recoveryinstance"


class StagingPermission(StrEnum):
    """On staging accounts: seen model-wide, or through a target that they serve."""

    VIEW = "protection.view_stagingaccount"


class TagSyncPermission(StrEnum):
    """On how the tag sync works."""

    VIEW = "protection.view_tagsyncsettings"
    CHANGE = "protection.change_tagsyncsettings"
