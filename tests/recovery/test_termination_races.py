"""Who comes second, in a clean-up: another request, another worker, a launch that waits too."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drportal.aws.drs import Drs
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.engine.terminating import Finding
from recovery.errors import TerminationUnderWay
from recovery.models import Execution, LaunchJob, Termination, TerminationJob
from recovery.services import termination_ends, termination_jobs, termination_runs
from recovery.states import InstanceOutcome, JobState, TerminationState
from tests.clean_ups import asked, asked_for, carried_out, step, terminate_jobs, there
from tests.factories.recovery import WaveFactory, WaveServerFactory
from tests.factories.terminations import TerminationInstanceFactory, TerminationJobFactory
from tests.worlds import (
    drill,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def done(aws, driver) -> Execution:
    """A drill that has launched two of the three servers of an account and Region."""
    world_of([server("db-1"), server("db-2"), server("web-1")])
    registered()
    execution: Execution = driver.run(drill(plan_of(wave("Databases", group_of("db")))))
    return execution


def at_once(count, work):
    """What `count` threads returned, all let off together."""
    barrier = Barrier(count)

    def one(_):
        try:
            barrier.wait(30)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_many_who_ask_at_once_one_is_heard(done):
    def ask():
        try:
            return asked_for(done)
        except TerminationUnderWay as refusal:
            return refusal

    answers = at_once(6, ask)
    assert sum(isinstance(answer, Termination) for answer in answers) == 1
    assert Termination.objects.count() == TerminationJob.objects.count() == 1


def test_many_workers_at_once_ask_once(done):
    termination = asked_for(done)
    at_once(6, lambda: termination_runs.carry_out(termination.pk))
    assert len(asked()) == len(terminate_jobs()) == 1
    assert carried_out(termination).state == TerminationState.COMPLETED


def test_launches_that_wait_for_a_place_go_first(done, driver):
    other = drill(plan_of(wave("Web", group_of("web")), name="Other"))
    world.faults.add(Fault(Kind.THROTTLE, operation="StartRecovery", times=1, seconds=0))
    driver.step(other, forward=timedelta(0))
    assert LaunchJob.objects.get(execution=other).state == JobState.QUEUED
    termination = asked_for(done)
    step(termination)
    assert "go first" in termination.jobs.get().message
    assert asked() == []
    driver.run(other)
    carried_out(termination)
    assert there() == set(other.servers.values_list("recovery_instance_id", flat=True))


def test_a_job_that_somebody_else_has_asked_for_meanwhile_is_not_asked_again(done):
    world.faults.add(Fault(Kind.DROP_BEFORE, operation="TerminateRecoveryInstances", times=1))
    termination = asked_for(done)
    step(termination)
    job = TerminationJob.objects.select_related("account", "termination__execution").get()
    assert job.state == JobState.INTENDED
    long_ago = timezone.now() - timedelta(minutes=1)
    TerminationJob.objects.update(asked_at=long_ago, attempts=job.attempts + 1)
    job.asked_at = long_ago
    termination_jobs.bring_further(job, Drs(job.scope()), [])
    assert len(asked()) == 1


def test_what_became_of_many_costs_as_many_queries_as_of_few(db):
    costs = []
    for count in (2, 60):
        job = TerminationJobFactory.create()
        wave = WaveFactory.create(execution=job.termination.execution)
        for _ in range(count):
            TerminationInstanceFactory.create(
                job=job,
                server=WaveServerFactory.create(wave=wave),
                state=InstanceOutcome.TERMINATING,
            )
        rows = termination_ends.open_instances(job)
        with CaptureQueriesContext(connection) as asked_for_it:
            over = Finding(InstanceOutcome.TERMINATED)
            termination_ends.settle(job, [(row, over) for row in rows])
        assert not job.instances.exclude(state=InstanceOutcome.TERMINATED).exists()
        assert not wave.servers.filter(instance_gone_at=None).exists()
        costs.append(len(asked_for_it))
    assert costs[0] == costs[1]


def test_a_worker_that_stood_still_while_others_ended_it_complains_of_nothing(done, monkeypatch):
    termination = asked_for(done)
    go = termination_runs._go

    def stood_still(pk, lease):
        with monkeypatch.context() as others:
            others.setattr(termination_runs, "_go", go)
            carried_out(termination)
        return go(pk, lease)

    monkeypatch.setattr(termination_runs, "_go", stood_still)
    termination_runs.carry_out(termination.pk)
    termination.refresh_from_db()
    assert (termination.state, termination.message) == (TerminationState.COMPLETED, "")
