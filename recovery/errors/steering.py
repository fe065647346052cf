"""What can be refused to people who steer an execution."""

from collections.abc import Iterable

from drportal.errors import DomainError, Kind


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


class BeingCancelled(DomainError):
    """Whoever wants it to go on, or to stand still, comes after a request to cancel."""

    code = "recovery.being_cancelled"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"The {execution} is being cancelled.")


class NothingToPause(DomainError):
    """A pause holds waves that have not started; there is none."""

    code = "recovery.nothing_to_pause"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"No wave of the {execution} has yet to start, and what DRS launches cannot be paused."
        )


class NotPaused(DomainError):
    """There is no pause to be lifted."""

    code = "recovery.not_paused"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"No pause of the {execution} is requested.")


class GateMustBeNamed(DomainError):
    """Somebody lifted a pause before: who only wants that must not open a gate."""

    code = "recovery.gate_must_be_named"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"The pause of the {execution} has been lifted already. To open a gate, name its wave "
            "by its position."
        )


class WaveNotFound(DomainError):
    """The execution has no wave at that position."""

    code = "recovery.no_such_wave"
    kind = Kind.NOT_FOUND

    def __init__(self, execution: object, position: int) -> None:
        super().__init__(f"The {execution} has no wave {position}.", position=position)


class WaveNotEnded(DomainError):
    """Servers are launched again only in a wave that has launched, and ended."""

    code = "recovery.wave_not_ended"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, state: str) -> None:
        super().__init__(f"The {wave} has not launched and ended: it is {state.lower()}.")


class NothingToRetry(DomainError):
    """No server of the wave failed."""

    code = "recovery.nothing_to_retry"
    kind = Kind.CONFLICT

    def __init__(self, wave: object) -> None:
        super().__init__(f"No server of the {wave} failed or was skipped by DRS.")


class NotRetriable(DomainError):
    """Servers that did not fail in this wave."""

    code = "recovery.not_retriable"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, servers: Iterable[tuple[str, str]]) -> None:
        told = _some(f"{server} is {state}" for server, state in servers)
        super().__init__(f"Only failed servers of the {wave} are launched again: {told}.")


class OutcomeUnknown(DomainError):
    """What may run already is not launched again."""

    code = "recovery.outcome_unknown"
    kind = Kind.CONFLICT

    def __init__(self, servers: Iterable[str]) -> None:
        super().__init__(
            f"What became of {_some(servers)} is not known: it may run. Look in DRS and EC2; what "
            "does not run can be launched by a new execution."
        )


class LaunchNotSettled(DomainError):
    """A launch of the server may be under way."""

    code = "recovery.launch_not_settled"
    kind = Kind.CONFLICT

    def __init__(self, servers: Iterable[str]) -> None:
        super().__init__(
            f"A launch job with {_some(servers)} has not ended, or what DRS made of it was never "
            "found out. What may be under way is not launched again."
        )


class InstanceRuns(DomainError):
    """The server was launched, and its instance is there."""

    code = "recovery.instance_runs"
    kind = Kind.CONFLICT

    def __init__(self, servers: Iterable[str]) -> None:
        super().__init__(
            f"{_some(servers)}: launched, and the instance is there; only checks did not pass. DRS "
            "would replace it by another launch. Have it checked again, or mark a check as passed."
        )


class NothingToCheck(DomainError):
    """No server of the wave is waiting to be checked again."""

    code = "recovery.nothing_to_check"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, servers: Iterable[str] = ()) -> None:
        named = f" among {_some(servers)}" if servers else ""
        super().__init__(
            f"{wave} has no server{named} that was launched, is there still, and whose checks "
            "failed or could not be made."
        )


class CommandMayHaveRun(DomainError):
    """A command of a check may have run, and running it twice may do harm."""

    code = "recovery.command_may_have_run"
    kind = Kind.CONFLICT

    def __init__(self, checks: Iterable[str]) -> None:
        super().__init__(
            f"{_some(checks)}: it is not known whether the command ran, and the plan does not say "
            "that it may run twice. Look for yourself, and mark the check as passed if it is."
        )


class CheckNotFound(DomainError):
    """The execution has no such check."""

    code = "recovery.check_not_found"
    kind = Kind.NOT_FOUND

    def __init__(self, check_id: object) -> None:
        super().__init__(f"The execution has no check {check_id}.")


class CheckHasPassed(DomainError):
    """The check needs nobody's word."""

    code = "recovery.check_has_passed"
    kind = Kind.CONFLICT

    def __init__(self, check: object) -> None:
        super().__init__(f"The {check} has passed already.")


class LaunchedSince(DomainError):
    """A launch would remove the instance that another execution has launched meanwhile."""

    code = "recovery.launched_since"
    kind = Kind.CONFLICT

    def __init__(self, servers: Iterable[tuple[str, object]]) -> None:
        rows = sorted((server, str(execution)) for server, execution in servers)
        told = _some(f"{server} by execution {execution}" for server, execution in rows)
        executions = sorted({execution for _, execution in rows})
        super().__init__(
            f"Launched meanwhile, or perhaps so: {told}. To launch it again would remove that "
            "instance.",
            execution_ids=executions,
        )


class ReasonNeeded(DomainError):
    """What weighs on the outcome is not done without saying why."""

    code = "recovery.reason_needed"
    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Say why.")


class WaveHasStarted(DomainError):
    """Only what has not been launched can be left out."""

    code = "recovery.wave_has_started"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, state: str) -> None:
        super().__init__(f"The {wave} does not wait to be launched: it is {state.lower()}.")


class NotInTheWave(DomainError):
    """Servers that the wave would not launch."""

    code = "recovery.not_in_the_wave"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, server_ids: Iterable[str]) -> None:
        super().__init__(f"The {wave} would not launch {_some(server_ids)}.")


class NothingLeft(DomainError):
    """An execution that launches nothing is cancelled, not emptied."""

    code = "recovery.nothing_left"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"Nothing of the {execution} would be left. Cancel it instead.")


class TimeIsUp(DomainError):
    """No time is left that could be extended."""

    code = "recovery.time_is_up"
    kind = Kind.CONFLICT

    def __init__(self, wave: object) -> None:
        super().__init__(f"The {wave} does not launch, or its time is up: it cannot have more.")


class NothingToOverride(DomainError):
    """No check keeps the wave from launching."""

    code = "recovery.nothing_to_override"
    kind = Kind.CONFLICT

    def __init__(self, wave: object) -> None:
        super().__init__(f"Nothing that AWS said keeps the {wave} from launching.")


def _some(words: Iterable[str]) -> str:
    """The first twenty, and how many more there are."""
    rows = sorted(words)
    more = f"; and {len(rows) - 20} more" if len(rows) > 20 else ""  # noqa: PLR2004  # as above
    return "; ".join(rows[:20]) + more
