"""What a plan may say of checks, and what looks at a server lead to."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recovery.engine import steps
from recovery.engine.checks import (
    Finding,
    Found,
    applies,
    complaints,
    completed,
    of_server,
    verdict,
)
from recovery.states import ExecutionState, ServerCheckState, ServerState, WaveState

HOUR = timedelta(hours=1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
C = ServerCheckState
TCP = {"name": "Port", "kind": "TCP", "port": 22}
HTTP = {"name": "Page", "kind": "HTTP"}
SSM = {"name": "Ping", "kind": "SSM"}


def found(*checks):
    return [
        (each["place"], each["member"], each["code"]) for each in complaints(checks, limit=HOUR)
    ]


def test_what_is_left_out_is_at_its_default():
    assert found({"name": "EC2", "kind": "EC2_STATUS"}, TCP, HTTP, SSM) == []
    assert completed(SSM)["repeatable"] is False
    assert completed(HTTP)["verify_tls"] is True


@pytest.mark.parametrize(
    ("check", "complaint"),
    [
        ({"name": "x", "kind": "PING"}, (0, "kind", "unknown_kind")),
        ({**TCP, "host": "db.example"}, (0, "host", "unknown_field")),
        ({**TCP, "name": " "}, (0, "name", "invalid")),
        ({**TCP, "port": 0}, (0, "port", "invalid")),
        ({**TCP, "port": "22"}, (0, "port", "invalid")),
        ({**TCP, "port": True}, (0, "port", "invalid")),
        ({**TCP, "required": "yes"}, (0, "required", "invalid")),
        ({**TCP, "attempts": 1001}, (0, "attempts", "invalid")),
        ({**TCP, "time_limit_seconds": 3601}, (0, "time_limit_seconds", "longer_than_wave")),
        ({**HTTP, "path": "http://elsewhere/"}, (0, "path", "invalid")),
        ({**HTTP, "path": "/a b"}, (0, "path", "invalid")),
        ({**HTTP, "scheme": "ftp"}, (0, "scheme", "invalid")),
        ({**HTTP, "host_name": "a\r\nX: y"}, (0, "host_name", "invalid")),
        ({**HTTP, "status_from": 300, "status_to": 200}, (0, "status_to", "invalid")),
        ({**SSM, "document": "rm -rf"}, (0, "document", "invalid")),
        ({**SSM, "parameters": {"commands": "ls"}}, (0, "parameters", "invalid")),
        ({**SSM, "parameters": {"commands": ["x" * 10_001]}}, (0, "parameters", "too_long")),
    ],
)
def test_what_a_check_may_not_say(check, complaint):
    assert found(check) == [complaint]


def test_names_are_unique_and_checks_few():
    assert found(TCP, {**TCP, "name": "port "}) == [(1, "name", "check_twice")]
    assert found(*[{**TCP, "name": str(n)} for n in range(11)]) == [(0, "", "too_many")]


def test_an_optional_server_may_be_spared():
    spared = completed({**TCP, "critical_only": True})
    assert (applies(spared, critical=True), applies(spared, critical=False)) == (True, False)


_FINDINGS = st.sampled_from(list(Found))


@given(_FINDINGS, st.integers(0, 5), st.integers(1, 5), st.integers(-5, 5))
def test_only_a_pass_passes_and_only_a_failure_fails(what, attempts, allowed, left):
    deadline = NOW + timedelta(seconds=left)
    ended = verdict(
        Finding(what, ""), attempts=attempts, allowed=allowed, deadline=deadline, now=NOW
    )
    assert (ended == C.PASSED) == (what == Found.PASSED)
    assert ended != C.FAILED or what == Found.FAILED
    # It always ends by its deadline, and never without having used up what it is allowed.
    if left <= 0 or attempts >= allowed:
        assert ended != C.WAITING
    elif what in {Found.FAILED, Found.UNREACHABLE, Found.NOT_YET}:
        assert ended == C.WAITING


@given(st.lists(st.tuples(st.sampled_from(list(C)), st.booleans()), max_size=4))
def test_a_server_has_passed_only_by_all_that_is_required(checks):
    ended = of_server(checks)
    assert (ended == C.WAITING) == any(state == C.WAITING for state, _ in checks)
    if ended == C.PASSED:
        assert all(state == C.PASSED for state, required in checks if required)


@pytest.mark.parametrize(
    ("overdue", "expected"), [(False, []), (True, [steps.EndWave(1, WaveState.TIMED_OUT)])]
)
def test_a_wave_goes_on_while_its_servers_are_checked_and_no_longer_than_it_may(overdue, expected):
    wave = steps.WaveView(
        position=1,
        state=WaveState.LAUNCHING,
        checking=True,
        overdue=overdue,
        servers=(ServerState.UNKNOWN,),
    )
    for state in (ExecutionState.RUNNING, ExecutionState.CANCELLING):
        running = steps.ExecutionView(state, cancel_requested=False, waves=(wave,))
        assert steps.next_steps(running) == expected
