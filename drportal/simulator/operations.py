"""Every operation of DRS that the simulator has, by the name AWS gives it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drportal.simulator import service

Handler = Callable[..., dict[str, Any]]

HANDLERS: dict[str, Handler] = {
    **service.HANDLERS,
}
