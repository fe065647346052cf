"""Processes that die and stand still, in one process: what `chaos` does to the engine.

A process dies at a checkpoint or before a database statement. `Death` is no Exception, so nothing
in the engine handles it; what it had in a transaction is rolled back, and its leases stay as they
are, for the dead let go of nothing. Standing still is the opposite: time passes, others take over,
and then the first goes on as if nothing had been.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest import mock

import botocore.endpoint
import time_machine
from django.db import connection
from django.db.models import F

from drportal.aws import session
from recovery.models import Execution, JobWatch, Termination
from recovery.services import launches, leases, termination_jobs

CHECKPOINTS = logging.getLogger("drportal.checkpoint")
_TO_UNDO = ("ROLLBACK", "RELEASE")
# How likely a piece of work dies; by a statement rather than at a checkpoint; stands still.
DIES, BY_STATEMENT, STANDS = 0.6, 0.4, 0.1


class Death(BaseException):
    """The process is no more."""


class Storm(logging.Handler):
    """Listens to the checkpoints and to the database, and lets `run` die or stand still."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self.random = random
        self.deaths: Counter[str] = Counter()
        self.stalls = 0
        self.errors: list[str] = []
        self._passing: Callable[[float], None] = lambda _seconds: None
        self._skipped = 0.0
        self._left = 0
        self._statements = False
        self._dead = False
        self._meanwhile: Callable[[], None] | None = None

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Time is ours inside, and the engine's processes are mortal."""
        level, heard = CHECKPOINTS.level, CHECKPOINTS.propagate
        monotonic = SimpleNamespace(monotonic=lambda: time.monotonic() + self._skipped)
        # What boto sleeps before it tries again is nothing that this measures.
        patient = SimpleNamespace(sleep=lambda _seconds: None)
        release = leases.Lease.release
        CHECKPOINTS.addHandler(self)
        CHECKPOINTS.setLevel(logging.DEBUG)
        CHECKPOINTS.propagate = False
        try:
            with (
                mock.patch.object(botocore.endpoint, "time", patient),
                mock.patch.object(launches, "time", monotonic),
                mock.patch.object(termination_jobs, "time", monotonic),
                mock.patch.object(session, "time", monotonic),
                mock.patch.object(
                    leases.Lease, "release", lambda lease: None if self._dead else release(lease)
                ),
                time_machine.travel(time.time()) as traveller,
                connection.execute_wrapper(self._before_statement),
            ):
                self._passing = traveller.shift
                yield
        finally:
            CHECKPOINTS.removeHandler(self)
            CHECKPOINTS.setLevel(level)
            CHECKPOINTS.propagate = heard

    def pass_time(self, seconds: float) -> None:
        """Time passes everywhere: in AWS, in the portal, and for the leases, which the database
        measures by a clock of its own.
        """
        self._passing(seconds)
        self._skipped += seconds
        for model in (Execution, JobWatch, Termination):
            held = model._default_manager.exclude(leased_until=None)
            held.update(leased_until=F("leased_until") - timedelta(seconds=seconds))

    def run(
        self, work: Callable[[], None], *, meanwhile: Callable[[], None], mortal: bool = True
    ) -> None:
        """Let a process do `work`. A `mortal` one may die of it, or stand still while `meanwhile`
        happens.
        """
        dies, stands = mortal and self.random.random() < DIES, self.random.random() < STANDS
        self._statements = dies and self.random.random() < BY_STATEMENT
        self._left = self.random.randint(1, 25 if self._statements else 4)
        self._meanwhile = meanwhile if mortal and stands and not dies else None
        if not dies and self._meanwhile is None:
            self._left = 0
        try:
            self.surviving(work)
        except Death:
            connection.close()
        finally:
            self._left, self._dead, self._meanwhile = 0, False, None

    def surviving(self, work: Callable[[], None]) -> None:
        """Let a worker's task fail as one does: it is noted, and the worker goes on."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  # whatever it is, Celery logs it and goes on
            self.errors.append(f"{type(error).__name__}: {error}")

    def createLock(self) -> None:  # noqa: N802  # logging's name
        """None: whoever stands still in `emit` must not hold up the others."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        if self._before_statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._before_statement)
        if self._dead:
            raise Death
        if self._left and not self._statements:
            self._left -= 1
            if not self._left:
                self._strike(record.getMessage())

    def _before_statement(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if not sql.startswith(_TO_UNDO):
            if self._dead:
                raise Death
            if self._left and self._statements:
                self._left -= 1
                if not self._left:
                    words = sql.replace('"', "").split()
                    self._strike(f"before {words[0]}")
        return execute(sql, *rest)

    def _strike(self, where: str) -> None:
        if self._meanwhile is None:
            self._dead = True
            self.deaths[where] += 1
            raise Death
        self.stalls += 1
        other = threading.Thread(target=_alone, args=(self._meanwhile,))
        self._meanwhile = None
        other.start()
        other.join()


def _alone(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()
