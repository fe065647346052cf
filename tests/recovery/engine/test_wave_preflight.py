"""Whether what AWS said before a wave lets it launch: cases, and what holds of all of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine import steps
from recovery.engine.preflight import Check
from recovery.engine.steps import ExecutionView, WaveView, next_steps
from recovery.engine.wave_preflight import (
    Look,
    Seen,
    at_a_wave,
    blocking,
    overridden_at_the_start,
    standing,
)
from recovery.states import CheckOutcome, ExecutionState, WaveState

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORTH = timedelta(minutes=2)
moments = st.integers(0, 600).map(lambda seconds: NOW - timedelta(seconds=seconds))


@given(
    asked=moments,
    took=st.integers(0, 60),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    since=st.lists(st.none() | moments, max_size=3),
)
def test_only_a_young_look_at_just_these_servers_in_which_nothing_is_in_the_way_lets_it_launch(
    asked, took, flags, since
):
    same, held, due = flags
    looked = min(asked + timedelta(seconds=took), NOW)
    found = standing(Seen(asked, looked, same, held, due), since=since, now=NOW, worth=WORTH)
    old = any(moment is not None and asked < moment for moment in since)
    if found == Look.GO:
        assert (same, held, old) == (True, False, False)
        assert NOW - looked <= WORTH
    if found == Look.HELD:
        assert (held, due) == (True, False)
    # It never stands still for good: what is held becomes due, and all else is asked or launched.
    again = standing(Seen(asked, looked, same, held, True), since=since, now=NOW, worth=WORTH)
    assert again != Look.HELD


def test_where_nobody_has_looked_aws_is_asked():
    assert standing(None, since=(), now=NOW, worth=WORTH) == Look.ASK


def wave(look: Look, **more) -> WaveView:
    return WaveView(1, WaveState.PENDING, servers=("PENDING",), look=look, **more)


@pytest.mark.parametrize(
    ("look", "expected"),
    [(Look.ASK, [steps.AskBefore(1)]), (Look.GO, [steps.LaunchWave(1)]), (Look.HELD, [])],
)
def test_aws_is_asked_after_the_gate_and_the_timer_and_before_the_launch(look, expected):
    running = ExecutionState.RUNNING
    open_gate = {"gate": True, "gate_open": True, "waits": True, "timer_started": True}
    view = wave(look, **open_gate, timer_over=True)
    assert next_steps(ExecutionView(running, False, (view,))) == expected
    timed = wave(look, **open_gate)
    assert next_steps(ExecutionView(running, False, (timed,))) == []


@pytest.mark.parametrize("state", [WaveState.PENDING, WaveState.WAITING])
def test_a_wave_that_is_held_pauses_nothing_for_it_goes_on_by_itself(state):
    view = WaveView(1, state, gate=True, gate_open=True, servers=("PENDING",), look=Look.HELD)
    assert next_steps(ExecutionView(ExecutionState.RUNNING, False, (view,))) == []
    assert next_steps(ExecutionView(ExecutionState.PAUSED, False, (view,))) == [steps.GoOn()]


def test_nobody_asks_during_a_pause():
    view = ExecutionView(ExecutionState.RUNNING, False, (wave(Look.ASK),), pause_requested=True)
    assert next_steps(view) == [steps.Pause(requested=True)]


def check(code: str, outcome: CheckOutcome, **more) -> Check:
    return Check(code, outcome, "something", "do it", **more)


def test_what_waits_in_line_does_not_block_and_settings_do_unless_the_plan_says_so():
    failed = CheckOutcome.FAILED
    found = [check("held", failed), check("launch_settings", failed), check("drs", failed)]
    assert blocking(at_a_wave(found, launch_anyway=False)) == ["drs", "launch_settings"]
    assert blocking(at_a_wave(found, launch_anyway=True)) == ["drs"]
    unknown = [check("held", CheckOutcome.UNKNOWN), check("launch_settings", CheckOutcome.UNKNOWN)]
    assert blocking(at_a_wave(unknown, launch_anyway=True)) == ["held", "launch_settings"]


def test_what_was_overridden_at_the_start_counts_for_its_wave_its_place_or_all():
    unknown = CheckOutcome.UNKNOWN
    checks = [
        check("servers", unknown),
        check("lag", unknown, wave=2),
        check("account", unknown, account_id="1", region="r"),
        check("quotas", CheckOutcome.WARNING),
    ]
    places = [(1, "1", "r"), (2, "1", "q"), (3, "2", "r")]
    assert overridden_at_the_start(checks, places) == {
        1: {"servers", "account"},
        2: {"servers", "lag"},
        3: {"servers"},
    }
