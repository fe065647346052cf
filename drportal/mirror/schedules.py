"""What the frame and the mirror want done over and over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """A task that beat sends every so many seconds.

    A message that no worker has taken after `expires` seconds is dropped, so that they never pile
    up: the next one does the same.
    """

    name: str
    task: str
    every: int
    queue: str
    expires: int


SCHEDULES = (
    Schedule("Send changes to DynamoDB", task="mirror.drain", every=1, queue="mirror", expires=5),
    Schedule("Heartbeat", task="drportal.heartbeat", every=5, queue="default", expires=30),
)
