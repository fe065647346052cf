"""A watchdog that ends what a killed process could not end itself.

The kernel tells a child that its parent died, but not that child's own children: a worker's pool
would live on. So a small process of its own holds the other end of a pipe, learns the process
groups that are started, and ends them when the pipe closes.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

_GRACE_SECONDS = 5
_PAUSE = 0.05


class Keeper:
    """Our end of the pipe."""

    def __init__(self, *, log: Path) -> None:
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "drportal.embedded.keeper"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=Path(__file__).resolve().parents[2],
                start_new_session=True,
            )

    def watch(self, group: int) -> None:
        """End the process group when this process dies."""
        self._say(f"watch {group}")

    def forget(self, group: int) -> None:
        """The group has ended: its number may soon be another's."""
        self._say(f"forget {group}")

    def close(self) -> None:
        """End what is still watched, and the keeper."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(_GRACE_SECONDS + 5)

    def _say(self, line: str) -> None:
        stream = self._process.stdin
        if stream is None:
            raise ValueError("the keeper has no input")
        stream.write(f"{line}\n".encode())
        stream.flush()


def listen(lines: Iterable[str]) -> set[int]:
    """The groups that are watched when the lines end."""
    watched: set[int] = set()
    for line in lines:
        verb, _, group = line.partition(" ")
        if verb == "watch":
            watched.add(int(group))
        else:
            watched.discard(int(group))
    return watched


def end(groups: set[int]) -> None:
    """Ask the groups to end, and kill those that have not within the grace period."""
    deadline = time.monotonic() + _GRACE_SECONDS
    left = {group for group in groups if _signalled(group, signal.SIGTERM)}
    while left and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        left = {group for group in left if _signalled(group, 0)}
    for group in left:
        _signalled(group, signal.SIGKILL)


def main(lines: TextIO) -> None:
    """Listen until the pipe closes, which alone ends the keeper, then end what is watched."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(listen(lines))


def _signalled(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.stdin)
