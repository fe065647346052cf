"""When to look again: often while something is about to happen, seldom otherwise."""

from datetime import timedelta

# AWS's own Retry-After is believed up to here.
_LONGEST_ASKED_FOR = timedelta(seconds=60)


def poll_after(
    unchanged: timedelta, *, ending: bool, fastest: timedelta, slowest: timedelta
) -> timedelta:
    """How long to wait before the next poll, if nothing has changed for `unchanged`.

    A tenth of that time: what has stood still for minutes will not be missed by seconds. But when
    a job may be `ending`, the next wave waits for every second, so it is watched closely.
    """
    return fastest if ending else min(max(unchanged / 10, fastest), slowest)


def retry_after(
    failures: int, *, fastest: timedelta, slowest: timedelta, asked_for: float | None
) -> timedelta:
    """How long to wait after `failures` failures in a row: doubling, up to `slowest`.

    `asked_for` is what AWS asked for, in seconds; it is honoured up to a minute. Longer pauses
    would spare AWS nothing, and after an outage they would be time lost.
    """
    doubled = fastest * float(2 ** min(max(failures - 1, 0), 10))
    wanted = min(timedelta(seconds=asked_for or 0), _LONGEST_ASKED_FOR)
    return max(min(doubled, slowest), wanted)
