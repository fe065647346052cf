"""When drill schedules are due: days of a calendar, and clocks that people put forward and back."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine.occurrences import Repeats, Rule, moment, next_after, some_after

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
rules = st.builds(
    Rule,
    repeats=st.sampled_from([Repeats.WEEKLY, Repeats.MONTHLY]),
    every=st.integers(1, 36),
    first_on=st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    at=st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None)),
    zone=st.sampled_from(ZONES),
)
times = st.datetimes(datetime(2019, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # they get UTC


@given(rules, times)
def test_times_come_in_order_on_the_days_of_the_rule_and_at_its_time_of_day(rule, after):
    found = some_after(rule, after, 5)
    assert len(found) == 5
    assert after < found[0]
    assert all(earlier < later for earlier, later in pairwise(found))
    for each in found:
        there = each.astimezone(ZoneInfo(rule.zone))
        asked = datetime.combine(there.date(), rule.at, tzinfo=there.tzinfo)
        skipped = asked.astimezone(UTC).astimezone(asked.tzinfo).time() != rule.at
        assert there.time() == rule.at or skipped
        if rule.repeats == Repeats.WEEKLY and not skipped:
            assert (there.date() - rule.first_on).days % (7 * rule.every) == 0


@given(rules, times)
def test_none_is_left_out(rule, after):
    """Asked from any moment, the next is the first later one of all since the beginning."""
    start = moment(rule, rule.first_on) - timedelta(seconds=1)
    every = some_after(rule, start, 3)
    assert every[0] == moment(rule, rule.first_on)
    for earlier, later in pairwise(every):
        assert next_after(rule, earlier) == later
        assert next_after(rule, later - timedelta(seconds=1)) == later
    found = next_after(rule, after)
    assert found is not None
    assert next_after(rule, found - timedelta(microseconds=1)) == found


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        # The clock is put forward at 2: half past two does not exist, and is an hour later.
        (
            Rule("ONCE", 1, date(2026, 3, 29), time(2, 30), "Europe/Berlin"),
            "2026-03-01T00:00",
            ["2026-03-29T01:30"],
        ),
        # It is put back at 3: half past two comes twice, and the first counts, once.
        (
            Rule("WEEKLY", 1, date(2026, 10, 25), time(2, 30), "Europe/Berlin"),
            "2026-10-20T00:00",
            ["2026-10-25T00:30", "2026-11-01T01:30"],
        ),
        # At nine in the morning there, whatever that is in UTC.
        (
            Rule("MONTHLY", 3, date(2026, 1, 31), time(9), "America/New_York"),
            "2026-01-01T00:00",
            ["2026-01-31T14:00", "2026-04-30T13:00", "2026-07-31T13:00", "2026-10-31T13:00"],
        ),
        (Rule("ONCE", 1, date(2026, 1, 1), time(0), "UTC"), "2026-01-01T00:00", []),
        (
            Rule("MONTHLY", 12, date(2024, 2, 29), time(0), "UTC"),
            "2026-12-31T00:00",
            ["2027-02-28T00:00", "2028-02-29T00:00"],
        ),
    ],
)
def test_clocks_and_short_months(rule, after, expected):
    since = datetime.fromisoformat(after).replace(tzinfo=UTC)
    told = [each.strftime("%Y-%m-%dT%H:%M") for each in some_after(rule, since, len(expected) or 1)]
    assert told == expected
