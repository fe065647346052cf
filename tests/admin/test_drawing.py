import re

from hypothesis import given
from hypothesis import strategies as st

from drportal.adminkit.widgets import Tone
from recovery.admin.drawing import Box, columns, drawing, in_order


def box(position: int, *needs: int, name: str = "wave") -> Box:
    return Box(position, name, "1 group", Tone.PLAIN, needs)


def test_a_wave_stands_right_of_all_that_it_waits_for():
    assert columns({1: [], 2: [1], 3: [1], 4: [2, 3], 5: [1, 4]}) == {1: 0, 2: 1, 3: 1, 4: 2, 5: 3}


graphs = st.integers(1, 12).flatmap(
    lambda size: st.fixed_dictionaries(
        {
            n: st.lists(st.integers(1, n - 1), unique=True) if n > 1 else st.just([])
            for n in range(1, size + 1)
        }
    )
)


@given(graphs)
def test_nothing_stands_left_of_what_it_waits_for(needs):
    placed = columns(needs)
    assert all(placed[need] < placed[wave] for wave, before in needs.items() for need in before)
    order = in_order(needs)
    assert sorted(order) == sorted(needs)
    assert all(order.index(need) < order.index(w) for w, before in needs.items() for need in before)


@given(graphs)
def test_each_wave_is_drawn_once_and_each_wait_is_a_line(needs):
    drawn = drawing([box(wave, *before) for wave, before in needs.items()])
    assert drawn.count("<g ") == len(needs)
    assert drawn.count("<path ") == sum(len(before) for before in needs.values())
    corners = re.findall(r'<rect x="(\d+)" y="(\d+)"', drawn)
    assert len(set(corners)) == len(needs)


def test_a_circle_is_not_drawn():
    assert drawing([box(1, 2), box(2, 1)]) == ""
    assert in_order({1: [2], 2: [1]}) == [1, 2]


def test_unknown_waves_and_the_wave_itself_are_left_out():
    assert drawing([box(1, 7), box(2, 2)]).count("<path ") == 0


def test_a_long_name_is_cut_and_its_whole_is_the_title():
    drawn = drawing([box(1, name="a name that is longer than its box")])
    assert "<title>1 a name that is longer than its box</title>" in drawn
    assert "…</text>" in drawn


def test_a_name_is_escaped():
    assert "<script>" not in drawing([box(1, name="<script>")])
