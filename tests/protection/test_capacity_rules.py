"""The one table of thresholds: as cases, and as what holds of every count."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drportal.aws.limits import DOCUMENTED, DRS_JOBS, QuotaCode
from protection.choices import CapacityState, Measure
from protection.rules.capacity import (
    THRESHOLDS,
    Count,
    assess,
    is_replicating,
    replicating,
    total,
    worst,
)

RANK = [
    CapacityState.OK,
    CapacityState.UNKNOWN,
    CapacityState.INFO,
    CapacityState.WARNING,
    CapacityState.CRITICAL,
    CapacityState.HYPER_CRITICAL,
]
OTHERS = [measure for measure in Measure if measure != Measure.REPLICATING_SERVERS]
REPLICATING = ("CONTINUOUS", "INITIAL_SYNC", "RESCAN", "INITIATING", "CREATING_SNAPSHOT", "BACKLOG")

measures = st.sampled_from(Measure)
limits = st.integers(1, 10_000)
values = st.integers(0, 20_000)
reasons = st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple)


@pytest.mark.parametrize(
    ("servers", "state"),
    [
        (0, CapacityState.OK),
        (199, CapacityState.OK),
        (200, CapacityState.INFO),
        (224, CapacityState.INFO),
        (225, CapacityState.WARNING),
        (249, CapacityState.WARNING),
        (250, CapacityState.CRITICAL),
        (279, CapacityState.CRITICAL),
        (280, CapacityState.HYPER_CRITICAL),
        (300, CapacityState.HYPER_CRITICAL),
        (301, CapacityState.HYPER_CRITICAL),
    ],
)
def test_replicating_servers_of_300(servers, state):
    found = assess(Measure.REPLICATING_SERVERS, Count(servers), 300)
    assert (found.state, found.at_least) == (state, False)


def test_another_quota_moves_the_thresholds_in_proportion():
    def state(servers: int) -> CapacityState:
        return assess(Measure.REPLICATING_SERVERS, Count(servers), 600).state

    assert (state(399), state(400)) == (CapacityState.OK, CapacityState.INFO)
    assert (state(559), state(560)) == (CapacityState.CRITICAL, CapacityState.HYPER_CRITICAL)


@pytest.mark.parametrize(
    ("measure", "limit", "warning", "critical"),
    [
        (Measure.SOURCE_SERVERS, 4000, 3200, 3600),
        (Measure.CONCURRENT_JOBS, 20, 16, 18),
        (Measure.SERVERS_IN_JOBS, 500, 400, 450),
        (Measure.SERVERS_PER_JOB, 100, 80, 90),
    ],
)
def test_the_other_quotas_warn_at_80_and_90_percent(measure, limit, warning, critical):
    def state(value: int) -> CapacityState:
        return assess(measure, Count(value), limit).state

    assert (state(warning - 1), state(warning)) == (CapacityState.OK, CapacityState.WARNING)
    assert (state(critical - 1), state(critical)) == (CapacityState.WARNING, CapacityState.CRITICAL)


def test_every_measure_has_its_thresholds_in_rising_order():
    assert set(THRESHOLDS) == set(Measure)
    for steps in THRESHOLDS.values():
        assert [share for share, _ in steps] == sorted({share for share, _ in steps})
        assert [state for _, state in steps] == sorted((s for _, s in steps), key=RANK.index)
    assert len({THRESHOLDS[measure] for measure in OTHERS}) == 1


@given(measure=measures, limit=limits, fewer=values, more=values, missing=reasons)
def test_more_is_never_better(measure, limit, fewer, more, missing):
    fewer, more = sorted((fewer, more))
    states = [assess(measure, Count(value, missing), limit).state for value in (fewer, more)]
    assert RANK.index(states[0]) <= RANK.index(states[1])


@given(measure=measures, limit=limits, value=values, why=st.text(min_size=1))
def test_what_misses_something_is_never_fine_and_never_better_than_what_is_known(
    measure, limit, value, why
):
    known = assess(measure, Count(value), limit)
    least = assess(measure, Count(value, (why,)), limit)
    assert least.at_least
    assert least.state != CapacityState.OK
    assert RANK.index(least.state) >= RANK.index(known.state)


@given(measure=measures, limit=limits)
def test_what_is_not_known_is_unknown_whatever_the_limit(measure, limit):
    found = assess(measure, Count.unknown("it was denied"), limit)
    assert (found.state, found.at_least) == (CapacityState.UNKNOWN, True)
    assert (found.percent, found.free) == (None, None)


COUNTS = st.builds(Count, values, reasons) | st.builds(Count.unknown, st.text(min_size=1))


@given(st.lists(COUNTS, min_size=1))
def test_a_total_is_known_only_if_all_of_it_is(counts):
    found = total(counts)
    assert found.complete == all(count.complete for count in counts)
    known = [count.value for count in counts if count.value is not None]
    assert found.value == (sum(known) if known else None)
    assert found.missing == tuple(why for count in counts for why in count.missing)


def test_nothing_is_unknown_without_a_word_of_what():
    with pytest.raises(ValueError, match="what is missing"):
        Count(None)


def test_a_total_of_nothing_is_not_zero():
    assert total([]).value is None
    assert not total([]).complete


def test_the_worst_of_nothing_is_unknown():
    assert worst([]) == CapacityState.UNKNOWN
    assert worst([CapacityState.OK, CapacityState.UNKNOWN]) == CapacityState.UNKNOWN
    assert worst([CapacityState.UNKNOWN, CapacityState.CRITICAL]) == CapacityState.CRITICAL


@pytest.mark.parametrize("state", REPLICATING)
def test_states_that_count(state):
    assert is_replicating(state) is True


@pytest.mark.parametrize("state", ["STOPPED", "DISCONNECTED", "STALLED", "PAUSED", "NOT_STARTED"])
def test_states_that_do_not_count(state):
    assert is_replicating(state) is False


@pytest.mark.parametrize("state", ["", "A_NEW_WORD"])
def test_a_state_that_nobody_knows_makes_the_count_a_least(state):
    assert is_replicating(state) is None
    found = replicating([("CONTINUOUS", 7), ("STOPPED", 2), (state, 3)])
    assert found == Count(7, ("3 servers whose replication state is not known",))


def test_the_documented_quotas_are_those_that_jobs_are_cut_by():
    assert DOCUMENTED == {
        QuotaCode.REPLICATING_SERVERS: 300,
        QuotaCode.SOURCE_SERVERS: 4000,
        QuotaCode.SERVERS_PER_JOB: 100,
        QuotaCode.CONCURRENT_JOBS: 20,
        QuotaCode.SERVERS_IN_JOBS: 500,
    }
    assert (DRS_JOBS.concurrent_jobs, DRS_JOBS.servers_in_jobs, DRS_JOBS.servers_per_job) == (
        20,
        500,
        100,
    )
