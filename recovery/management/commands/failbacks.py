from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.services import record_refusal
from drportal.access import allowed
from drportal.actor import Actor, Door
from drportal.errors import DomainError, Forbidden
from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.models import Execution
from recovery.permissions import PlanPermission
from recovery.selectors import executions_for
from recovery.services import failbacks

_WHAT = ("start", "open-gate", "leave-out", "cancel", "show")


class Command(BaseCommand):
    help = (
        "Brings what a recovery launched back to where it came from; workers carry it out. "
        "start: let it replicate back; --confirm takes the plan's name, --reason is needed. "
        "open-gate: --gate LAUNCH launches back what is ready, --gate FINISH confirms that it "
        "works, and its recovery instances are terminated. "
        "leave-out: leave each --server out, with a --reason. "
        "cancel: stop what replicates, and launch nothing more. "
        "show: how each server stands. "
        "Whoever --as names needs the permission on the plan, and is in the record."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=_WHAT)
        parser.add_argument("id", type=UUID, help="the execution's id")
        parser.add_argument("--as", dest="who", required=True, help="the user who asks this")
        parser.add_argument("--reason", default="", help="why; it stays in the timeline")
        parser.add_argument("--confirm", default="", help="the plan's name, to start")
        parser.add_argument("--gate", choices=Gate.values, help="which gate is opened")
        parser.add_argument("--server", action="append", default=[], help="an id at DRS")

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["who"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['who']!r}.", returncode=2)
        actor = Actor.of(user, door=Door.DIRECT)
        execution = _found(user, options["id"])
        if options["what"] == "show":
            self._show(execution)
            return
        try:
            _must_be_allowed(user, execution)
            getattr(self, f"_{options['what'].replace('-', '_')}")(execution, options, actor)
        except DomainError as error:
            event = f"command.failbacks.{options['what'].replace('-', '_')}"
            told = {"code": error.code, "detail": error.detail}
            record_refusal(event, actor=actor, subject=execution, **told)
            raise CommandError(error.detail, returncode=2) from error
        self.stdout.write(f"Noted for the {execution}.")

    def _start(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        failbacks.request(
            execution, reason=options["reason"], confirmation=options["confirm"], actor=actor
        )

    def _open_gate(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        if options["gate"] is None:
            raise CommandError("Name the gate by --gate.", returncode=2)
        gate = Gate(options["gate"])
        failbacks.open_gate(execution, gate=gate, comment=options["reason"], actor=actor)

    def _leave_out(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        failbacks.leave_out(
            execution, server_ids=options["server"], reason=options["reason"], actor=actor
        )

    def _cancel(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        failbacks.cancel(execution, reason=options["reason"], actor=actor)

    def _show(self, execution: Execution) -> None:
        for failback in failbacks.told(execution):
            state = FailbackState(failback.state).label
            self.stdout.write(f"{failback.created_at:%Y-%m-%d %H:%M:%S} {state}")
            gate = failbacks.waits_at(failback)
            if gate is not None:
                self.stdout.write(f"  waits for a person at the gate {gate}")
            for row in failback.instances.all():
                label = ReturnState(row.state).label
                self.stdout.write(f"  {row} of {row.server.name}: {label}. {row.message}".rstrip())
        standing = failbacks.standing(execution)
        refusal = standing.refusal
        self.stdout.write(f"{len(standing.left)} instances could go back.")
        if refusal is not None:
            self.stdout.write(refusal.detail)


def _must_be_allowed(user: User, execution: Execution) -> None:
    wanted = PlanPermission.FAIL_BACK
    if not allowed(user, wanted, execution.plan):
        raise Forbidden(
            f"{user.get_username()} may not fail back after the {execution}.",
            permission=str(wanted),
        )


def _found(user: User, pk: UUID) -> Execution:
    found = executions_for(user).select_related("plan").filter(pk=pk).first()
    if found is None:
        raise CommandError(f"There is no execution {pk} that they may see.", returncode=2)
    return found
