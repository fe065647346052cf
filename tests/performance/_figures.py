"""A figure that a measurement tells: its value, its target, and whether that is kept."""

from typing import Any


def figure(value: float, target: float, *, at_least: bool = False) -> dict[str, Any]:
    """A value that is to be no more than its target; with `at_least`, no less."""
    ok = value >= target if at_least else value <= target
    return {"value": value, "target": target, "ok": ok}


def figures(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Everything with a target in what a measurement tells, however deep."""
    found: list[dict[str, Any]] = []
    for each in answer.values():
        if isinstance(each, dict):
            found += [each] if "ok" in each else figures(each)
    return found
