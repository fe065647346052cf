from __future__ import annotations

import random
from dataclasses import dataclass, field, fields
from enum import StrEnum
from fnmatch import fnmatchcase
from itertools import count
from threading import Lock
from typing import Any


class Kind(StrEnum):
    """What can be made to go wrong. The first group concerns calls, the second servers."""

    THROTTLE = "THROTTLE"
    SERVER_ERROR = "SERVER_ERROR"
    TIMEOUT_BEFORE = "TIMEOUT_BEFORE"
    TIMEOUT_AFTER = "TIMEOUT_AFTER"
    DROP_BEFORE = "DROP_BEFORE"
    DROP_AFTER = "DROP_AFTER"
    ACCESS_DENIED = "ACCESS_DENIED"
    UNINITIALIZED = "UNINITIALIZED"
    OPT_IN_REQUIRED = "OPT_IN_REQUIRED"
    UNREACHABLE = "UNREACHABLE"
    LIST_LATE = "LIST_LATE"

    SNAPSHOT_FAIL = "SNAPSHOT_FAIL"
    CONVERSION_FAIL = "CONVERSION_FAIL"
    LAUNCH_FAIL = "LAUNCH_FAIL"
    SKIP = "SKIP"
    NEVER_FINISH = "NEVER_FINISH"
    REPLICATION_STALLED = "REPLICATION_STALLED"


BEFORE = (
    Kind.UNREACHABLE,
    Kind.TIMEOUT_BEFORE,
    Kind.DROP_BEFORE,
    Kind.OPT_IN_REQUIRED,
    Kind.ACCESS_DENIED,
    Kind.THROTTLE,
    Kind.SERVER_ERROR,
)
AFTER = (Kind.TIMEOUT_AFTER, Kind.DROP_AFTER)
LAUNCH = (Kind.SKIP, Kind.SNAPSHOT_FAIL, Kind.CONVERSION_FAIL, Kind.LAUNCH_FAIL, Kind.NEVER_FINISH)

# A thing by its name, or by any of its names.
Names = str | tuple[str, ...]

_numbers = count(1)


@dataclass
class Fault:
    """One thing that goes wrong. Every pattern is a shell pattern and must match.

    `probability` is drawn from the world's seeded source; `times` is how often the fault strikes
    before it is spent (None: always). `seconds` is the Retry-After of THROTTLE and SERVER_ERROR
    and the delay of LIST_LATE; `raw_error` is the error text of a launch fault or of a stalled
    replication.
    `fallback`: after SNAPSHOT_FAIL, DRS launches from the previous snapshot.
    """

    kind: Kind
    operation: str = "*"
    service: str = "*"
    account: str = "*"
    region: str = "*"
    server: str = "*"
    probability: float = 1.0
    times: int | None = None
    seconds: float = 1.0
    raw_error: str | None = None
    fallback: bool = False
    id: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self.kind = Kind(self.kind)
        if not 0 <= self.probability <= 1:
            raise ValueError(f"A probability is between 0 and 1, not {self.probability}.")
        if self.times is not None and self.times < 1:
            raise ValueError(f"A fault strikes at least once, not {self.times} times.")

    @classmethod
    def from_dict(cls, members: dict[str, Any]) -> Fault:
        """From JSON; raises ValueError that names what is wrong."""
        known = {each.name for each in fields(cls)} - {"id"}
        unknown = members.keys() - known
        if unknown:
            raise ValueError(f"A fault has no {', '.join(sorted(unknown))}.")
        if "kind" not in members:
            raise ValueError("A fault needs a kind.")
        return cls(**members)

    def as_dict(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def concerns(self, place: dict[str, Names]) -> bool:
        return all(_matches(value, getattr(self, name)) for name, value in place.items())


def _matches(value: Names, pattern: str) -> bool:
    names = (value,) if isinstance(value, str) else value
    return any(fnmatchcase(name, pattern) for name in names)


class Faults:
    """The faults in force, asked in the order in which they were added."""

    def __init__(self, source: random.Random) -> None:
        self._random = source
        self._lock = Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def remove(self, number: int) -> bool:
        """Whether a fault with this id was in force."""
        with self._lock:
            left = [fault for fault in self._faults if fault.id != number]
            found = len(left) < len(self._faults)
            self._faults = left
            return found

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def list(self) -> list[Fault]:
        with self._lock:
            return [*self._faults]

    def strike(self, *kinds: Kind, **place: Names) -> Fault | None:
        """The first fault of these kinds that strikes here; it is counted. None for none.

        `place` has any of operation, service, account, region, server.
        """
        with self._lock:
            for fault in self._faults:
                if fault.kind in kinds and fault.concerns(place) and self._draws(fault):
                    self._spend(fault)
                    return fault
        return None

    def standing(self, kind: Kind, **place: Names) -> Fault | None:
        """A fault that is a condition rather than an event: it is neither drawn nor counted."""
        with self._lock:
            for fault in self._faults:
                if fault.kind is kind and fault.concerns(place):
                    return fault
        return None

    def _draws(self, fault: Fault) -> bool:
        return fault.probability >= 1 or self._random.random() < fault.probability

    def _spend(self, fault: Fault) -> None:
        if fault.times is not None:
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
