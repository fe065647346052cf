from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """Real time. `speed` divides the durations that are planned; it does not scale `now()`."""

    def __init__(self, speed: float = 1.0) -> None:
        self.speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not value > 0:
            raise ValueError(f"The speed must be above zero, not {value}.")
        self._speed = float(value)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return datetime.now(UTC)

    def scaled(self, duration: timedelta) -> timedelta:
        """How long something that takes `duration` in AWS takes here."""
        return duration / self.speed


class ManualClock(Clock):
    """A clock that stands still until a test advances it."""

    def __init__(self, start: datetime, speed: float = 1.0) -> None:
        super().__init__(speed)
        if start.tzinfo is None:
            raise ValueError("A clock starts at an aware time.")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, duration: timedelta) -> None:
        if duration < timedelta():
            raise ValueError("Time does not go back.")
        self._now += duration
