"""A gate that named people open: it opens by enough of them, each once, and never by itself."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from recovery.choices import GateExpiry
from recovery.engine import gates, steps
from recovery.engine.gates import GateRule, Standing, standing
from recovery.engine.steps import ExecutionView, WaveView, next_steps

REACHED = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.sampled_from(["ann", "bob", "cat", "dan", "eve"])
RULES = st.builds(
    GateRule,
    needed=st.integers(1, 4),
    people=st.lists(NAMES, min_size=1).map(tuple),
    expires_minutes=st.integers(0, 120),
    on_expiry=st.sampled_from(GateExpiry.values),
)
LATER = st.integers(0, 300).map(lambda minutes: REACHED + timedelta(minutes=minutes))


def stands(rule, approved, counting, now, *, denied=False):
    return standing(
        rule, approved=approved, denied=denied, counting=counting, reached_at=REACHED, now=now
    )


@given(RULES, st.lists(NAMES), st.sets(NAMES), LATER)
def test_it_opens_by_enough_different_people_who_count_and_by_nothing_else(
    rule, approved, counting, now
):
    people = {name for name in approved if name in counting}
    found = stands(rule, approved, counting, now)
    over = rule.expires_minutes and now >= REACHED + timedelta(minutes=rule.expires_minutes)
    if over and rule.on_expiry != GateExpiry.WAIT:
        assert found == Standing.EXPIRED
    else:
        assert (found == Standing.OPEN) == (len(people) >= rule.needed)
    # Saying it again, or strangers saying it, changes nothing.
    assert stands(rule, [*approved, *approved, "stranger"], counting, now) == found


@given(RULES, st.lists(NAMES), st.sets(NAMES), LATER)
def test_a_denial_is_the_end_of_it(rule, approved, counting, now):
    assert stands(rule, approved, counting, now, denied=True) == Standing.DENIED


@given(RULES, st.lists(NAMES), st.sets(NAMES), LATER, LATER)
def test_time_alone_never_opens_it(rule, approved, counting, first, second):
    early, late = sorted((first, second))
    if stands(rule, approved, counting, early) != Standing.OPEN:
        assert stands(rule, approved, counting, late) != Standing.OPEN


@given(RULES)
def test_a_rule_is_kept_as_it_was_said(rule):
    assert gates.of_dict(rule.as_dict()) == rule
    assert gates.of_dict({}) is None


@given(st.booleans(), st.booleans(), st.booleans())
def test_what_stays_shut_launches_nothing(cancels, opened, shut):
    wave = WaveView(1, "WAITING", gate=True, gate_open=opened, gate_shut=shut, gate_cancels=cancels)
    found = next_steps(ExecutionView("PAUSED", cancel_requested=False, waves=(wave,)))
    if opened or shut:
        assert found == [steps.GoOn()]
        found = next_steps(ExecutionView("RUNNING", cancel_requested=False, waves=(wave,)))
    expected = steps.LaunchWave(1) if opened else steps.ShutGate(1, cancels)
    assert found == ([expected] if opened or shut else [])
