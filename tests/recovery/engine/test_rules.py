from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drportal.aws.drs import LogItem
from recovery.engine import graph, outcome, quota, schedule
from recovery.engine.quota import Load
from recovery.engine.verdicts import ServerLog, judge, read_log
from recovery.states import LAUNCHED_WELL, ExecutionState, Phase, ServerState, WaveState

S, W = ServerState, WaveState


@pytest.mark.parametrize(
    ("servers", "overdue", "expected"),
    [
        ([S.LAUNCHED, S.LAUNCHED], False, WaveState.COMPLETED),
        ([S.LAUNCHED, S.LAUNCHED], True, WaveState.COMPLETED),
        ([S.LAUNCHED, S.FAILED], False, WaveState.PARTIAL),
        ([S.LAUNCHED, S.SKIPPED], False, WaveState.PARTIAL),
        ([S.LAUNCHED, S.UNKNOWN], False, WaveState.PARTIAL),
        ([S.LAUNCHED, S.UNKNOWN], True, WaveState.TIMED_OUT),
        ([S.FAILED], False, WaveState.FAILED),
        ([S.UNKNOWN], False, WaveState.FAILED),
        ([S.CANCELLED], False, WaveState.CANCELLED),
        ([S.CANCELLED, S.FAILED], False, WaveState.FAILED),
        ([], False, WaveState.FAILED),
    ],
)
def test_only_its_servers_decide_how_a_wave_ended(servers, overdue, expected):
    assert outcome.of_wave(servers, overdue=overdue) == expected


@pytest.mark.parametrize(
    ("critical", "optional", "threshold", "overdue", "expected"),
    [
        ([S.LAUNCHED], [S.FAILED], 50, False, WaveState.COMPLETED),
        ([S.LAUNCHED], [S.FAILED], 51, False, WaveState.PARTIAL),
        ([S.LAUNCHED], [S.FAILED], 100, False, WaveState.PARTIAL),
        ([S.LAUNCHED] * 2, [S.SKIPPED], 66, False, WaveState.COMPLETED),
        ([S.LAUNCHED] * 2, [S.SKIPPED], 67, False, WaveState.PARTIAL),
        ([S.LAUNCHED] * 3, [S.UNKNOWN], 75, True, WaveState.COMPLETED),
        ([S.LAUNCHED] * 3, [S.LAUNCHING], 76, True, WaveState.TIMED_OUT),
        ([S.FAILED], [S.LAUNCHED] * 9, 1, False, WaveState.PARTIAL),
        ([S.UNKNOWN], [S.LAUNCHED] * 9, 1, False, WaveState.PARTIAL),
        ([S.LAUNCHED] * 9 + [S.FAILED], [], 50, False, WaveState.PARTIAL),
        ([], [S.LAUNCHED, S.FAILED], 50, False, WaveState.COMPLETED),
        ([], [S.FAILED, S.FAILED], 1, False, WaveState.FAILED),
        ([], [], 1, False, WaveState.FAILED),
    ],
)
def test_critical_servers_and_a_threshold(critical, optional, threshold, overdue, expected):
    found = outcome.of_wave(critical, optional, threshold=threshold, overdue=overdue)
    assert found == expected


def counted(servers):
    return [state for state in servers if state != S.LEFT_OUT]


_STATES = st.lists(st.sampled_from(list(S)), max_size=6)


@given(_STATES, _STATES, st.integers(1, 100), st.booleans())
def test_a_wave_ends_well_by_its_rule_and_an_execution_only_wholly(
    critical, optional, threshold, overdue
):
    """What a person left out counts for nothing, wherever it stands."""
    servers = counted(critical + optional)
    share = sum(state in LAUNCHED_WELL for state in servers) / len(servers) if servers else 0
    well = set(counted(critical)) <= LAUNCHED_WELL and share >= threshold / 100
    found = outcome.of_wave(critical, optional, threshold=threshold, overdue=overdue)
    assert (found == WaveState.COMPLETED) == well
    if well:
        ended = outcome.of_execution(servers, cancelled=False)
        wholly = set(servers) <= LAUNCHED_WELL
        assert ended == (ExecutionState.COMPLETED if wholly else ExecutionState.PARTIAL)


@given(st.lists(st.sampled_from(list(S)), max_size=6), st.booleans())
def test_nothing_but_launched_servers_is_a_success(servers, overdue):
    good = bool(counted(servers)) and set(counted(servers)) <= LAUNCHED_WELL
    assert (outcome.of_wave(servers, overdue=overdue) == WaveState.COMPLETED) == good
    execution = outcome.of_execution(servers, cancelled=False)
    assert (execution == ExecutionState.COMPLETED) == good


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([S.LAUNCHED], ExecutionState.COMPLETED),
        ([S.LAUNCHED, S.BLOCKED], ExecutionState.PARTIAL),
        ([S.FAILED, S.BLOCKED], ExecutionState.FAILED),
    ],
)
def test_how_an_execution_ended(servers, expected):
    assert outcome.of_execution(servers, cancelled=False) == expected
    assert outcome.of_execution(servers, cancelled=True) == ExecutionState.CANCELLED


