from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count


class Agenda:
    """What is planned to happen, each step at its own moment.

    No timer runs: whoever is about to look calls `settle`, which carries out what is due, in the
    order of time, each step with the moment it was planned for. So an answer never depends on how
    often somebody looked.
    """

    def __init__(self) -> None:
        self._steps: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._order = count()

    def plan(self, at: datetime, step: Callable[[datetime], None]) -> None:
        """Plan `step`, called with `at`. Steps of one moment keep the order of planning."""
        heapq.heappush(self._steps, (at, next(self._order), step))

    def settle(self, now: datetime) -> None:
        """Carry out every step that is due at `now`, including those that these steps plan."""
        while self._steps and self._steps[0][0] <= now:
            at, _, step = heapq.heappop(self._steps)
            step(at)
