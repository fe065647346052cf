"""Starting a plan by command: what may be chosen, and who may."""

from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.core.management.base import CommandError, CommandParser

from audit.services import record_refusal
from drportal.access import allowed
from drportal.actor import Actor
from drportal.errors import DomainError, Forbidden
from recovery.engine.options import POINT_ID, StartOptions
from recovery.models import Execution, RecoveryPlan
from recovery.permissions import PlanPermission
from recovery.selectors import plans_for
from recovery.services import executions
from recovery.states import Kind

_PERMISSIONS: Final = {Kind.DRILL: PlanPermission.DRILL, Kind.RECOVERY: PlanPermission.RECOVER}


def add_arguments(parser: CommandParser) -> None:
    """What `start` takes beside what every command takes."""
    group = parser.add_argument_group("start")
    group.add_argument("--kind", choices=Kind.values, default=Kind.DRILL.value)
    group.add_argument("--ticket", default="", help="where it was asked for")
    group.add_argument("--from-wave", type=int, default=1, help="leave out the waves before")
    group.add_argument("--only-wave", type=int, action="append", default=[])
    group.add_argument(
        "--point",
        type=_point,
        action="append",
        default=[],
        metavar="SERVER=POINT",
        help="launch this server from this recovery point (pit-...)",
    )
    group.add_argument(
        "--not-after",
        type=_moment,
        help="launch from the newest recovery point at or before this time, with its zone",
    )
    group.add_argument(
        "--override-preflight",
        action="store_true",
        help="start, or approve, although a preflight says no",
    )


def start(user: User, options: dict[str, Any], actor: Actor) -> str:
    """Start the plan that `options` name, and say what was started. Raises CommandError."""
    plan = plans_for(user).filter(pk=options["id"]).first()
    if plan is None:
        raise CommandError(f"There is no plan {options['id']} that they may see.", returncode=2)
    try:
        execution = _start(plan, user, options, actor)
    except DomainError as error:
        told = {"code": error.code, "detail": error.detail}
        record_refusal("command.executions.start", actor=actor, subject=plan, **told)
        raise CommandError(error.detail, returncode=2) from error
    return f"The {execution} was started: {execution.pk}"


def _start(plan: RecoveryPlan, user: User, options: dict[str, Any], actor: Actor) -> Execution:
    kind = Kind(options["kind"])
    wanted = [_PERMISSIONS[kind]]
    wanted += [PlanPermission.OVERRIDE_PREFLIGHT] if options["override_preflight"] else []
    for permission in wanted:
        if not allowed(user, permission, plan):
            who = user.get_username()
            raise Forbidden(f"{who} may not start {plan} like this.", permission=str(permission))
    return executions.start(
        plan,
        kind=kind,
        options=StartOptions(
            from_wave=options["from_wave"],
            waves=frozenset(options["only_wave"]),
            server_ids=frozenset(options["server"]),
            points=dict(options["point"]),
            not_after=options["not_after"],
            ticket=options["ticket"],
        ),
        reason=options["reason"],
        confirmation=options["confirm"],
        overriding=options["override_preflight"],
        actor=actor,
    )


def _point(text: str) -> tuple[str, str]:
    server, equals, point = text.partition("=")
    if not (server and equals and POINT_ID.fullmatch(point)):
        raise ValueError(text)
    return server, point


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(text)
    return found
