from __future__ import annotations

from typing import Any

from drportal.simulator.handlers import Handler
from drportal.simulator.models import DRSBackend


def initialize_service(backend: DRSBackend) -> dict[str, Any]:
    """Doing it again changes nothing."""
    backend.initialized = True
    return {}


HANDLERS: dict[str, Handler] = {"InitializeService": initialize_service}
