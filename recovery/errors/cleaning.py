"""What can be refused to people who clean up after an execution."""

from collections.abc import Sequence

from drportal.errors import DomainError, Kind


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
