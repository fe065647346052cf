"""What can be refused to people who import a configuration, and set up channels."""

from drportal.errors import DomainError, Kind


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


class ChannelNameTaken(DomainError):
    """The names of a plan's notice channels are unique."""

    code = "recovery.channel_name_taken"
    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a channel named {name} already.", name=name)
