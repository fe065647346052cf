"""Who may do what to one plan. Direct foreign keys: a row dies with its plan."""

from django.db import models
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from recovery.models.plans import RecoveryPlan


class RecoveryPlanUserPermission(UserObjectPermissionBase):
    """A person's permission on one recovery plan."""

    content_object = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE)

    class Meta(UserObjectPermissionBase.Meta):
        pass


class RecoveryPlanGroupPermission(GroupObjectPermissionBase):
    """A role's permission on one recovery plan."""

    content_object = models.ForeignKey(RecoveryPlan, on_delete=models.CASCADE)

    class Meta(GroupObjectPermissionBase.Meta):
        pass
