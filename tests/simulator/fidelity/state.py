"""The whole state of one account and Region as plain values, to compare before and after a call."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from moto.ec2.models.instances import Instance

from drportal.simulator.agenda import Agenda
from drportal.simulator.models import DRSBackend


def fingerprint(backend: DRSBackend) -> dict[str, Any]:
    """Equal for two moments between which nothing in `backend` changed."""
    return {name: _plain(value) for name, value in vars(backend).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Instance):
        return (value.id, value.state)
    if isinstance(value, Agenda):
        return len(value._steps)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return value
