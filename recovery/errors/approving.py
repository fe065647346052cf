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


class GateNeedsApprovals(DomainError):
    """A gate that named people open is not opened by whoever may steer."""

    code = "recovery.gate_needs_approvals"
    kind = Kind.CONFLICT

    def __init__(self, what: object) -> None:
        super().__init__(
            f"{what} starts once the people whom its plan names have approved that. Nobody can "
            "open its gate otherwise."
        )


class GateNeedsNoApprovals(DomainError):
    """A gate without named people is opened, not approved."""

    code = "recovery.gate_needs_no_approvals"
    kind = Kind.CONFLICT

    def __init__(self, what: object) -> None:
        super().__init__(f"The gate before {what} needs no approvals: open it by resuming.")


class GateIsShut(DomainError):
    """A gate that was denied, or whose time is over, stays shut."""

    code = "recovery.gate_is_shut"
    kind = Kind.CONFLICT

    def __init__(self, what: object, standing: str) -> None:
        super().__init__(f"The gate before {what} stays shut: it is {standing.lower()}.")


class NotAnApprover(DomainError):
    """Only those who are named decide, and nobody about what starts by their own right."""

    code = "recovery.not_an_approver"
    kind = Kind.FORBIDDEN

    def __init__(self, what: object) -> None:
        super().__init__(f"You are not among those who decide about the {what}.")


class ApproversGone(DomainError):
    """A gate could never open: of those whom the plan names, too few are there."""

    code = "recovery.approvers_gone"
    kind = Kind.CONFLICT

    def __init__(self, wave: object, *, needed: int, there: int) -> None:
        super().__init__(
            f"The gate before {wave} needs {needed} approvals, but of those whom the plan names "
            f"only {there} can give one now. Edit the plan.",
            needed=needed,
            there=there,
        )


class LinkIsOver(DomainError):
    """A link to an approval that does not lead anywhere (any more)."""

    code = "recovery.link_is_over"
    kind = Kind.CONFLICT


class OwnExecution(DomainError):
    """Approval is a second person's."""

    code = "recovery.own_execution"
    kind = Kind.FORBIDDEN

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"Whoever started the {execution} can neither approve nor reject it. Ask somebody "
            "else, or cancel it."
        )
