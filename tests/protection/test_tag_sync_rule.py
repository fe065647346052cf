"""Whatever the tags and settings: nobody else's tag is touched, and a second run does nothing."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protection.choices import SkipReason
from protection.rules.tag_sync import LONGEST, MOST, Choice, TagPlan, planned

KEYS = st.sampled_from(["a", "b", "c", "Cost", "Cost2", "aws:x", "k" * (LONGEST + 1)])
VALUES = st.sampled_from(["", "1", "2", "v" * (LONGEST + 1)])
TAGS = st.dictionaries(KEYS, VALUES)
PATTERNS = st.lists(st.sampled_from(["*", "a", "C*", "?"]), max_size=2)
CHOICES = st.builds(
    Choice,
    include=PATTERNS,
    exclude=PATTERNS,
    mapping=st.dictionaries(KEYS, st.sampled_from(["a", "b", "d", "Cost"]), max_size=3),
)


@given(TAGS, TAGS, TAGS, CHOICES)
def test_no_tag_of_others_is_touched(source, current, synced, choice):
    plan = planned(source, current, synced, choice)
    theirs = {key: value for key, value in current.items() if synced.get(key) != value}
    assert not theirs.keys() & set(plan.to_remove)
    assert not theirs.keys() & plan.to_set.keys()
    assert set(plan.to_remove) <= synced.keys() & current.keys()


@given(TAGS, TAGS, TAGS, CHOICES)
def test_a_second_run_plans_nothing(source, current, synced, choice):
    first = planned(source, current, synced, choice)
    again = planned(source, first.applied_to(current), first.after, choice)
    assert not again.changes
    assert again.after == first.after


@given(TAGS, TAGS, TAGS, CHOICES)
def test_nothing_is_planned_that_drs_refuses(source, current, synced, choice):
    plan = planned(source, current, synced, choice)
    for key, value in plan.to_set.items():
        assert 1 <= len(key) <= LONGEST
        assert len(value) <= LONGEST
        assert not key.startswith("aws:")
    assert len(plan.applied_to(current)) <= max(MOST, len(current))


@given(TAGS, TAGS, TAGS, CHOICES)
def test_what_is_ours_can_be_taken_back_whole(source, current, synced, choice):
    """Once the source has no tags, only what others set is left."""
    first = planned(source, current, synced, choice)
    then = first.applied_to(current)
    last = planned({}, then, first.after, choice).applied_to(then)
    assert last == {key: value for key, value in then.items() if key not in first.after}


@given(TAGS, TAGS, TAGS, CHOICES, st.booleans())
def test_a_run_that_broke_off_loses_no_tag_of_ours(source, current, synced, choice, arrived):
    """Whether DRS did it or not, after what was noted before the call the next run finishes."""
    first = planned(source, current, synced, choice)
    then = first.applied_to(current) if arrived else current
    again = planned(source, then, first.intended, choice)
    assert again.applied_to(then) == first.applied_to(current)
    assert again.after == first.after


def plan(source: dict[str, str], current: dict[str, str], synced: dict[str, str]) -> TagPlan:
    return planned(source, current, synced, Choice())


def test_no_more_than_fifty():
    current = {f"theirs {n}": "" for n in range(48)}
    found = plan({f"ours {n}": "x" for n in range(5)}, current, {})
    assert sorted(found.to_set) == ["ours 0", "ours 1"]
    assert found.skipped == {SkipReason.TAGS_FULL: 3}


def test_what_is_removed_makes_room():
    current = {f"theirs {n}": "" for n in range(49)} | {"old": "x"}
    found = plan({"new": "y"}, current, {"old": "x"})
    assert (found.to_set, found.to_remove) == ({"new": "y"}, ("old",))


@pytest.mark.parametrize(
    ("source", "mapping", "set_", "skipped"),
    [
        ({"aws:autoscaling": "x"}, {}, {}, {}),
        ({"AWS:x": "x"}, {}, {}, {}),
        ({"k" * 257: "x"}, {}, {}, {SkipReason.TAG_TOO_LONG: 1}),
        ({"k": "v" * 257}, {}, {}, {SkipReason.TAG_TOO_LONG: 1}),
        ({"k": "v" * 256}, {}, {"k": "v" * 256}, {}),
        ({"a": "1", "b": "2"}, {"a": "b"}, {"b": "1"}, {SkipReason.TAG_TWICE: 1}),
    ],
)
def test_tags_that_cannot_be_brought(source, mapping, set_, skipped):
    found = planned(source, {}, {}, Choice(mapping=mapping))
    assert (found.to_set, found.skipped) == (set_, Counter(skipped))


def test_a_tag_that_is_there_already_is_not_ours():
    found = plan({"a": "1"}, {"a": "1"}, {})
    assert not found.changes
    assert found.after == {}
