from __future__ import annotations

import random
from threading import RLock

from moto.core.base_backend import BackendDict, backend_lock

from drportal.simulator.accounts import Registry
from drportal.simulator.calls import CallLog
from drportal.simulator.clock import Clock
from drportal.simulator.faults import Faults
from drportal.simulator.guests import Guests
from drportal.simulator.settings import Settings

DEFAULT_SEED = 20260101


class World:
    """What all accounts and Regions of the simulated AWS share. One per process.

    `lock` is held while an operation of DRS runs, so that operations happen one after another.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._clear()

    def _clear(self) -> None:
        self.clock: Clock = Clock()
        self.settings = Settings()
        self.random = random.Random(DEFAULT_SEED)  # noqa: S311 - a repeatable run, not a secret
        self.faults = Faults(self.random)
        self.calls = CallLog()
        self.accounts = Registry()
        self.guests = Guests()

    def seed(self, value: int) -> None:
        """Start the random source again, so that a run with the same calls is the same run."""
        self.random.seed(value)

    def reset(self) -> None:
        """Forget everything: every account of every AWS service, faults, calls, settings, clock."""
        with self.lock:
            self._clear()
            _empty_moto()


def _empty_moto() -> None:
    # moto's own reset first builds every backend anew, default VPCs and all, and then drops it.
    with backend_lock:
        instances = vars(BackendDict)["_instances"]
        for backends in instances:
            backends.clear()
        instances.clear()


world = World()
