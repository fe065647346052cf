"""The checks of a preflight as tables, and what they come to as properties."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drportal.aws.limits import JobQuotas
from recovery.engine import preflight as engine
from recovery.engine.options import Wish
from recovery.engine.preflight import Check, losses, outcome_of, score_of
from recovery.engine.preflight_facts import Against, JobFacts, Judged, LaunchFacts, Point, Told
from recovery.engine.preflight_rules import checks_of
from recovery.states import CheckOutcome
from tests.recovery.engine.preflight_world import (
    NOW,
    PLACE,
    facts,
    found,
    outcome,
    place,
    server,
    with_needs,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ID = server().server_id


def test_where_all_is_well_every_check_passes():
    checks = checks_of(facts(server(1), server(2)))
    assert {check.code for check in checks} == set(engine.TITLES)
    assert {check.outcome for check in checks} == {CheckOutcome.PASSED}
    assert (outcome_of(checks), score_of(checks), losses(checks)) == ("PASSED", 100, [])


@pytest.mark.parametrize(
    ("code", "spoilt", "expected"),
    [
        # E-33: what is paused, initiating, unknown or gone does not pass, nor does lag go unseen.
        ("replication", facts(server(readiness="LAGGING")), "WARNING"),
        ("replication", facts(server(readiness="NOT_READY", reason="stopped")), "FAILED"),
        ("replication", facts(server(readiness="UNKNOWN", reason="listed long ago")), "UNKNOWN"),
        ("replication", facts(server(readiness="A_NEW_WORD")), "UNKNOWN"),
        ("lag", facts(server(lag=HOUR)), "WARNING"),
        ("lag", facts(server(lag=None)), "UNKNOWN"),
        ("lag", facts(server(readiness="UNKNOWN")), "UNKNOWN"),
        ("lag", facts(rpo=None), "WARNING"),
        ("recovery_point", facts(points={ID: Told(Point("pit-1", NOW - HOUR))}), "WARNING"),
        (
            "recovery_point",
            facts(points={ID: Told(Point("pit-1", NOW - HOUR))}, rpo=None),
            "PASSED",
        ),
        (
            "recovery_point",
            facts(points={ID: Told(Point("pit-1", NOW - 2 * DAY))}, rpo=None),
            "WARNING",
        ),
        ("recovery_point", facts(points={ID: Told(Point("pit-1", NOW + HOUR))}), "PASSED"),
        ("recovery_point", facts(points={ID: Told(None)}), "FAILED"),
        # A chosen point that is not there is no reason to take the latest.
        ("recovery_point", facts(server(wish=Wish("pit-1")), points={ID: Told(None)}), "FAILED"),
        (
            "recovery_point",
            facts(server(wish=Wish(not_after=NOW)), points={ID: Told(None)}),
            "FAILED",
        ),
        ("recovery_point", facts(points={ID: Told(problem="throttled")}), "UNKNOWN"),
        ("recovery_point", facts(points={}), "UNKNOWN"),
        ("held", facts(server(held_by="another execution")), "FAILED"),
        # E-26: a job of any type holds a server.
        *(
            ("held", facts(jobs=Told((JobFacts("drsjob-1", kind, frozenset({ID}), 1),))), "FAILED")
            for kind in ("LAUNCH", "TERMINATE", "CREATE_CONVERTED_SNAPSHOT")
        ),
        (
            "held",
            facts(jobs=Told((JobFacts("drsjob-1", "LAUNCH", frozenset({"s-2"}), 1),))),
            "PASSED",
        ),
        ("held", facts(jobs=Told(problem="throttled")), "UNKNOWN"),
        ("quotas", facts(jobs=Told(problem="throttled")), "UNKNOWN"),
        ("quotas", facts(quotas_problem="throttled"), "WARNING"),
        ("launch_settings", facts(server(settings="not_configured")), "WARNING"),
        ("launch_settings", facts(server(settings="pending")), "FAILED"),
        ("launch_settings", facts(server(settings="failed")), "FAILED"),
        ("launch_settings", facts(server(settings="syncing")), "UNKNOWN"),
        # E-43: what was found in step last night does not count, only what is held now.
        *(
            ("launch_settings", facts(server(settings=word), launches=launches), expected)
            for word in ("ready", "drifted", "unknown")
            for launches, expected in (
                ({ID: LaunchFacts()}, "PASSED"),
                ({ID: LaunchFacts(differs=("subnetId",))}, "FAILED"),
                ({ID: LaunchFacts(problem="throttled")}, "UNKNOWN"),
                ({}, "UNKNOWN"),
            )
        ),
        ("launch_target", facts(launches={}), "UNKNOWN"),
        ("launch_target", facts(launches={ID: LaunchFacts(problem="throttled")}), "UNKNOWN"),
        (
            "launch_target",
            facts(launches={ID: LaunchFacts((Against("No subnet."),))}),
            "FAILED",
        ),
        (
            "launch_target",
            facts(launches={ID: LaunchFacts((Against("Denied.", unasked=True),))}),
            "UNKNOWN",
        ),
        ("addresses", facts(subnets=Told({"subnet-1": 0})), "FAILED"),
        ("addresses", facts(subnets=Told({"subnet-2": 9})), "FAILED"),
        ("addresses", facts(subnets=Told({"subnet-1": None})), "UNKNOWN"),
        ("addresses", facts(subnets=Told(problem="no")), "UNKNOWN"),
        (
            "addresses",
            facts(subnets=Told({"subnet-1": 0}), instances=Told({ID: ("i-1",)})),
            "WARNING",
        ),
        ("instances", facts(instances=Told(problem="throttled")), "UNKNOWN"),
        ("instances", facts(instances=Told({"s-of-nobody": ("i-1",)})), "PASSED"),
        ("account", facts(account=Judged(CheckOutcome.FAILED, "The role is gone.")), "FAILED"),
        ("drs", facts(drs=Judged(CheckOutcome.UNKNOWN, "Not known.")), "UNKNOWN"),
        ("permissions", facts(permissions=Judged(CheckOutcome.FAILED, "Lacking.")), "FAILED"),
        ("servers", replace(facts(), wrong=((1, "Wave 1 has no servers."),)), "FAILED"),
        ("servers", replace(facts(), servers=()), "FAILED"),
    ],
)
def test_what_a_check_makes_of_a_fact(code, spoilt, expected):
    assert outcome(spoilt, code) == expected


@pytest.mark.parametrize("code", list(engine.TITLES))
def test_what_does_not_pass_says_what_to_do(code):
    unknown = Judged(CheckOutcome.UNKNOWN, "Not known.", "Do this.")
    nothing = facts(
        server(readiness="UNKNOWN", settings="unknown"),
        account=unknown,
        drs=unknown,
        permissions=unknown,
        jobs=Told(problem="no"),
        instances=Told(problem="no"),
        subnets=Told(problem="no"),
        points={},
        launches={ID: LaunchFacts((Against("Denied.", unasked=True),), "subnet-1", problem="no")},
    )
    if code == "servers":
        nothing = replace(nothing, wrong=((1, "Wave 1 has no servers."),))
    (check,) = found(nothing, code)
    assert check.outcome in engine.BLOCKING
    assert check.found
    assert check.remedy


def test_existing_instances_are_named_and_it_is_said_loudly_that_they_go():
    # E-32: of each server all, for drills and recoveries alike.
    (check,) = found(facts(instances=Told({ID: ("i-1", "i-2")})), "instances")
    assert check.outcome == CheckOutcome.WARNING
    assert "DELETES 1 RECOVERY INSTANCE" in check.found
    assert "i-1, i-2 (db-1)" in check.found
    assert check.server_ids == (ID,)


def test_a_check_tells_the_servers_that_did_not_pass_apart_from_those_that_did():
    good, bad = server(1), server(2, readiness="NOT_READY", reason="its replication is stopped")
    checks = {str(check.outcome): check for check in found(facts(good, bad), "replication")}
    assert checks["PASSED"].server_ids == (good.server_id,)
    failed = checks["FAILED"]
    assert (failed.server_ids, failed.wave, failed.group) == ((bad.server_id,), 1, "databases")
    assert failed.found == "db-2: its replication is stopped."
    assert failed.facts_at == bad.listed_at


def test_how_old_facts_are_is_not_known_if_it_is_not_of_one():
    (check,) = found(facts(server(1), server(2, listed_at=None)), "replication")
    assert check.facts_at is None


def test_each_server_is_judged_by_its_own_account_and_region():
    # E-22, E-25: not those of the first wave, and not the portal's own.
    here, there = server(1), server(2, account_id="444455556666", region="eu-west-1", wave=2)
    both = replace(
        facts(here),
        servers=(here, there),
        needs={1: frozenset(), 2: frozenset({1})},
        places={
            PLACE: place(here),
            there.place: place(there, jobs=Told(problem="denied"), points={}),
        },
    )
    for code in ("held", "recovery_point", "quotas"):
        outcomes = {(c.account_id, c.region): c.outcome for c in found(both, code)}
        assert outcomes == {PLACE: "PASSED", there.place: "UNKNOWN"}, code


def waves_of(*sizes: int):
    numbers = iter(range(1, 10_000))
    return [server(next(numbers), wave=w) for w, n in enumerate(sizes, 1) for _ in range(n)]


def test_waves_one_after_the_other_are_not_added_up():
    # E-27: six waves of a hundred fit into 500 servers in jobs.
    servers = waves_of(*[100] * 6)
    after = {wave: {wave - 1} if wave > 1 else set() for wave in range(1, 7)}
    line = with_needs(facts(*servers), after)
    assert outcome(line, "quotas") == "PASSED"
    (check,) = found(facts(*servers), "quotas")
    assert check.outcome == "WARNING"
    assert "at most 6 jobs with 600 servers at once" in check.found
    assert "1 job would wait until DRS has room" in check.found


def test_jobs_that_others_run_take_their_part_of_the_room():
    # E-28: the numbers are told.
    jobs = tuple(JobFacts(f"drsjob-{n}", "LAUNCH", frozenset(), 10) for n in range(20))
    (check,) = found(facts(jobs=Told(jobs)), "quotas")
    assert check.outcome == "WARNING"
    assert "Now 20 of 20 jobs run, with 200 of 500 servers." in check.found


def test_a_job_larger_than_aws_allows_fails():
    few = JobQuotas(concurrent_jobs=20, servers_in_jobs=500, servers_per_job=50)
    assert outcome(facts(*waves_of(60), quotas=few), "quotas") == "FAILED"
    assert outcome(facts(*waves_of(50), quotas=few), "quotas") == "PASSED"


outcomes = st.lists(
    st.builds(
        Check,
        code=st.sampled_from(sorted(engine.TITLES)),
        outcome=st.sampled_from(CheckOutcome),
        found=st.text(min_size=1, max_size=20),
        server_ids=st.lists(st.just(ID), max_size=2).map(tuple),
        facts_at=st.sampled_from([None, NOW]),
    ),
    max_size=20,
)


@given(outcomes)
def test_only_what_passed_everywhere_passes(checks):
    worst = outcome_of(checks)
    assert (worst == "PASSED") == (bool(checks) and {c.outcome for c in checks} == {"PASSED"})
    assert (worst in engine.BLOCKING) == (
        not checks or any(check.outcome in engine.BLOCKING for check in checks)
    )


@given(outcomes)
def test_a_score_is_full_less_what_lowers_it(checks):
    score = score_of(checks)
    if not checks:
        assert score is None
        return
    lost = losses(checks)
    assert score == max(0, 100 - sum(loss.points for loss in lost))
    assert {loss.code for loss in lost} == {c.code for c in checks if c.outcome != "PASSED"}
    assert (score == 100) == (outcome_of(checks) == "PASSED")


@given(outcomes, outcomes)
def test_nothing_that_is_found_besides_makes_a_score_better(checks, more):
    if checks:
        assert (score_of([*checks, *more]) or 0) <= (score_of(checks) or 0)


@given(outcomes)
def test_a_check_is_kept_as_it_is(checks):
    assert [engine.of_dict(check.as_dict()) for check in checks] == checks


@given(outcomes)
def test_what_blocks_comes_first(checks):
    blocking = [check.outcome in engine.BLOCKING for check in engine.worst_first(checks)]
    assert blocking == sorted(blocking, reverse=True)


names = st.text("ab", max_size=3)
servers = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["1", "11"]), st.just("r"), names))


@given(servers, servers)
def test_a_digest_tells_sets_of_servers_apart(one, other):
    same = sorted(one) == sorted(other)
    assert (engine.digest_of(one) == engine.digest_of(other)) == same
