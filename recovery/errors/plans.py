"""What can be refused to people who make and change plans."""

from collections.abc import Sequence

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
