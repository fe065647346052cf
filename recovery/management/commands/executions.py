from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from audit.services import record_refusal
from drportal.access import allowed
from drportal.actor import Actor, Door
from drportal.errors import DomainError, Forbidden
from recovery.management import starting
from recovery.models import Execution
from recovery.permissions import PlanPermission
from recovery.selectors import executions_for
from recovery.services import (
    approvals,
    check_requests,
    clean_ups,
    executions,
    gates,
    retries,
    steering,
    terminations,
    wave_overrides,
    wave_settings,
    wave_status,
)
from recovery.states import InstanceOutcome

_WHAT = (
    "start",
    "cancel",
    "pause",
    "resume",
    "retry",
    "skip",
    "extend",
    "approve",
    "reject",
    "check-again",
    "pass-check",
    "override",
    "apply-config",
    "poll",
    "completion",
    "terminate",
    "terminations",
    "veto",
)
# What takes another permission than to steer.
_OTHERS = {
    "approve": (PlanPermission.APPROVE, "approve"),
    "reject": (PlanPermission.APPROVE, "reject"),
    "override": (PlanPermission.OVERRIDE_PREFLIGHT, "override the preflight of"),
}
_CLEANING = ("terminate", "veto")


class Command(BaseCommand):
    help = (
        "Starts a plan, steers an execution and cleans up after it; the engine carries it out when "
        "a worker runs. "
        "start: carry out the plan with this id, or of it --from-wave, each --only-wave, each "
        "--server, from each --point or --not-after. "
        "cancel: launch nothing more. pause: start no further wave. "
        "resume: lift the pause; with --wave, open the gate of that wave. "
        "retry: launch the failed servers of --wave again, or of them each --server. "
        "skip: leave --wave out, or of it each --server, before it launches. "
        "extend: give --wave, which launches, --minutes more. "
        "approve, reject: decide about what somebody else started, by --reason; "
        "with --wave, about its gate. "
        "check-again: make the checks again that launched servers of --wave have not passed. "
        "pass-check: take --check, the id of a check, as passed; --reason says why. "
        "override: let --wave launch although what AWS says keeps it from that. "
        "apply-config: have launch settings applied to what has yet to launch. "
        "poll: have DRS asked now about the jobs of --wave, and say what is known. "
        "completion: have --wave end, if its servers have. "
        "terminate: terminate what it launched; after a recovery --confirm takes the plan's name. "
        "terminations: what became of each instance. "
        "veto: do not let it be cleaned up by itself. "
        "Whoever --as names needs the permission on the plan, and is in the record."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=_WHAT)
        parser.add_argument("id", type=UUID, help="the execution's id; to start, the plan's")
        parser.add_argument("--as", dest="who", required=True, help="the user who asks this")
        parser.add_argument("--reason", default="", help="why; it stays in the timeline")
        parser.add_argument("--wave", type=int, help="the wave's position, from 1")
        parser.add_argument("--minutes", type=_minutes, help=f"1 to {steering.MOST_MINUTES}")
        parser.add_argument("--confirm", default="", help="the plan's name, for a recovery")
        parser.add_argument("--check", type=UUID, help="the id of a check, as the API shows it")
        parser.add_argument("--server", action="append", default=[], help="an id at DRS")
        starting.add_arguments(parser)

    def handle(self, *_: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["who"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {options['who']!r}.", returncode=2)
        actor = Actor.of(user, door=Door.DIRECT)
        if options["what"] == "start":
            self.stdout.write(starting.start(user, options, actor))
            return
        execution = _found(user, options["id"])
        try:
            _must_be_allowed(user, options["what"], execution)
            if options["override_preflight"]:
                _must_be_allowed(user, "override", execution)
            getattr(self, f"_{options['what'].replace('-', '_')}")(execution, options, actor)
        except DomainError as error:
            event = f"command.executions.{options['what']}"
            told = {"code": error.code, "detail": error.detail}
            record_refusal(event, actor=actor, subject=execution, **told)
            raise CommandError(error.detail, returncode=2) from error
        if options["what"] != "terminations":
            self.stdout.write(f"Noted for the {execution}.")

    def _cancel(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        executions.cancel(execution, reason=options["reason"], actor=actor)

    def _pause(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        steering.pause(execution, reason=options["reason"], actor=actor)

    def _resume(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        position, said = options["wave"], options["reason"]
        steering.resume(execution, position=position, comment=said, actor=actor)

    def _retry(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        retries.retry(
            execution,
            position=_wave(options),
            server_ids=options["server"],
            reason=options["reason"],
            actor=actor,
        )

    def _skip(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        steering.leave_out(
            execution,
            position=_wave(options),
            server_ids=options["server"],
            reason=options["reason"],
            actor=actor,
        )

    def _extend(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        if options["minutes"] is None:
            raise CommandError("Say how much by --minutes.", returncode=2)
        steering.extend(
            execution,
            position=_wave(options),
            minutes=options["minutes"],
            reason=options["reason"],
            actor=actor,
        )

    def _approve(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        overriding = options["override_preflight"]
        said, position = options["reason"], options["wave"]
        if position is not None:
            gates.approve(execution, position=position, comment=said, actor=actor)
            return
        approvals.approve(execution, comment=said, overriding=overriding, actor=actor)

    def _reject(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        said, position = options["reason"], options["wave"]
        if position is not None:
            gates.deny(execution, position=position, reason=said, actor=actor)
            return
        approvals.reject(execution, reason=said, actor=actor)

    def _check_again(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        check_requests.again(
            execution,
            position=_wave(options),
            server_ids=options["server"],
            reason=options["reason"],
            actor=actor,
        )

    def _pass_check(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        if options["check"] is None:
            raise CommandError("Name the check by --check.", returncode=2)
        check_requests.pass_by_hand(
            execution, check_id=options["check"], reason=options["reason"], actor=actor
        )

    def _override(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        wave_overrides.override(
            execution, position=_wave(options), reason=options["reason"], actor=actor
        )

    def _apply_config(self, execution: Execution, _: dict[str, Any], actor: Actor) -> None:
        for apply in wave_settings.ask(execution, actor=actor):
            count = apply.servers.count()
            self.stdout.write(f"{apply.group}: {count} servers are to have their launch settings.")

    def _poll(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        self._tell(wave_status.poll(execution, position=_wave(options), actor=actor))

    def _completion(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        self._tell(wave_status.complete(execution, position=_wave(options), actor=actor))

    def _tell(self, status: wave_status.WaveStatus) -> None:
        says = status.by_servers or "nothing, for it never launched"
        self.stdout.write(f"{status.wave} is {status.wave.state}; its servers say {says}.")
        for place in status.places:
            told = f"{place.answered_at:%Y-%m-%d %H:%M:%S} UTC" if place.answered_at else "never"
            trouble = f" {place.trouble}" if place.trouble else ""
            self.stdout.write(
                f"  DRS last told of {place.account_id}/{place.region}: {told}.{trouble}"
            )
        for server in status.servers:
            self.stdout.write(f"  {server}: {server.state}. {server.message}".rstrip())

    def _terminate(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        termination = terminations.request(
            execution, reason=options["reason"], confirmation=options["confirm"], actor=actor
        )
        self.stdout.write(f"{termination.instances.count()} instances are to be terminated.")

    def _veto(self, execution: Execution, options: dict[str, Any], actor: Actor) -> None:
        clean_ups.veto(execution, reason=options["reason"], actor=actor)

    def _terminations(self, execution: Execution, _: dict[str, Any], __: Actor) -> None:
        for termination in terminations.told(execution):
            self.stdout.write(f"{termination.created_at:%Y-%m-%d %H:%M:%S} {termination.state}")
            for row in termination.instances.all():
                label = InstanceOutcome(row.state).label
                self.stdout.write(f"  {row} of {row.server.name}: {label}. {row.message}".rstrip())
        standing = terminations.standing(execution)
        self.stdout.write(f"{len(standing.left)} instances may be there still.")


def _must_be_allowed(user: User, what: str, execution: Execution) -> None:
    """Whoever may see an execution may see its clean-ups; the rest takes a permission."""
    if what == "terminations":
        return
    wanted, doing = _OTHERS.get(what, (PlanPermission.STEER, "steer"))
    if what in _CLEANING:
        wanted, doing = terminations.permission_for(execution), "clean up after"
    if not allowed(user, wanted, execution.plan):
        raise Forbidden(
            f"{user.get_username()} may not {doing} the {execution}.", permission=str(wanted)
        )


def _minutes(text: str) -> int:
    minutes = int(text)
    if not 1 <= minutes <= steering.MOST_MINUTES:
        raise ValueError(text)
    return minutes


def _wave(options: dict[str, Any]) -> int:
    position: int | None = options["wave"]
    if position is None:
        raise CommandError("Name the wave by --wave.", returncode=2)
    return position


def _found(user: User, pk: UUID) -> Execution:
    found = executions_for(user).select_related("plan").filter(pk=pk).first()
    if found is None:
        raise CommandError(f"There is no execution {pk} that they may see.", returncode=2)
    return found
