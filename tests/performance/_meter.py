"""What a worker of the engine measures of itself, piece of work by piece of work.

A piece of work is what lies between two checkpoints: from a lease's being taken to its being let
go. Its line tells when it began and ended, what it is about, which steps it did, how many database
queries it made and how long it waited for AWS.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.httpsession import URLLib3Session
from django.db import connection

_BEGIN, _END = ".leased", ".released"


class Meter(logging.Handler):
    """Listens to the engine's checkpoints. `METER` names the directory of the lines."""

    def __init__(self) -> None:
        super().__init__()
        self._place = Path(os.environ["METER"])
        self._here = threading.local()
        self._answered = URLLib3Session.send
        URLLib3Session.send = self._timed()  # type: ignore[method-assign]  # to look, not to touch

    def emit(self, record: logging.LogRecord) -> None:
        name = record.getMessage()
        if name.endswith(_BEGIN):
            self._begin(name.removesuffix(_BEGIN), record.__dict__)
        elif name.endswith(_END):
            self._end()
        elif hasattr(self._here, "work"):
            self._here.work["steps"].append(name)

    def _begin(self, what: str, facts: dict[str, Any]) -> None:
        about = facts.get("execution_id") or facts.get("watch_id")
        work = {"what": what, "about": str(about), "begin": time.time(), "steps": []}
        self._here.work = work | {"queries": 0, "aws_calls": 0, "aws_seconds": 0.0}
        if self._count not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._count)

    def _end(self) -> None:
        work = self._here.__dict__.pop("work", None)
        if work is None:
            return
        line = json.dumps(work | {"end": time.time()})
        with (self._place / f"{os.getpid()}.jsonl").open("a") as file:
            file.write(line + "\n")

    def _count(self, execute: Callable[..., Any], *arguments: Any) -> Any:
        if hasattr(self._here, "work"):
            self._here.work["queries"] += 1
        return execute(*arguments)

    def _timed(self) -> Callable[..., Any]:
        def send(session: URLLib3Session, request: Any) -> Any:
            begin = time.perf_counter()
            try:
                return self._answered(session, request)
            finally:
                if hasattr(self._here, "work"):
                    self._here.work["aws_calls"] += 1
                    self._here.work["aws_seconds"] += time.perf_counter() - begin

        return send


def lines(place: Path) -> list[dict[str, Any]]:
    """What all workers wrote there."""
    return [
        json.loads(line)
        for path in sorted(place.glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]
