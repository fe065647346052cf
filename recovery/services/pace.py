"""How long the engine waits: for DRS to list what it was asked, and after AWS failed."""

from datetime import timedelta

from django.conf import settings

from drportal.aws.errors import AwsError
from recovery.engine import schedule


def seconds(number: float) -> timedelta:
    """So many seconds."""
    return timedelta(seconds=number)


def settle_time() -> timedelta:
    """How long DRS is given to list a job before it is asked again."""
    return seconds(settings.LAUNCH_SETTLE_SECONDS)


def retry_after(failures: int, error: AwsError) -> timedelta:
    """How long to wait after `error`, the last of so many failures: longer each time."""
    return schedule.retry_after(
        failures,
        fastest=seconds(settings.POLL_FASTEST_SECONDS),
        slowest=seconds(settings.POLL_SLOWEST_SECONDS),
        asked_for=error.retry_after,
    )


def poll_after(unchanged: timedelta, *, ending: bool) -> timedelta:
    """How long to wait before the next poll, if nothing has changed for `unchanged`; shorter if
    something is about to end.
    """
    return schedule.poll_after(
        unchanged,
        ending=ending,
        fastest=seconds(settings.POLL_FASTEST_SECONDS),
        slowest=seconds(settings.POLL_SLOWEST_SECONDS),
    )


def between_polls() -> timedelta:
    """How soon after one another a place is polled at most."""
    return seconds(settings.POLL_FASTEST_SECONDS)
