"""What can be refused to people who start plans, and look beforehand."""

from collections.abc import Iterable, Sequence

from drportal.errors import DomainError, InvalidInput, Kind


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
