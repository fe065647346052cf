from datetime import UTC, datetime, timedelta

import pytest

from drportal.simulator.agenda import Agenda
from drportal.simulator.clock import Clock, ManualClock
from drportal.simulator.wire import duration, parse_timestamp

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


def test_a_manual_clock_moves_forward_only_when_told() -> None:
    clock = ManualClock(NOON)
    assert clock.now() == clock.now() == NOON
    clock.advance(timedelta(minutes=5))
    assert clock.now() == NOON + timedelta(minutes=5)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(timedelta(seconds=-1))


def test_a_clock_needs_an_aware_start_and_a_speed_above_zero() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock(datetime(2026, 1, 15))  # noqa: DTZ001 - that is the mistake
    for speed in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="above zero"):
            Clock(speed)


def test_speed_scales_durations_not_the_time() -> None:
    clock = Clock(60)
    assert clock.scaled(timedelta(minutes=5)) == timedelta(seconds=5)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_agenda_keeps_the_order_of_time_and_of_planning() -> None:
    agenda = Agenda()
    done: list[tuple[str, datetime]] = []

    def first(at: datetime) -> None:
        done.append(("first", at))
        agenda.plan(at + timedelta(minutes=3), lambda later: done.append(("third", later)))

    agenda.plan(NOON + timedelta(minutes=9), lambda at: done.append(("late", at)))
    agenda.plan(NOON, first)
    agenda.plan(NOON, lambda at: done.append(("second", at)))
    agenda.settle(NOON + timedelta(minutes=5))
    assert done == [
        ("first", NOON),
        ("second", NOON),
        ("third", NOON + timedelta(minutes=3)),
    ]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(), "P0D"),
        (timedelta(seconds=-5), "P0D"),
        (timedelta(seconds=90), "PT1M30S"),
        (
            timedelta(days=2, hours=1, minutes=32, seconds=12, microseconds=136909),
            "P2DT1H32M12.136909S",
        ),
        (timedelta(days=3), "P3D"),
        (timedelta(microseconds=500000), "PT0.5S"),
    ],
)
def test_durations_as_drs_writes_them(length: timedelta, text: str) -> None:
    assert duration(length) == text


def test_times_with_and_without_offset() -> None:
    assert parse_timestamp("2026-01-15T12:00:00Z") == NOON
    assert parse_timestamp("2026-01-15T12:00:00") == NOON
    assert parse_timestamp("2026-01-15T13:00:00+01:00") == NOON
