"""Who may schedule drills of a plan, and whether the one by whose right they start still may."""

from django.contrib.auth.models import User

from drportal.access import Anybody, allowed
from drportal.errors import Forbidden
from recovery.models import DrillSchedule, RecoveryPlan
from recovery.permissions import PlanPermission


def must_may_schedule(user: Anybody, plan: RecoveryPlan, *, cleans_up: bool) -> None:
    """Raise Forbidden unless `user` may do themselves all that the schedule will do for them."""
    if not allowed(user, PlanPermission.DRILL, plan):
        what = f"You may see {plan}, but not start drills of it, so not schedule them either."
        raise Forbidden(what, permission=str(PlanPermission.DRILL))
    if cleans_up and not allowed(user, PlanPermission.TERMINATE, plan):
        what = f"You may schedule drills of {plan}, but not that what they launch is terminated."
        raise Forbidden(what, permission=str(PlanPermission.TERMINATE))


def missing_right(schedule: DrillSchedule) -> str:
    """Why drills must not start by the right of whoever made the schedule; empty if they may."""
    # Both, for after a restore on new people's rows a number may be somebody else's.
    maker = User.objects.filter(
        pk=schedule.made_by_id or 0, username=schedule.made_by, is_active=True
    ).first()
    if maker is None:
        return f"{schedule.made_by}, by whose right it starts, is no active user of this portal."
    if not allowed(maker, PlanPermission.DRILL, schedule.plan):
        return f"{schedule.made_by}, by whose right it starts, may not start drills of the plan."
    cleans_up = schedule.clean_up_after_hours is not None
    if cleans_up and not allowed(maker, PlanPermission.TERMINATE, schedule.plan):
        return f"{schedule.made_by}, by whose right it is cleaned up, may not do that."
    return ""
