"""Who may do what to one account or one group. Direct foreign keys: a row dies with its object."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from protection.models.accounts import TargetAccount
from protection.models.groups import ProtectionGroup


class TargetAccountUserPermission(UserObjectPermissionBase):
    """A person's permission on one target account."""

    content_object = models.ForeignKey(TargetAccount, on_delete=models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        pass


class TargetAccountGroupPermission(GroupObjectPermissionBase):
    """A role's permission on one target account."""

    content_object = models.ForeignKey(TargetAccount, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        pass


class ProtectionGroupUserPermission(UserObjectPermissionBase):
    """A person's permission on one protection group."""

    content_object = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        pass


class ProtectionGroupGroupPermission(GroupObjectPermissionBase):
    """A role's permission on one protection group."""

    content_object = models.ForeignKey(ProtectionGroup, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        pass
