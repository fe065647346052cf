"""What can be refused to people who fail back after a recovery."""

from collections.abc import Sequence

from drportal.errors import DomainError, Kind


def _some(names: Sequence[str]) -> str:
    """The first of some names; a sentence holds no thousand."""
    more = f", and {len(names) - 20} more" if len(names) > 20 else ""  # noqa: PLR2004  # as it says
    return ", ".join(names[:20]) + more


class NotARecovery(DomainError):
    """What a drill launched is a copy: nobody has worked on it, and it does not go back."""

    code = "recovery.failback_after_recovery_only"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"The {execution} was a drill. Only after a recovery is failed back.")


class FailbackTooEarly(DomainError):
    """The execution, or a launch of it, is still under way."""

    code = "recovery.failback_too_early"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"The {execution}, or a launch of it, is under way. It can be failed back after that."
        )


class FailbackUnderWay(DomainError):
    """While servers go back, nothing else is done to them."""

    code = "recovery.failback_under_way"
    kind = Kind.CONFLICT

    def __init__(self, failback: object, *, failback_id: object) -> None:
        super().__init__(
            f"The {failback} is under way. Let it end, or cancel it.", failback_id=str(failback_id)
        )


class NothingToFailBack(DomainError):
    """No instance of the execution is left that could go back, as far as is known."""

    code = "recovery.nothing_to_fail_back"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"Nothing that the {execution} launched is left to be failed back.")


class FailbackNotConfirmed(DomainError):
    """A failback is started only by somebody who types the plan's name."""

    code = "recovery.failback_not_confirmed"
    kind = Kind.INVALID

    def __init__(self, plan_name: str) -> None:
        super().__init__(f"To fail back, give the plan's name ({plan_name}) as the confirmation.")


class NoFailback(DomainError):
    """There is no failback under way that could be steered."""

    code = "recovery.no_failback"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"No failback after the {execution} is under way.")


class FailbackGateNotReached(DomainError):
    """The failback does not wait at that gate."""

    code = "recovery.failback_gate_not_reached"
    kind = Kind.CONFLICT

    def __init__(self, failback: object, state: str) -> None:
        super().__init__(
            f"The {failback} does not wait at this gate now ({state.lower()}).", state=state
        )


class FailbackNotReady(DomainError):
    """Everything that is to be launched back has to be ready, by a look that is not old."""

    code = "recovery.failback_not_ready"
    kind = Kind.CONFLICT

    def __init__(self, why: Sequence[tuple[str, str]]) -> None:
        told = "; ".join(f"{name}: {reason}" for name, reason in why[:20])
        more = f"; and {len(why) - 20} more" if len(why) > 20 else ""  # noqa: PLR2004  # as it says
        super().__init__(
            f"Not everything is ready to be launched back. {told}{more}. Wait, or leave it out.",
            servers=[name for name, _ in why],
        )


class NotInTheFailback(DomainError):
    """Servers were named that the failback does not have."""

    code = "recovery.not_in_the_failback"
    kind = Kind.INVALID

    def __init__(self, server_ids: Sequence[str]) -> None:
        super().__init__(f"The failback does not have {_some(server_ids)}.", servers=[*server_ids])


class LaunchedBack(DomainError):
    """What has been asked to be launched back cannot be left out any more."""

    code = "recovery.launched_back"
    kind = Kind.CONFLICT

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"It is too late to leave out {_some(names)}: only what DRS has not been asked to "
            "launch back can be left out.",
            servers=[*names],
        )
