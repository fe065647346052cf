"""Killing a worker at a named point: a log handler that listens to the engine's checkpoints.

The portal only logs its checkpoints. This handler, put in place by `worker_settings`, writes each
one to a file and, where the test's list says so, kills its own process with SIGKILL, once.
"""

import json
import logging
import os
import signal
import time
from pathlib import Path
from typing import Any


class Killer(logging.Handler):
    """`KILLS` names a directory with `wanted.json`: {"name|key": true}; see `key_of`."""

    def __init__(self) -> None:
        super().__init__()
        self._place = Path(os.environ["KILLS"])

    def emit(self, record: logging.LogRecord) -> None:
        key = key_of(record.__dict__)
        line = {"at": time.time(), "point": record.getMessage(), "key": key, "pid": os.getpid()}
        with (self._place / "seen.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        wanted = self._place / "wanted.json"
        name = f"{record.getMessage()}|{key}"
        if wanted.exists() and name in json.loads(wanted.read_text()) and self._first(name):
            os.kill(os.getpid(), signal.SIGKILL)

    def _first(self, name: str) -> bool:
        try:
            (self._place / f"killed-{name.replace('|', '-')}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def key_of(facts: dict[str, Any]) -> str:
    """What a checkpoint is about: an execution, a clean-up, or a watch."""
    about = facts.get("execution_id") or facts.get("termination_id")
    return str(about or f"watch-{facts.get('watch_id')}")
