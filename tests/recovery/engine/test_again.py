import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine.again import unblocked
from recovery.states import (
    ENDED_WELL,
    EXECUTION,
    EXECUTION_AGAIN,
    SERVER,
    SERVER_AGAIN,
    WAVE,
    WAVE_AGAIN,
    ServerState,
    WaveState,
)

CHAIN: dict[int, set[int]] = {1: set(), 2: {1}, 3: {2}, 4: {1, 3}}


def test_a_chain_of_blocked_waves_waits_again():
    states = {1: "FAILED", 2: "BLOCKED", 3: "BLOCKED", 4: "BLOCKED"}
    assert unblocked(states, CHAIN, anew=1) == {2, 3, 4}


def test_what_something_else_blocks_too_stays_blocked():
    needs: dict[int, set[int]] = {1: set(), 2: set(), 3: {1, 2}, 4: {1}, 5: {3, 4}}
    states = {1: "FAILED", 2: "TIMED_OUT", 3: "BLOCKED", 4: "BLOCKED", 5: "BLOCKED"}
    assert unblocked(states, needs, anew=1) == {4}
    # The other is tried again next, while the first launches.
    again = {**states, 1: "LAUNCHING", 4: "PENDING"}
    assert unblocked(again, needs, anew=2) == {3, 5}


@pytest.mark.parametrize("state", sorted(set(WaveState) - {WaveState.BLOCKED}))
def test_only_what_was_blocked_is_opened(state):
    assert unblocked({1: "FAILED", 2: state}, {1: set(), 2: {1}}, anew=1) == set()


_STATES = st.sampled_from(sorted(WaveState))


@given(st.lists(st.tuples(_STATES, st.sets(st.integers(1, 8))), min_size=1, max_size=8))
def test_what_waits_again_may_start_some_day_and_what_stays_blocked_may_not(rows):
    states = {position: state for position, (state, _) in enumerate(rows, start=1)}
    needs = {p: {n for n in found if n < p} for p, (_, found) in enumerate(rows, start=1)}
    opened = unblocked(states, needs, anew=1)
    after = {**states, 1: "LAUNCHING", **dict.fromkeys(opened, "PENDING")}
    for position, state in after.items():
        hopeless = [need for need in needs[position] if after[need] in WAVE.terminal - ENDED_WELL]
        if position in opened:
            assert not hopeless
        elif position != 1 and state == "BLOCKED":
            assert hopeless


@pytest.mark.parametrize(
    ("lifecycle", "again"),
    [(EXECUTION, EXECUTION_AGAIN), (WAVE, WAVE_AGAIN), (SERVER, SERVER_AGAIN)],
)
def test_for_the_engine_an_end_is_an_end(lifecycle, again):
    """Only a person opens an end again, and only by the moves of the second table."""
    for source in again.states:
        for target in again.states:
            if again.allows(source, target):
                assert source in lifecycle.terminal
                assert target in lifecycle.active
                assert not lifecycle.allows(source, target)


def test_what_may_run_is_never_opened_again():
    for state in (ServerState.UNKNOWN, ServerState.LAUNCHED, ServerState.LAUNCHING):
        assert state not in SERVER_AGAIN.states
