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
