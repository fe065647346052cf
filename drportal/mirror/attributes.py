"""How values are written in the mirror's items."""

from datetime import UTC, datetime, timedelta


def moment(at: datetime | None) -> str | None:
    """A time in ISO 8601, UTC, to the microsecond: 2026-01-31T09:00:00.000000Z. They sort."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def epoch(at: datetime | None) -> int | None:
    """A time in whole seconds since 1970."""
    return None if at is None else int(at.timestamp())


def seconds(span: timedelta | None) -> int | None:
    """A span in whole seconds."""
    return None if span is None else int(span.total_seconds())
