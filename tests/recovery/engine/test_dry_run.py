"""What a dry run promises, whatever the plan: order, room, and nothing certain that is unknown."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drportal.aws.limits import JobQuotas
from recovery.engine.dry_run import DryRun, Job, Moment, Place, Server, Wave, dry_run
from recovery.engine.estimates import Estimates, Subject, percentile

NORTH, SOUTH = ("111122223333", "us-east-1"), ("444455556666", "us-west-2")
MINUTE = timedelta(minutes=1)


def job(minutes: int | None = 10, *, servers: int = 1, place: Place = NORTH) -> Job:
    takes = None if minutes is None else minutes * MINUTE
    return Job(place, tuple(Server(f"s-{n}", critical=True, takes=takes) for n in range(servers)))


def at(minutes: float, *, sure: bool = True) -> Moment:
    return Moment(minutes * MINUTE, sure)


@st.composite
def plans(draw: st.DrawFn) -> list[Wave]:
    """Waves that need earlier ones, with jobs of known and unknown length in two places."""
    lengths = st.one_of(st.none(), st.integers(0, 30))
    jobs = st.builds(job, lengths, servers=st.integers(1, 4), place=st.sampled_from([NORTH, SOUTH]))
    return [
        Wave(
            position,
            frozenset(draw(st.sets(st.integers(1, max(position - 1, 1))))) - {position},
            tuple(draw(st.lists(jobs, max_size=4))),
            gate=draw(st.booleans()),
            wait=draw(st.sampled_from([timedelta(0), 5 * MINUTE])),
        )
        for position in range(1, draw(st.integers(1, 6)) + 1)
    ]


def longest_path(waves: Sequence[Wave]) -> timedelta:
    ends: dict[int, timedelta] = {}
    for wave in waves:
        begin = max((ends[need] for need in wave.needs), default=timedelta(0))
        lasts = max((each.at_least for each in wave.jobs), default=timedelta(0))
        # What is left out has ended at once, whatever it needs.
        ends[wave.position] = begin + wave.wait + lasts if wave.jobs else timedelta(0)
    return max(ends.values())


SMALL = JobQuotas(concurrent_jobs=2, servers_in_jobs=5, servers_per_job=4)


@settings(max_examples=200, deadline=None)
@given(plans(), st.lists(st.integers(1, 4), max_size=2))
def test_whatever_the_plan_its_order_and_the_room_are_kept(waves, others):
    found = dry_run(waves, running={NORTH: others}, quotas=SMALL)
    runs = {run.position: run for run in found.waves}
    by_position = {wave.position: wave for wave in waves}
    assert sorted(runs) == [wave.position for wave in waves if wave.jobs]
    assert len(found.jobs) == sum(len(wave.jobs) for wave in waves)
    for position, run in runs.items():
        # What is left out has ended at once; everything else comes first.
        needs = [runs[need] for need in by_position[position].needs if need in runs]
        assert all(need.end.at <= run.begin.at for need in needs)
        assert run.begin.at >= run.ready.at + by_position[position].wait
        # Nothing is certain that rests on what is not.
        assert not (run.end.sure and not all(need.end.sure for need in needs))
        assert not (run.end.sure and by_position[position].gate)
    events: dict[Place, list[tuple[timedelta, int, int]]] = defaultdict(list)
    for each in found.jobs:
        if each.end.at > each.begin.at:
            events[each.job.place] += [
                (each.begin.at, 1, len(each.job.servers)),
                (each.end.at, 0, -len(each.job.servers)),
            ]
        assert not (each.end.sure and each.job.takes is None)
    for changes in events.values():
        jobs = servers = 0
        for _, begins, size in sorted(changes):
            jobs, servers = jobs + (1 if begins else -1), servers + size
            assert jobs <= SMALL.concurrent_jobs
            assert servers <= SMALL.servers_in_jobs
    assert found.end.at >= longest_path(waves)


@given(plans())
def test_where_every_length_is_known_and_nothing_is_in_the_way_the_end_is_certain(waves):
    known = [
        Wave(
            wave.position,
            wave.needs,
            tuple(each for each in wave.jobs if each.takes is not None),
            wait=wave.wait,
        )
        for wave in waves
    ]
    found = dry_run(known)
    assert found.end == Moment(longest_path(known))


def test_a_full_place_lets_jobs_wait_in_line_and_says_why():
    found = dry_run([Wave(1, frozenset(), tuple(job(10) for _ in range(5)))], quotas=SMALL)
    assert [run.begin.at / MINUTE for run in found.jobs] == [0, 0, 10, 10, 20]
    assert found.jobs[2].waits == ("2 of 2 concurrent jobs are running",)
    assert found.end == at(30)


def test_jobs_of_others_end_at_a_time_that_nobody_knows():
    found = dry_run(
        [Wave(1, frozenset(), (job(10), job(90, place=SOUTH)))],
        running={NORTH: [1, 1]},
        quotas=SMALL,
    )
    by_place = {run.job.place: run for run in found.jobs}
    assert (by_place[NORTH].begin, by_place[NORTH].end) == (at(0, sure=False), at(10, sure=False))
    assert by_place[NORTH].waits == ("2 of 2 concurrent jobs are running",)
    assert by_place[SOUTH].end == at(90)
    assert found.end == at(90, sure=False)


def test_what_may_still_be_in_the_way_makes_a_begin_uncertain():
    unknown, later = Wave(1, frozenset(), (job(None), job(None))), Wave(2, frozenset(), (job(5),))
    timed = Wave(3, frozenset(), (job(5),), wait=60 * MINUTE)
    found = dry_run([unknown, later, timed], quotas=SMALL)
    assert {run.wave: run.begin.sure for run in found.jobs} == {1: True, 2: False, 3: False}
    assert {run.wave: run.begin.at for run in found.jobs}[3] == 60 * MINUTE


def test_a_gate_is_opened_at_once_and_makes_all_after_it_at_least():
    found = dry_run(
        [
            Wave(1, frozenset(), (job(10),)),
            Wave(2, frozenset({1}), (job(10),), gate=True, wait=5 * MINUTE),
        ]
    )
    first, second = found.waves
    assert (first.end, second.ready) == (at(10), at(10))
    assert (second.begin, second.end) == (at(15, sure=False), at(25, sure=False))


def test_the_last_critical_server_counts_and_not_the_last_of_all():
    servers = (
        Server("s-1", critical=True, takes=10 * MINUTE),
        Server("s-2", critical=False, takes=50 * MINUTE),
        Server("s-3", critical=False, takes=None),
    )
    found = dry_run([Wave(1, frozenset(), (Job(NORTH, servers),), time_limit=40 * MINUTE)])
    assert (found.reached, found.end) == (at(10), at(50, sure=False))
    assert found.waves[0].late
    optional = (Job(NORTH, servers[1:]),)
    assert dry_run([Wave(1, frozenset(), optional)]).reached is None


def test_a_wave_that_is_left_out_holds_up_nobody():
    found: DryRun = dry_run([Wave(1, frozenset(), ()), Wave(2, frozenset({1}), (job(10),))])
    assert [run.position for run in found.waves] == [2]
    assert found.waves[0].begin == at(0)


UBUNTU, WINDOWS = "Ubuntu 22.04", "Windows Server 2022"


def subject(number: int, *, place: Place = NORTH, os: str = UBUNTU) -> Subject:
    return Subject(*place, f"s-{number}", os)


@pytest.mark.parametrize(
    ("past", "like", "runs"),
    [
        ([subject(1), subject(2)], "this server", 1),
        ([subject(2), subject(3)], "servers with this OS in its account and Region", 2),
        ([subject(2, place=("999", NORTH[1]))], "servers with this OS in its Region", 1),
        ([subject(2, place=SOUTH)], "servers with this OS", 1),
        ([subject(2, os=WINDOWS)], "servers in its account and Region", 1),
        ([subject(2, os=WINDOWS, place=SOUTH)], "servers of this installation", 1),
    ],
)
def test_an_estimate_is_from_the_nearest_past_launches_and_says_so(past, like, runs):
    found = Estimates([(each, 9 * MINUTE) for each in past]).of(subject(1))
    assert found is not None
    assert (found.like, found.runs, found.median) == (like, runs, 9 * MINUTE)


def test_without_any_past_launch_nothing_is_known():
    assert Estimates([]).of(subject(1)) is None


def test_an_unknown_os_is_like_no_other():
    past = [(subject(2, os="", place=SOUTH), MINUTE)]
    found = Estimates(past).of(subject(1, os=""))
    assert found is not None
    assert found.like == "servers of this installation"


@given(st.lists(st.integers(0, 10_000), min_size=1), st.sampled_from([50, 90]))
def test_a_percentile_was_really_seen_and_is_exceeded_by_no_more_than_the_rest(seconds, percent):
    took = sorted(timedelta(seconds=each) for each in seconds)
    found = percentile(took, percent)
    assert found in took
    assert sum(each <= found for each in took) * 100 >= percent * len(took)
    assert sum(each < found for each in took) * 100 < percent * len(took)
