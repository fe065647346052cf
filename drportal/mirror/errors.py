from drportal.errors import DomainError, Kind


class TableHasAnotherKey(DomainError):
    """A table of this name exists, but the mirror did not make it."""

    code = "mirror.table_has_another_key"
    kind = Kind.CONFLICT

    def __init__(self, name: str, *, key: list[str], wanted: str) -> None:
        super().__init__(
            f"Table {name} exists and is keyed by {', '.join(key)}, not by {wanted}.", table=name
        )


class HeldByAnotherPortal(DomainError):
    """Another portal writes to the tables, so this one must not."""

    code = "mirror.held_by_another_portal"
    kind = Kind.CONFLICT

    def __init__(self, holder: object) -> None:
        super().__init__(
            f"The tables are those of another portal ({holder}). Give this portal a prefix of its "
            "own, or hand them over: manage.py mirror take-over --confirm, or restore --take-over"
        )


class DatabaseIsNotEmpty(DomainError):
    """A restore writes into an empty database only."""

    code = "mirror.database_is_not_empty"
    kind = Kind.CONFLICT

    def __init__(self, kinds: list[str]) -> None:
        held = ", ".join(kinds)
        super().__init__(f"The database is not empty: it holds {held}.", kinds=kinds)


class ItemNotUnderstood(DomainError):
    """An item that a restore reads is not one that the mirror wrote, or it is damaged."""

    code = "mirror.item_not_understood"
    kind = Kind.CONFLICT

    def __init__(self, kind: str, key: str, why: str) -> None:
        super().__init__(f"{kind} {key}: {why}.", kind=kind, key=key)


class NotAllRestored(DomainError):
    """Some of what the mirror holds does not fit together, and nobody accepted to lose it."""

    code = "mirror.not_all_restored"
    kind = Kind.CONFLICT

    def __init__(self, left_out: list[str]) -> None:
        super().__init__(
            f"{len(left_out)} objects cannot be restored; nothing was written. To restore the rest "
            "without them, repeat with --accept-losses. " + " ".join(left_out),
            left_out=left_out,
        )
