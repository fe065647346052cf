"""What can be refused to people who approve what others start."""

from drportal.errors import DomainError, Kind


class NotAwaitingApproval(DomainError):
    """There is nothing to approve or reject, or no longer."""

    code = "recovery.not_awaiting_approval"
    kind = Kind.CONFLICT

    def __init__(self, execution: object, state: str) -> None:
        super().__init__(
            f"The {execution} does not wait for an approval (any more): it is {state.lower()}.",
            state=state,
        )


class OwnExecution(DomainError):
    """Approval is a second person's."""

    code = "recovery.own_execution"
    kind = Kind.FORBIDDEN

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"Whoever started the {execution} can neither approve nor reject it. Ask somebody "
            "else, or cancel it."
        )
