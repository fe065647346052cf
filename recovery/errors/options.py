"""What can be refused to people who start a part of a plan, or from chosen recovery points."""

from collections.abc import Sequence

from drportal.errors import DomainError, InvalidInput, Kind


class InvalidOptions(InvalidInput):
    """What was chosen for a start is not in the plan, or contradicts itself."""

    def __init__(self, complaints: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            " ".join(message for _, message in complaints) or "The options do not fit the plan.",
            errors=[
                {"field": field, "code": "invalid_option", "message": message}
                for field, message in complaints
            ],
        )


class RecoveryPointUnknown(DomainError):
    """For a server, no recovery point at or before the wanted time was found."""

    code = "recovery.recovery_point_unknown"
    kind = Kind.CONFLICT

    def __init__(self, servers: Sequence[str]) -> None:
        named = ", ".join(servers[:20]) + (" and more" if len(servers) > 20 else "")  # noqa: PLR2004  # a sentence
        super().__init__(
            f"No recovery point at or before that time is known of {named}. Run a preflight with "
            "the same options, which asks DRS, or choose their recovery points. They are not "
            "launched from the latest instead.",
            servers=list(servers),
        )
