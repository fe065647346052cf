"""Whether an execution waits for a second person, until when, and who that may be."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone

from drportal.actor import Actor
from recovery.models import (
    Execution,
    RecoveryPlan,
    RecoveryPlanGroupPermission,
    RecoveryPlanUserPermission,
)
from recovery.permissions import PlanPermission
from recovery.services.events import note
from recovery.states import ExecutionState, Kind


def terms(plan: RecoveryPlan, *, kind: Kind, needed: bool | None) -> dict[str, Any]:
    """What a new execution of `plan` has in its row about approval. With `needed` None, the plan
    says whether its recoveries need one; drills need none.
    """
    if needed is None:
        needed = kind == Kind.RECOVERY and plan.approval_needed
    if not needed:
        return {}
    return {
        "state": ExecutionState.AWAITING,
        "approval_needed": True,
        "approval_until": timezone.now() + timedelta(hours=settings.APPROVAL_HOURS),
    }


def tell(execution: Execution) -> None:
    """Say in the timeline that it waits, if it does; whoever may approve it gets a notice."""
    if execution.approval_needed:
        until = f"{execution.approval_until:%Y-%m-%d %H:%M} UTC"
        said = f"Waits until {until} for somebody else than {execution.requested_by} to approve it."
        note(execution, "execution.approval_needed", said)


def awaits(execution: Execution) -> bool:
    """Whether a decision would count now."""
    until = execution.approval_until
    return (
        execution.state == ExecutionState.AWAITING
        and execution.approved_at is None
        and execution.cancel_requested_at is None
        and until is not None
        and until > timezone.now()
    )


def is_starter(execution: Execution, actor: Actor) -> bool:
    """Whether `actor` is who asked for it. By the person's id, whichever door they came in by, and
    by the name: that is all there is of an API client, and ids may be others after a restore.
    """
    same_id = actor.user_id is not None and actor.user_id == execution.requested_by_id
    return same_id or actor.name.casefold() == execution.requested_by.casefold()


def approvers(execution: Execution) -> QuerySet[User]:
    """Who may approve `execution`: all active people with the permission but its starter."""
    codename = PlanPermission.APPROVE.partition(".")[2]
    held = {"permission__codename": codename, "content_object": execution.plan_id}
    model_wide = {"codename": codename, "content_type__app_label": "recovery"}
    may = Q(is_superuser=True)
    for path in ("user_permissions", "groups__permissions"):
        may |= Q(**{f"{path}__{name}": value for name, value in model_wide.items()})
    if execution.plan_id is not None:
        own = RecoveryPlanUserPermission.objects.filter(**held)
        of_groups = RecoveryPlanGroupPermission.objects.filter(**held)
        may |= Q(pk__in=own.values("user")) | Q(groups__in=of_groups.values("group"))
    starter = Q(username__iexact=execution.requested_by)
    if execution.requested_by_id is not None:
        starter |= Q(pk=execution.requested_by_id)
    people = User.objects.filter(may, is_active=True).exclude(starter)
    return people.distinct().order_by("username")
