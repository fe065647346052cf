"""What can be refused in recovery, each with a code that stays for ever."""

from collections.abc import Iterable, Sequence

from drportal.errors import DomainError, InvalidInput, Kind


class PlanNameTaken(DomainError):
    """Names are unique regardless of case."""

    code = "recovery.plan_name_taken"
    kind = Kind.CONFLICT
    known_as = "RP_NAME_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a recovery plan named {name} already.", name=name)


class PlanChanged(DomainError):
    """Somebody else saved the plan first."""

    code = "recovery.plan_changed"
    kind = Kind.CONFLICT
    known_as = "VERSION_CONFLICT"

    def __init__(self, plan: object, *, expected: int, current: int) -> None:
        super().__init__(
            f"{plan} was changed meanwhile: the change was meant for version {expected}, "
            f"and it is at version {current} now.",
            expected_version=expected,
            current_version=current,
        )


class PlanIsRunning(DomainError):
    """A plan cannot be deleted while it is being carried out."""

    code = "recovery.plan_is_running"
    kind = Kind.CONFLICT
    known_as = "PLAN_HAS_ACTIVE_EXECUTION"

    def __init__(self, plan: object) -> None:
        super().__init__(f"{plan} is being carried out; it can be deleted when that has ended.")


class PlanAlreadyRunning(DomainError):
    """One execution of a plan at a time."""

    code = "recovery.plan_already_running"
    kind = Kind.CONFLICT

    def __init__(self, plan: object, execution_id: object) -> None:
        super().__init__(
            f"{plan} is being carried out already, by execution {execution_id}. "
            "Cancel that or let it end.",
            execution_id=str(execution_id),
        )


class ServersHeld(DomainError):
    """Other executions hold some of the servers."""

    code = "recovery.servers_held"
    kind = Kind.CONFLICT
    known_as = "SERVER_CONFLICT"

    def __init__(self, held: Iterable[tuple[str, str, object]]) -> None:
        rows = sorted((server, plan, str(execution)) for server, plan, execution in held)
        told = "; ".join(
            f"{server} by execution {execution} of {plan}" for server, plan, execution in rows[:20]
        )
        more = f"; and {len(rows) - 20} more" if len(rows) > 20 else ""  # noqa: PLR2004  # as above
        executions = sorted({execution for _, _, execution in rows})
        super().__init__(
            f"Servers are held by another execution: {told}{more}.", execution_ids=executions
        )


class PlanHasNoServers(DomainError):
    """A wave that would launch nothing."""

    code = "recovery.wave_without_servers"
    kind = Kind.CONFLICT


class ServerTwice(DomainError):
    """A server would be launched twice in one execution."""

    code = "recovery.server_twice"
    kind = Kind.CONFLICT


class ServersNotReady(DomainError):
    """Servers that DRS could not launch, or of which that is not known."""

    code = "recovery.servers_not_ready"
    kind = Kind.CONFLICT
    known_as = "UNHEALTHY_SERVER_REPLICATION"

    def __init__(self, reasons: Iterable[tuple[str, str]]) -> None:
        rows = sorted(reasons)
        told = "; ".join(f"{name}: {reason}" for name, reason in rows[:20])
        more = f"; and {len(rows) - 20} more" if len(rows) > 20 else ""  # noqa: PLR2004  # as above
        super().__init__(f"Not every server can be launched: {told}{more}.")


class ConfirmationNeeded(DomainError):
    """A recovery is started only by somebody who types the plan's name."""

    code = "recovery.confirmation_needed"
    kind = Kind.INVALID

    def __init__(self, plan: object) -> None:
        super().__init__(
            f"To start a real recovery, give the plan's name ({plan}) as the confirmation."
        )


class ExecutionEnded(DomainError):
    """The execution has ended; nothing can be steered any more."""

    code = "recovery.execution_ended"
    kind = Kind.CONFLICT

    def __init__(self, execution: object, state: str) -> None:
        super().__init__(f"The {execution} has ended ({state.lower()}).", state=state)


class GateNotReached(DomainError):
    """No wave waits at the gate that was to be opened."""

    code = "recovery.no_wave_waiting"
    kind = Kind.CONFLICT

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not wait at a gate.")


class ExecutionNotEnded(DomainError):
    """What an execution launched can be terminated once it has ended."""

    code = "recovery.execution_not_ended"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"The {execution} has not ended; it can be cleaned up after that.")


class LaunchesStillRun(DomainError):
    """The execution has ended, but DRS still works on some of its servers."""

    code = "recovery.launches_still_run"
    kind = Kind.CONFLICT

    def __init__(self, execution: object, jobs: Sequence[str]) -> None:
        told = ", ".join(sorted(jobs)[:20])
        super().__init__(
            f"DRS still launches servers of the {execution} ({told}). It can be cleaned up when "
            "those jobs have ended."
        )


