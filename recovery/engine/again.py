"""Which waves wait again when one that did not end well is launched anew."""

from collections.abc import Collection, Mapping

from recovery.states import ENDED_WELL, WAVE, WaveState


def unblocked(
    states: Mapping[int, str], needs: Mapping[int, Collection[int]], *, anew: int
) -> set[int]:
    """The blocked waves, by position, whose needs have ended well or may yet do so, once the wave
    at `anew` launches again. Those that something else blocks too stay blocked.
    """
    opened = {anew}

    def may_end_well(position: int) -> bool:
        state = states[position]
        return position in opened or state in ENDED_WELL or state in WAVE.active

    blocked = {position for position, state in states.items() if state == WaveState.BLOCKED}
    while more := {
        position for position in blocked - opened if all(map(may_end_well, needs[position]))
    }:
        opened |= more
    return opened - {anew}
