"""Starting a plan through the API: drills and recoveries are two permissions."""

from dataclasses import replace
from typing import Any

from drportal.access import Anybody, allowed
from drportal.actor import Actor
from drportal.errors import Forbidden
from recovery.api.execution_serializers import ExecutionOut
from recovery.engine.options import StartOptions
from recovery.models import Execution, RecoveryPlan
from recovery.permissions import PlanPermission
from recovery.selectors import with_counts
from recovery.services import executions
from recovery.states import Kind

_PERMISSIONS = {Kind.DRILL: PlanPermission.DRILL, Kind.RECOVERY: PlanPermission.RECOVER}


def start(plan: RecoveryPlan, wanted: dict[str, Any], *, user: Anybody, actor: Actor) -> Execution:
    """Start `plan`, which `user` sees, as `wanted`. Raises Forbidden if they may not."""
    kind = Kind(wanted["kind"])
    if not allowed(user, _PERMISSIONS[kind], plan):
        what = f"You may see {plan}, but not start a {kind.label.lower()} of it."
        raise Forbidden(what, permission=str(_PERMISSIONS[kind]))
    overriding = wanted.get("override_preflight", False)
    if overriding and not allowed(user, PlanPermission.OVERRIDE_PREFLIGHT, plan):
        what = f"You may start {plan}, but not despite what its preflight says."
        raise Forbidden(what, permission=str(PlanPermission.OVERRIDE_PREFLIGHT))
    return executions.start(
        plan,
        kind=kind,
        options=replace(options_in(wanted), ticket=wanted.get("ticket", "")),
        reason=wanted.get("reason", ""),
        confirmation=wanted.get("confirmation", ""),
        overriding=overriding,
        actor=actor,
    )


def options_in(wanted: dict[str, Any]) -> StartOptions:
    """What `OptionsIn` took, by the service's names."""
    return StartOptions(
        from_wave=wanted.get("from_wave", 1),
        waves=frozenset(wanted.get("waves", ())),
        server_ids=frozenset(wanted.get("server_ids", ())),
        points=wanted.get("points", {}),
        not_after=wanted.get("not_after"),
    )


def shown(execution: Execution) -> Any:
    """The answer that tells of an execution."""
    return ExecutionOut(with_counts(Execution.objects.filter(pk=execution.pk)).get()).data
