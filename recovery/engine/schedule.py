"""When to look again: often while something is about to happen, seldom otherwise."""

from datetime import timedelta

_SLOWEST_RETRY = timedelta(seconds=60)


def poll_after(
    unchanged: timedelta, *, ending: bool, fastest: timedelta, slowest: timedelta
) -> timedelta:
    """How long to wait before the next poll, if nothing has changed for `unchanged`.

    A tenth of that time: what has stood still for minutes will not be missed by seconds. But when
    a job may be `ending`, the next wave waits for every second, so it is watched closely.
    """
    return fastest if ending else min(max(unchanged / 10, fastest), slowest)


def retry_after(failures: int, *, fastest: timedelta, asked_for: float | None) -> timedelta:
    """How long to wait after `failures` failures in a row: doubling, up to a minute.

    `asked_for` is what AWS asked for, in seconds; it is honoured within the same minute.
    """
    doubled = fastest * float(2 ** min(max(failures - 1, 0), 10))
    wanted = timedelta(seconds=asked_for or 0)
    return min(max(doubled, wanted), _SLOWEST_RETRY)
