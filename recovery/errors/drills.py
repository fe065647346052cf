"""What can be refused to people who schedule drills, and choose that they are cleaned up."""

from drportal.errors import DomainError, Kind


class NothingScheduled(DomainError):
    """The schedule has no time to come."""

    code = "recovery.nothing_scheduled"
    kind = Kind.CONFLICT

    def __init__(self, schedule: object) -> None:
        super().__init__(f"The {schedule} is not due again: it is disabled, or over.")


class OccurrenceUnderWay(DomainError):
    """A drill of the schedule is about to start already."""

    code = "recovery.occurrence_under_way"
    kind = Kind.CONFLICT

    def __init__(self, occurrence: object, *, occurrence_id: object) -> None:
        super().__init__(
            f"The {occurrence} is about to start, or waits for its approval.",
            occurrence_id=str(occurrence_id),
        )


class OccurrenceOver(DomainError):
    """What became of the occurrence is settled."""

    code = "recovery.occurrence_over"
    kind = Kind.CONFLICT

    def __init__(self, occurrence: object, state: str) -> None:
        super().__init__(f"The {occurrence} waits for nobody: it is {state.lower()}.")


class DrillsOnly(DomainError):
    """What people work with after a disaster is never terminated by itself."""

    code = "recovery.drills_only"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"The {execution} is no drill: what it launched is terminated by people only."
        )


class CleanUpNotPlanned(DomainError):
    """There is no clean-up to come."""

    code = "recovery.clean_up_not_planned"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(f"No clean-up by itself is planned for the {execution}.")


class CleanUpHasBegun(DomainError):
    """It was started by itself once, or there was nothing left to do."""

    code = "recovery.clean_up_has_begun"
    kind = Kind.CONFLICT

    def __init__(self, execution: object) -> None:
        super().__init__(
            f"The clean-up by itself of the {execution} is over: what is left is terminated by "
            "hand."
        )


class NotOfOnePlan(DomainError):
    """Only executions of one plan can be compared, and not one with itself."""

    code = "recovery.not_of_one_plan"
    kind = Kind.CONFLICT

    def __init__(self, one: object, other: object) -> None:
        super().__init__(
            f"The {one} and the {other} are not two executions of one plan that is still there."
        )
