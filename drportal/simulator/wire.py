from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from drportal.simulator.world import world

_DATE_TIME = re.compile(r"(Z|\+00:00)$")


def timestamp(moment: datetime) -> str:
    """As DRS writes it: microseconds and "+00:00"; a "Z" where the model is strict."""
    text = moment.astimezone(UTC).isoformat(timespec="microseconds")
    return _DATE_TIME.sub("Z", text) if world.settings.strict_model else text


def parse_timestamp(text: str) -> datetime:
    """The moment a validated ISO-8601 string names; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def duration(length: timedelta) -> str:
    """An ISO-8601 duration; `P0D` for none, as DRS writes it."""
    if length <= timedelta():
        return "P0D"
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{length.days}D" if length.days else ""
    parts = [f"{hours}H" if hours else "", f"{minutes}M" if minutes else ""]
    if seconds or length.microseconds:
        parts.append(f"{seconds + length.microseconds / 1e6:.6f}".rstrip("0").rstrip(".") + "S")
    time = "".join(parts)
    return f"P{days}{'T' + time if time else ''}"