@pytest.mark.parametrize(
    ("waves", "timed_out"),
    [
        ([W.TIMED_OUT], True),
        ([W.COMPLETED, W.TIMED_OUT, W.BLOCKED, W.LEFT_OUT], True),
        ([W.TIMED_OUT, W.PARTIAL], False),
        ([W.TIMED_OUT, W.FAILED, W.BLOCKED], False),
        ([W.FAILED, W.BLOCKED], False),
    ],
)
@pytest.mark.parametrize("servers", [[S.UNKNOWN], [S.LAUNCHED, S.UNKNOWN]])
def test_an_execution_times_out_when_only_time_kept_it_from_ending_well(waves, timed_out, servers):
    ended = outcome.of_execution(servers, cancelled=False, waves=waves)
    assert (ended == ExecutionState.TIMED_OUT) == timed_out
    cancelled = outcome.of_execution(servers, cancelled=True, waves=waves)
    assert cancelled == ExecutionState.CANCELLED
    # What came in late, but before the end, counts: then nothing is missing.
    whole = outcome.of_execution([S.LAUNCHED], cancelled=False, waves=waves)
    assert whole == ExecutionState.COMPLETED


@given(st.dictionaries(st.integers(1, 8), st.sets(st.integers(1, 8)), max_size=8))
def test_a_cycle_is_one_and_none_means_an_order_exists(needs):
    needs = {wave: found & needs.keys() for wave, found in needs.items()}
    around = graph.cycle(needs)
    if around:
        assert around[0] == around[-1]
        assert all(b in needs[a] for a, b in pairwise(around))
        return
    done: set[int] = set()
    while done != needs.keys():
        ready = {wave for wave, found in needs.items() if wave not in done and found <= done}
        assert ready
        done |= ready


def test_unknown_waves_are_named():
    assert graph.unknown({1: {3}, 2: {1}}) == {1: [3]}


@given(st.lists(st.uuids().map(str), unique=True, max_size=450))
def test_no_server_is_lost_or_doubled_by_the_split(servers):
    parts = quota.split(servers)
    assert [server for part in parts for server in part] == servers
    assert all(1 <= len(part) <= 100 for part in parts)


@pytest.mark.parametrize(
    ("wanted", "load", "fits"),
    [
        (100, Load(0, 0), True),
        (100, Load(19, 400), True),
        (1, Load(20, 20), False),
        (100, Load(5, 401), False),
    ],
)
def test_quotas(wanted, load, fits):
    why = quota.why_wait(wanted, load)
    assert (why == "") is fits
    assert fits or str(load.jobs) in why or str(load.servers) in why


def test_polls_are_frequent_after_a_change_and_seldom_later():
    fast, slow = timedelta(seconds=1), timedelta(seconds=15)
    waits = [
        schedule.poll_after(
            timedelta(seconds=s), ending=ending, fastest=fast, slowest=slow
        ).total_seconds()
        for s, ending in ((0, False), (10, False), (60, False), (3600, False), (3600, True))
    ]
    assert waits == [1, 1, 6, 15, 1]


@given(st.integers(0, 10_000), st.none() | st.floats(0, 1e6))
def test_retries_wait_longer_and_longer_but_never_for_ever(failures, asked_for):
    fast, slow = timedelta(seconds=1), timedelta(seconds=15)
    wait = schedule.retry_after(failures, fastest=fast, slowest=slow, asked_for=asked_for)
    assert fast <= wait <= max(slow, timedelta(seconds=min(asked_for or 0, 60)))
    if asked_for:
        assert wait >= min(timedelta(seconds=asked_for), timedelta(seconds=60))


def line(event: str, error: str = "", server: str = "s-1", instance: str = "") -> LogItem:
    return LogItem(at=None, event=event, server_id=server, error=error, instance_id=instance)


def test_the_log_tells_phase_reason_and_instance():
    log = read_log(
        [
            LogItem(at=None, event="JOB_START"),
            line("SNAPSHOT_START"),
            line("CONVERSION_START"),
            line("CONVERSION_FAIL", "boom"),
            line("LAUNCH_START", server="s-2"),
            line("LAUNCH_END", server="s-2", instance="i-2"),
            line("SOMETHING_NEW", server="s-2"),
            line("SERVER_SKIPPED", "no point", server="s-3"),
        ]
    )
    assert log["s-1"] == ServerLog(Phase.CONVERSION, failure="Conversion failed: boom")
    assert log["s-2"] == ServerLog(Phase.DONE, instance_id="i-2")
    assert log["s-3"].skipped == "DRS skipped the server: no point"


def test_a_snapshot_that_failed_but_was_replaced_is_no_failure():
    log = read_log([line("SNAPSHOT_FAIL", "x"), line("USING_PREVIOUS_SNAPSHOT")])
    assert log["s-1"].failure == ""


NOTHING = ServerLog()


@pytest.mark.parametrize(
    ("status", "log", "completed", "instance", "expected"),
    [
        ("LAUNCHED", NOTHING, False, "", S.LAUNCHED),
        ("FAILED", NOTHING, False, "", S.FAILED),
        ("FAILED", ServerLog(skipped="why"), True, "", S.SKIPPED),
        ("TERMINATED", NOTHING, True, "", S.FAILED),
        ("PENDING", NOTHING, False, "", S.LAUNCHING),
        ("", NOTHING, False, "", S.LAUNCHING),
        ("IN_PROGRESS", NOTHING, True, "", S.UNKNOWN),
        ("", NOTHING, True, "", S.UNKNOWN),
        ("PENDING", NOTHING, True, "i-1", S.LAUNCHED),
        ("PENDING", ServerLog(skipped="why"), True, "", S.SKIPPED),
        ("PENDING", ServerLog(failure="why"), True, "", S.FAILED),
        ("PENDING", ServerLog(failure="why"), False, "", S.LAUNCHING),
        ("A_NEW_WORD", NOTHING, True, "", S.UNKNOWN),
    ],
)
def test_what_became_of_a_server(status, log, completed, instance, expected):
    found = judge(launch_status=status, log=log, completed=completed, instance_id=instance)
    assert found.state == expected
    if expected in {S.FAILED, S.SKIPPED, S.UNKNOWN}:
        assert found.message
