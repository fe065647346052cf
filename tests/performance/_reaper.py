"""What makes real workers of `chaos` die: a handler that listens to the engine's checkpoints.

It writes each one down and, now and then, kills its own process with SIGKILL, until enough have
died.
"""

import json
import logging
import os
import random
import signal
import time
from pathlib import Path

from tests.journeys.kills import key_of


class Reaper(logging.Handler):
    """`KILLS` names a directory whose file `wanted` says how many may die."""

    def __init__(self) -> None:
        super().__init__()
        self._place = Path(os.environ["KILLS"])
        self._likely = float(os.environ["KILLS_LIKELY"])

    def emit(self, record: logging.LogRecord) -> None:
        key, point = key_of(record.__dict__), record.getMessage()
        line = {"at": time.time(), "point": point, "key": key, "pid": os.getpid()}
        self._write("seen.jsonl", line)
        # A process of its own source: those of a pool are copies of one.
        if random.SystemRandom().random() < self._likely and self._takes_one():
            self._write("killed.jsonl", line)
            os.kill(os.getpid(), signal.SIGKILL)

    def _takes_one(self) -> bool:
        for number in range(int((self._place / "wanted").read_text())):
            try:
                (self._place / f"killed-{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False

    def _write(self, name: str, line: dict[str, object]) -> None:
        with (self._place / name).open("a") as file:
            file.write(json.dumps(line) + "\n")


def read(path: Path) -> list[dict[str, object]]:
    """The lines that were written there."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
