"""How the checks put numbers, lists and lengths of time into a sentence."""

from collections.abc import Sequence
from datetime import timedelta

_NAMED = 20  # in a sentence; more are counted


def named(rows: Sequence[str]) -> str:
    """The rows in one sentence, at most twenty of them by name."""
    told = "; ".join(sorted(rows)[:_NAMED])
    return told if len(rows) <= _NAMED else f"{told}; and {len(rows) - _NAMED} more"


def counted(number: int, word: str) -> str:
    """How many there are of something: "1 server", "2 servers"."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def lasting(length: timedelta) -> str:
    """A length of time in the largest unit of which it has two, or one exactly; rounded down."""
    seconds = max(int(length.total_seconds()), 0)
    for word, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * size or (seconds >= size and not seconds % size):
            return counted(seconds // size, word)
    return counted(seconds, "second")
