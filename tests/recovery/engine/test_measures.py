"""Where the time went, and whether targets were kept."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine.measures import (
    Spent,
    Stretch,
    Verdict,
    reached,
    rpo_verdict,
    rto_verdict,
    spent,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def stretch(what: Spent, begin: float, end: float | None) -> Stretch:
    return Stretch(what, at(begin), None if end is None else at(end))


def test_each_moment_goes_to_what_could_not_have_been_waited_for_elsewhere():
    found = spent(
        at(0),
        at(60),
        [
            stretch(Spent.PEOPLE, 0, 20),
            stretch(Spent.AWS, 10, 30),
            stretch(Spent.QUEUE, 25, 40),
            stretch(Spent.TIMER, 50, None),
        ],
    )
    assert found == {
        Spent.PEOPLE: minutes(10),
        Spent.AWS: minutes(20),
        Spent.QUEUE: minutes(10),
        Spent.PORTAL: minutes(10),
        Spent.TIMER: minutes(10),
    }


def test_what_lies_outside_does_not_count():
    found = spent(at(10), at(20), [stretch(Spent.AWS, 0, 5), stretch(Spent.QUEUE, 0, 100)])
    assert found[Spent.QUEUE] == minutes(10)
    assert sum(found.values(), timedelta(0)) == minutes(10)


stretches = st.builds(
    stretch,
    st.sampled_from(Spent),
    st.integers(-30, 90),
    st.none() | st.integers(-30, 90),
)


@given(st.lists(stretches, max_size=12), st.integers(0, 60))
def test_the_parts_add_up_to_the_whole(known, length):
    found = spent(at(0), at(length), known)
    assert set(found) == set(Spent)
    assert min(found.values()) >= timedelta(0)
    assert sum(found.values(), timedelta(0)) == minutes(length)


def test_clocks_that_disagree_make_no_time():
    assert set(spent(at(10), at(5), [stretch(Spent.AWS, 0, 60)]).values()) == {timedelta(0)}


@given(st.lists(stretches, max_size=8))
def test_more_work_of_aws_leaves_no_less_of_it(known):
    more = [*known, stretch(Spent.AWS, 5, 25)]
    assert spent(at(0), at(60), more)[Spent.AWS] >= spent(at(0), at(60), known)[Spent.AWS]


@pytest.mark.parametrize(
    ("landings", "expected"),
    [
        ([], None),
        ([None], None),
        ([5, None], None),
        ([5], 5),
        ([5, 9, 7], 9),
    ],
)
def test_all_critical_servers_must_be_back(landings, expected):
    found = reached([None if each is None else at(each) for each in landings])
    assert found == (None if expected is None else at(expected))


@pytest.mark.parametrize(
    ("target", "taken", "so_far", "ended", "expected"),
    [
        (None, 10, 10, True, Verdict.NO_TARGET),
        (30, 30, 40, True, Verdict.KEPT),
        (30, 31, 40, False, Verdict.MISSED),
        (30, None, 10, False, Verdict.OPEN),
        (30, None, 31, False, Verdict.MISSED),
        (30, None, 10, True, Verdict.MISSED),
    ],
)
def test_an_rto_that_was_not_reached_is_never_kept(target, taken, so_far, ended, expected):
    found = rto_verdict(
        None if target is None else minutes(target),
        None if taken is None else minutes(taken),
        so_far=minutes(so_far),
        ended=ended,
        critical=1,
    )
    assert found == expected


@pytest.mark.parametrize("ended", [True, False])
def test_where_no_server_is_critical_no_rto_is_kept_or_missed(ended):
    found = rto_verdict(minutes(30), None, so_far=minutes(60), ended=ended, critical=0)
    assert found == Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("target", "ages", "unknown", "expected"),
    [
        (None, [1], 0, Verdict.NO_TARGET),
        (15, [1, 15], 0, Verdict.KEPT),
        (15, [1, 16], 3, Verdict.MISSED),
        (15, [1], 1, Verdict.UNKNOWN),
        (15, [], 2, Verdict.UNKNOWN),
        (15, [], 0, Verdict.UNKNOWN),
    ],
)
def test_an_rpo_that_nobody_told_is_unknown(target, ages, unknown, expected):
    known = None if target is None else minutes(target)
    assert rpo_verdict(known, [minutes(age) for age in ages], unknown=unknown) == expected
