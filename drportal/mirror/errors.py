from drportal.errors import DomainError, Kind


class TableHasAnotherKey(DomainError):
    """A table of this name exists, but the mirror did not make it."""

    code = "mirror.table_has_another_key"
    kind = Kind.CONFLICT

    def __init__(self, name: str, *, key: list[str], wanted: str) -> None:
        super().__init__(
            f"Table {name} exists and is keyed by {', '.join(key)}, not by {wanted}.", table=name
        )
