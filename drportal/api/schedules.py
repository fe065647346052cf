"""What the API wants done over and over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task that beat sends every so many seconds; a message not taken by `expires` is dropped."""

    name: str
    task: str
    every: int
    queue: str
    expires: int


SCHEDULES = (
    Schedule(
        "Forget old idempotency keys",
        task="api.purge_idempotency_keys",
        every=24 * 3600,
        queue="default",
        expires=3600,
    ),
)
