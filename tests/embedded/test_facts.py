from datetime import UTC, datetime, timedelta

import pytest

from drportal.embedded import facts
from drportal.embedded.demo import what_is_wrong

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def place(server, account="111111111111", region="us-east-1"):
    return (account, region, server)


def wave(position, *servers, after=(), opened=None):
    return facts.WaveFacts(position, after, frozenset(map(place, servers)), opened)


def job(*servers, began=0.0, ended=None, kind="LAUNCH", account="111111111111"):
    found = {
        "account": account,
        "region": "us-east-1",
        "type": kind,
        "creationDateTime": at(began).isoformat(),
        "participatingServers": [{"sourceServerID": server} for server in servers],
    }
    return found | ({"endDateTime": at(ended).isoformat()} if ended is not None else {})


def call(when, *servers, operation="StartRecovery", job_id="drsjob-1", account="111111111111"):
    return {
        "service": "drs",
        "operation": operation,
        "at": at(when).isoformat(),
        "account": account,
        "region": "us-east-1",
        "server_ids": list(servers),
        "job_id": job_id,
    }


def launches(*jobs):
    return facts.launches(jobs, since=NOON)


def test_only_launch_jobs_of_this_drill_count():
    found = launches(job("a", began=1), job("b", began=-1), job("c", kind="TERMINATE"))
    assert [each.servers for each in found] == [frozenset({place("a")})]


@pytest.mark.parametrize(
    ("jobs", "most"),
    [
        ([], 0),
        ([job("a", "b"), job("c")], 1),
        ([job("a", "b"), job("a", "b"), job("c")], 2),
        ([job("a", "b"), job("b")], 2),  # the same server, bundled differently
        ([job("a"), job("a", account="222222222222")], 1),  # another account's server
        ([job("x"), job("x")], 0),  # nobody's intent
    ],
)
def test_jobs_per_intent(jobs, most):
    waves = [wave(1, "a", "b"), wave(2, "c", after=(1,))]
    assert facts.jobs_per_intent_max(waves, launches(*jobs)) == most


def test_a_wave_waits_for_the_last_job_of_all_it_needs():
    waves = [wave(1, "a", "b"), wave(2, "c"), wave(3, "d", after=(1, 2))]
    jobs = launches(job("a", ended=10), job("b", ended=30), job("c", ended=20), job("d"))
    calls = [call(0, "a"), call(0, "b"), call(0, "c"), call(31.5, "d"), call(60, "d")]
    assert facts.overheads(waves, jobs, calls) == [1.5]


def test_a_gated_wave_waits_for_its_gate_too():
    jobs = launches(job("a", ended=10))
    calls = [call(42, "b")]
    for opened, waited in ((40, 2), (5, 32)):
        waves = [wave(1, "a"), wave(2, "b", after=(1,), opened=at(opened))]
        assert facts.overheads(waves, jobs, calls) == [waited]


@pytest.mark.parametrize(
    ("jobs", "calls"),
    [
        ([job("a", ended=10)], []),  # never launched
        ([job("a", ended=10)], [call(11, "b", job_id=None)]),  # refused
        ([job("a", ended=10)], [call(11, "b", operation="DescribeJobs")]),
        ([job("a", ended=10)], [call(11, "b", account="222222222222")]),
        ([job("a")], [call(11, "b")]),  # what it waited for has not ended
        ([], [call(11, "b")]),
    ],
)
def test_what_cannot_be_told_is_not_made_up(jobs, calls):
    waves = [wave(1, "a"), wave(2, "b", after=(1,))]
    assert facts.overheads(waves, launches(*jobs), calls) == []


def test_a_wave_that_waited_for_nothing_has_no_overhead():
    assert facts.overheads([wave(1, "a")], launches(job("a", ended=9)), [call(0, "a")]) == []


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [([], None, None), ([2.0], 2.0, 2.0), ([1.0, 3.0], 2.0, 2.9), (list(range(101)), 50, 95)],
)
def test_percentiles(values, p50, p95):
    assert facts.percentiles(values) == {"p50": p50, "p95": p95}


def report(**changed):
    servers = {"launched": 2, "failed": changed.pop("failed", 0)}
    waves = [{"name": "Web", "state": changed.pop("wave", "COMPLETED"), "servers": servers}]
    return {
        "execution": {"state": changed.pop("state", "COMPLETED"), "waves": waves},
        "aws": {"jobs_per_intent_max": changed.pop("jobs", 1)},
        "mirror": {
            "behind": changed.pop("behind", 0),
            "differences": changed.pop("differences", 0),
        },
        "audit": {"records": changed.pop("records", 9)},
    }


def test_a_drill_that_went_well_has_nothing_wrong():
    assert what_is_wrong(report()) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "PARTIAL"}, "the drill ended PARTIAL"),
        ({"wave": "TIMED_OUT"}, "wave Web ended TIMED_OUT"),
        ({"failed": 1}, "1 not launched"),
        ({"jobs": 2}, "2 DRS jobs for one intent"),
        ({"jobs": 0}, "0 DRS jobs for one intent"),
        ({"behind": 3}, "3 behind"),
        ({"differences": 4}, "4 differ"),
        ({"records": 0}, "nothing was recorded"),
    ],
)
def test_each_thing_that_is_wrong_is_said(changed, said):
    (wrong,) = what_is_wrong(report(**changed))
    assert said in wrong