class TerminationUnderWay(DomainError):
    """One clean-up of an execution at a time."""

    code = "recovery.termination_under_way"
    kind = Kind.CONFLICT

    def __init__(self, termination: object, *, termination_id: object) -> None:
        super().__init__(
            f"The {termination} is under way. Another can be asked for when it has ended.",
            termination_id=str(termination_id),
        )


class NothingToTerminate(DomainError):
    """No instance of the execution is left, as far as is known."""

    code = "recovery.nothing_to_terminate"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"Nothing that the {execution} launched is left.")


class TerminationNotConfirmed(DomainError):
    """What a recovery launched is terminated only by somebody who types the plan's name."""

    code = "recovery.termination_not_confirmed"
    kind = Kind.INVALID

    def __init__(self, plan_name: str) -> None:
        super().__init__(
            "To terminate what a real recovery launched, give the plan's name "
            f"({plan_name}) as the confirmation."
        )


class LegacyAddsOnly(DomainError):
    """A document of the reference system says too little to bring what is there up to date."""

    code = "recovery.legacy_adds_only"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "A document of the reference system can only add: it does not hold all that a group or "
            "a plan here has. Import it with the mode ADD_ONLY."
        )


class GroupWasRefused(DomainError):
    """A plan needs a group that its own document brings and that was refused."""

    code = "recovery.group_was_refused"
    kind = Kind.CONFLICT
    known_as = "CASCADE_FAILURE"

    def __init__(self, name: str) -> None:
        super().__init__(f"It needs the group {name!r}, which was refused.", group=name)


class ChosenServersGone(DomainError):
    """A wave names servers that its group no longer holds."""

    code = "recovery.chosen_servers_gone"
    kind = Kind.CONFLICT

    def __init__(self, gone: Iterable[tuple[str, str, str]]) -> None:
        rows = sorted(gone)
        told = "; ".join(f"{server} of {group} ({wave})" for wave, group, server in rows[:20])
        more = f"; and {len(rows) - 20} more" if len(rows) > 20 else ""  # noqa: PLR2004  # as above
        super().__init__(
            f"Servers that the plan names are no longer in their group: {told}{more}. "
            "Edit the plan or the group."
        )


class ChannelNameTaken(DomainError):
    """The names of a plan's notice channels are unique."""

    code = "recovery.channel_name_taken"
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a channel named {name} already.", name=name)


class InvalidPlanName(InvalidInput):
    """The plan's name, and nothing else, breaks a rule."""

    known_as = "INVALID_NAME"


class UnknownPlanGroup(InvalidInput):
    """A plan names protection groups that are not there, or not to be seen."""

    known_as = "PG_NOT_FOUND"


class InvalidAddresses(InvalidInput):
    """The notification addresses, and nothing else, break a rule."""

    known_as = "INVALID_EMAIL"


class InvalidWaves(InvalidInput):
    """The waves, and nothing else, break a rule."""

    known_as = "INVALID_WAVE_DATA"


def invalid_plan(complaints: Sequence[dict[str, str]]) -> InvalidInput:
    """The error that says these complaints: by the reference's code if they are all of a kind."""
    fields = {complaint["field"].partition("[")[0] for complaint in complaints}
    codes = {complaint["code"] for complaint in complaints}
    error = InvalidInput
    if fields == {"name"}:
        error = InvalidPlanName
    elif codes == {"unknown_group"}:
        error = UnknownPlanGroup
    elif fields == {"notification_addresses"}:
        error = InvalidAddresses
    elif fields == {"waves"}:
        error = InvalidWaves
    return error("The plan is not valid.", errors=list(complaints))


class PreflightAlreadyRunning(DomainError):
    """One preflight of a plan at a time."""

    code = "recovery.preflight_already_running"
    kind = Kind.CONFLICT

    def __init__(self, plan: object, preflight_id: object) -> None:
        super().__init__(
            f"A preflight of {plan} is running already. Wait for what it finds.",
            preflight_id=str(preflight_id),
        )


class PreflightNeeded(DomainError):
    """Nobody has looked lately whether the plan could be started, as it is now."""

    code = "recovery.preflight_needed"
    kind = Kind.CONFLICT

    def __init__(self, plan: object, why: str) -> None:
        super().__init__(f"{plan} needs a preflight before it is started: run one. {why}")


class PreflightBlocks(DomainError):
    """The preflight found what keeps the plan from being started, or could not find out."""

    code = "recovery.preflight_blocks"
    kind = Kind.CONFLICT

    def __init__(
        self, plan: object, found: str, *, codes: Sequence[str], preflight: object
    ) -> None:
        super().__init__(
            f"The preflight of {plan} keeps it from being started. {found}",
            checks=list(codes),
            preflight_id=str(preflight),
        )


class OverrideNeedsReason(InvalidInput):
    """Whoever starts a plan although it would be refused says why."""

    def __init__(self) -> None:
        message = "Say why it is started although a check keeps it from being started."
        super().__init__(
            message, errors=[{"field": "reason", "code": "reason_needed", "message": message}]
        )
