"""Which waves count together, and what of theirs waits (D40)."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine import peaks


@st.composite
def orders(draw):
    size = draw(st.integers(1, 7))
    needs = {
        wave: draw(st.sets(st.integers(1, wave - 1))) if wave > 1 else set()
        for wave in range(1, size + 1)
    }
    return needs, {wave: draw(st.integers(0, 300)) for wave in needs}


def at_once(needs, waves) -> bool:
    earlier = peaks.before(needs)
    return all(a not in earlier[b] and b not in earlier[a] for a, b in combinations(waves, 2))


@given(orders())
def test_the_heaviest_waves_run_at_once_and_none_weigh_more(order):
    needs, weights = order
    found = peaks.heaviest(needs, weights)
    assert at_once(needs, found)
    most = max(
        sum(weights[wave] for wave in waves)
        for count in range(len(needs) + 1)
        for waves in combinations(needs, count)
        if at_once(needs, waves)
    )
    assert sum(weights[wave] for wave in found) == most


@given(orders())
def test_what_a_wave_waits_for_is_all_that_comes_before_it(order):
    needs, _ = order
    earlier = peaks.before(needs)
    for wave, direct in needs.items():
        assert earlier[wave] == direct.union(*(earlier[need] for need in direct))


def test_waves_one_after_the_other_never_count_together():
    assert peaks.heaviest({1: set(), 2: {1}, 3: {2}}, {1: 300, 2: 400, 3: 300}) == {2}


@pytest.mark.parametrize(
    ("servers", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])]
)
def test_how_a_wave_is_cut(servers, sizes):
    assert peaks.job_sizes(servers) == sizes


@pytest.mark.parametrize(
    ("jobs", "left"),
    [
        ([], 0),
        ([100] * 5, 0),
        ([100] * 7, 2),
        ([100] * 5 + [1], 1),
        ([1] * 20, 0),
        ([1] * 23, 3),
        ([90] * 5 + [100, 50], 1),
    ],
)
def test_what_does_not_fit_waits(jobs, left):
    assert peaks.waiting(jobs) == left
