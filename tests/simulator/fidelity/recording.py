"""The long run with every answer of every handler looked at before moto's serializer sees it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import pytest

from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend
from drportal.simulator.operations import HANDLERS
from drportal.simulator.shapes import operation_model
from drportal.simulator.validation import output_problems
from tests.simulator.fidelity.play import Play, played


@dataclass
class Recording:
    """What the long run brought to light. Each finding starts with the operation."""

    play: Play = field(init=False)
    strict: bool
    off_model: list[str] = field(default_factory=list)  # the known deviations let through
    deviations: list[str] = field(default_factory=list)  # what a walk without them finds

    def judge(self, operation: str, result: dict[str, Any]) -> None:
        known = output_problems(operation, result)
        self.off_model += [f"{operation} {problem}" for problem in known]
        every = output_problems(operation, result, deviations=())
        self.deviations += [f"{operation} {problem}" for problem in every]


def record(clients: Callable[[str, str], Any], *, strict: bool = False) -> Recording:
    """Play the whole run against these clients."""
    recording = Recording(strict)
    with _judged_handlers(recording):
        recording.play = played(clients, strict=strict)
    return recording


@contextmanager
def _judged_handlers(recording: Recording) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for operation, handler in [*HANDLERS.items()]:
            patch.setitem(HANDLERS, operation, _judged(recording, operation, handler))
        yield


def _judged(recording: Recording, operation: str, handler: Handler) -> Handler:
    @wraps(handler)
    def judged(backend: DRSBackend, **params: Any) -> dict[str, Any]:
        result = handler(backend, **params)
        recording.judge(operation, result)
        return result

    return judged


def modelled_errors(operation: str) -> set[str]:
    return {shape.name for shape in operation_model(operation).error_shapes}
