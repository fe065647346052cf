"""What a failback does next: tables, and what holds for every failback."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine.failing_back import (
    Move,
    Reversal,
    Snapshot,
    launched,
    next_state,
    outcome,
    reversal,
    why_not_ready,
)
from recovery.failback_states import (
    FAILBACK,
    NOT_LAUNCHED,
    RETURN,
    FailbackState,
    Origin,
    ReturnState,
)

ARN, OLD = (
    "arn:aws:drs:us-west-2:1:source-server/s-new",
    "arn:aws:drs:us-west-2:1:source-server/s-old",
)
INSTANCE = "i-1"
MINUTE = timedelta(minutes=1)

snapshots = st.builds(
    Snapshot,
    state=st.sampled_from(sorted(FAILBACK.active)).map(FailbackState),
    cancelling=st.booleans(),
    launch_open=st.booleans(),
    finish_open=st.booleans(),
    instances=st.lists(st.sampled_from(ReturnState), max_size=4),
    live_jobs=st.integers(0, 2),
)


@given(snapshots)
def test_a_failback_never_goes_on_by_itself_or_ends_with_something_alive(now):
    found = next_state(now)
    if found is None:
        return
    assert FAILBACK.allows(now.state, found)
    if found == FailbackState.LAUNCHING:
        assert now.launch_open
    if found == FailbackState.FINISHING:
        assert now.finish_open
    if found in FAILBACK.terminal:
        assert not now.live_jobs
        assert not [each for each in now.instances if each in RETURN.active]
    if now.cancelling:
        assert found in {FailbackState.CANCELLING, FailbackState.CANCELLED}
    if found == FailbackState.COMPLETED:
        assert set(now.instances) <= {ReturnState.FINISHED, ReturnState.LEFT_OUT}
        assert ReturnState.FINISHED in now.instances


@given(snapshots)
def test_what_has_nothing_alive_comes_to_an_end(now):
    ended = [state if state in RETURN.terminal else ReturnState.UNKNOWN for state in now.instances]
    over = Snapshot(now.state, now.cancelling, now.launch_open, now.finish_open, ended, 0)
    for _ in range(3):
        state = next_state(over)
        assert state is not None
        if state in FAILBACK.terminal:
            return
        over = Snapshot(state, now.cancelling, now.launch_open, now.finish_open, ended, 0)
    raise AssertionError(over)


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (["FINISHED", "FINISHED"], "COMPLETED"),
        (["FINISHED", "LEFT_OUT"], "COMPLETED"),
        (["FINISHED", "FAILED"], "PARTIAL"),
        (["FINISHED", "UNKNOWN"], "PARTIAL"),
        (["FINISHED", "KEPT"], "PARTIAL"),
        (["KEPT"], "PARTIAL"),
        (["FAILED", "UNKNOWN"], "FAILED"),
        (["LEFT_OUT"], "FAILED"),
        ([], "FAILED"),
    ],
)
def test_what_it_amounts_to(states, expected):
    assert outcome(map(ReturnState, states)) == expected


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, Move.ASK),
        ({"asked": True}, Move.WAIT),
        ({"asked": True, "settled": True}, Move.ASK),
        # A new server tells that DRS heard us; the one that was there before does not.
        ({"asked": True, "told_arn": ARN}, Move.ADOPT),
        ({"asked": True, "told_arn": ARN, "known_arn": OLD}, Move.ADOPT),
        ({"asked": True, "told_arn": OLD, "known_arn": OLD}, Move.WAIT),
        ({"asked": True, "settled": True, "told_arn": OLD, "known_arn": OLD}, Move.ASK),
        # One of another instance is not ours, whoever made it.
        ({"asked": True, "settled": True, "told_arn": ARN, "source_of_told": "i-2"}, Move.ASK),
        # Reversed by somebody before: only if it is of this instance, and replicates.
        ({"told_arn": ARN, "source_of_told": INSTANCE, "replication_state": "BACKLOG"}, Move.ADOPT),
        ({"told_arn": ARN, "source_of_told": INSTANCE}, Move.ASK),
        ({"told_arn": ARN, "replication_state": "CONTINUOUS"}, Move.ASK),
    ],
)
def test_whether_drs_is_asked_to_reverse(facts, expected):
    nothing = {"told_arn": "", "source_of_told": "", "known_arn": "", "asked": False}
    told = {"instance_id": INSTANCE, "replication_state": "NOT_STARTED", "settled": False}
    assert reversal(Reversal(**{**nothing, **told, **facts})) == expected


@given(
    st.sampled_from([*Origin, ""]),
    st.sampled_from(["", "CONTINUOUS", "BACKLOG", "STALLED", "REPLICATION_STATE_NOT_AVAILABLE"]),
    st.sampled_from(
        [
            *("", "FAILBACK_NOT_STARTED", "FAILBACK_IN_PROGRESS", "FAILBACK_READY_FOR_LAUNCH"),
            *("FAILBACK_COMPLETED", "FAILBACK_ERROR", "FAILBACK_LAUNCH_STATE_NOT_AVAILABLE"),
        ]
    ),
    st.none() | st.timedeltas(min_value=timedelta(0), max_value=2 * MINUTE),
    st.sampled_from(["", "NOT_CONVERGING"]),
)
def test_only_what_drs_says_is_ready_is_ready(origin, replication, failback, lag, error):
    why = why_not_ready(
        origin,
        replication_state=replication,
        failback_state=failback,
        lag=lag,
        most_lag=MINUTE,
        error=error,
    )
    if why:
        return
    assert not error
    assert failback != "FAILBACK_COMPLETED"
    if origin == Origin.ON_PREMISES:
        assert failback == "FAILBACK_READY_FOR_LAUNCH"
    else:
        assert replication == "CONTINUOUS"
        assert lag is not None
        assert lag <= MINUTE


@pytest.mark.parametrize(
    ("origin", "status", "state", "expected"),
    [
        (Origin.AWS, "LAUNCHED", "", ReturnState.LAUNCHED),
        (Origin.AWS, "FAILED", "", ReturnState.FAILED),
        (Origin.AWS, "PENDING", "", ReturnState.UNKNOWN),
        (Origin.AWS, "", "", ReturnState.UNKNOWN),
        (Origin.ON_PREMISES, "LAUNCHED", "FAILBACK_COMPLETED", ReturnState.LAUNCHED),
        (Origin.ON_PREMISES, "LAUNCHED", "FAILBACK_ERROR", ReturnState.FAILED),
        (Origin.ON_PREMISES, "LAUNCHED", "", ReturnState.UNKNOWN),
        (Origin.ON_PREMISES, "", "FAILBACK_COMPLETED", ReturnState.UNKNOWN),
    ],
)
def test_what_became_of_a_launch_back(origin, status, state, expected):
    assert launched(origin, launch_status=status, failback_state=state) == expected


def test_the_states_before_a_launch_are_those_that_can_be_let_go_of():
    assert {state for state in ReturnState if RETURN.allows(state, "LEFT_OUT")} == NOT_LAUNCHED
