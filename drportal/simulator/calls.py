from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from threading import Lock
from typing import Any


@dataclass
class Call:
    """One call to the simulated AWS, of whatever service.

    `effect` says whether the operation ran, whatever the caller was told afterwards: a call whose
    answer was lost has `effect` True and `outcome` "held" (a time-out), "dropped" or "unreachable",
    and `status` None. Otherwise `outcome` is "ok" or "error", and `error` the error code.
    """

    number: int
    at: datetime
    service: str
    operation: str
    account: str
    region: str
    access_key: str
    role_session: str | None
    user_agent: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    server_ids: list[str] = field(
        default_factory=list
    )  # servers or instances, as the call names them
    status: int | None = None
    error: str | None = None
    outcome: str = "running"
    effect: bool = False
    job_id: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; times in ISO-8601."""
        return asdict(self) | {"at": self.at.isoformat()}


class CallLog:
    """Every call since the last reset, in the order in which it arrived."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls: list[Call] = []

    def open(self, **facts: Any) -> Call:
        """Note a call that has arrived; it is completed in place."""
        with self._lock:
            call = Call(number=len(self._calls) + 1, **facts)
            self._calls.append(call)
            return call

    def matching(self, *, since: int = 0, **facts: str) -> list[Call]:
        """Calls after number `since` whose named attributes have these values."""
        test = _matcher(facts)
        with self._lock:
            return [call for call in self._calls[since:] if test(call)]

    def count(self, **facts: Any) -> int:
        return len(self.matching(**facts))

    def by_operation(self, **facts: Any) -> dict[str, int]:
        """How often each "service:operation" was called."""
        found = self.matching(**facts)
        return dict(sorted(Counter(f"{call.service}:{call.operation}" for call in found).items()))

    def clear(self) -> None:
        with self._lock:
            self._calls.clear()


def _matcher(facts: Mapping[str, str]) -> Callable[[Call], bool]:
    unknown = facts.keys() - Call.__dataclass_fields__.keys()
    if unknown:
        raise ValueError(f"A call has no {', '.join(sorted(unknown))}.")
    return lambda call: all(str(getattr(call, name)) == value for name, value in facts.items())
