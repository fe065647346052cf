"""Waves as a graph: which must end before which."""

from collections.abc import Collection, Mapping
from graphlib import CycleError, TopologicalSorter


def cycle(depends_on: Mapping[int, Collection[int]]) -> list[int] | None:
    """A cycle among the waves, first wave repeated at its end; None if there is none."""
    try:
        TopologicalSorter(depends_on).prepare()
    except CycleError as error:
        found: list[int] = list(error.args[1])
        return found[::-1]
    return None


def unknown(depends_on: Mapping[int, Collection[int]]) -> dict[int, list[int]]:
    """By wave, the positions that it depends on and that no wave has."""
    missing = {wave: sorted(set(needs) - depends_on.keys()) for wave, needs in depends_on.items()}
    return {wave: needs for wave, needs in missing.items() if needs}
