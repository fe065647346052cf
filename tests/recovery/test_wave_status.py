"""How a wave stands: told by its servers, and looked at on demand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.clock import ManualClock
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.engine import outcome
from recovery.errors import WaveNotFound
from recovery.models import Execution, JobWatch, LaunchJob
from recovery.services import advance, watch, wave_status
from recovery.states import JobState, ServerState, WaveState
from tests.factories.recovery import WaveFactory, WaveServerFactory
from tests.worlds import (
    NORTH,
    PERSON,
    drill,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def execution(aws):
    world_of([server("db-1"), server("db-2")])
    registered()
    return drill(plan_of(wave("Databases", group_of("db"))))


def asleep() -> None:
    """Nothing is due for an hour, and what was polled was so a minute ago."""
    now = timezone.now()
    JobWatch.objects.update(due_at=now + timedelta(hours=1), leased_until=None)
    JobWatch.objects.exclude(polled_at=None).update(polled_at=now - timedelta(minutes=1))
    Execution.objects.active().update(due_at=now + timedelta(hours=1), leased_until=None)


def poll(execution):
    return wave_status.poll(execution, position=1, actor=PERSON)


def test_a_completed_job_whose_servers_all_failed_completes_no_wave(execution, driver):
    for name in ("db-1", "db-2"):
        world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known(name).server_id, raw_error="Full"))
    driver.step(execution)
    clock = world.clock
    assert isinstance(clock, ManualClock)
    for _ in range(60):
        JobWatch.objects.update(due_at=timezone.now(), leased_until=None)
        for pk in JobWatch.objects.values_list("pk", flat=True):
            watch.poll(pk)
        clock.advance(timedelta(minutes=1))
    job = LaunchJob.objects.get()
    assert (job.state, job.drs_status) == (JobState.ENDED, "COMPLETED")
    asleep()
    told = wave_status.complete(execution, position=1, actor=PERSON)
    assert told.wave.state == WaveState.LAUNCHING  # the engine ends it, not the request
    assert told.by_servers == WaveState.FAILED
    assert wave_status.complete(execution, position=1, actor=PERSON).by_servers == WaveState.FAILED
    advance.advance(execution.pk)
    ended = wave_status.complete(execution, position=1, actor=PERSON)
    assert (ended.wave.state, ended.by_servers) == (WaveState.FAILED, WaveState.FAILED)
    assert len(launches()) == 1


def test_a_poll_has_drs_asked_and_the_execution_go_on_and_twice_is_as_good(execution, driver):
    driver.step(execution)
    asleep()
    execution.refresh_from_db()
    before = execution.requests_made
    told = poll(execution)
    assert told.by_servers == WaveState.LAUNCHING
    (place,) = told.places
    assert (place.account_id, place.trouble) == (NORTH, "")
    assert place.answered_at < timezone.now() - timedelta(seconds=50)
    assert place.asks_again_at <= timezone.now()
    poll(execution)
    asked = len(world.calls.matching(operation="DescribeJobs"))
    for pk in watch.due(timezone.now()):
        watch.poll(pk)
    assert len(world.calls.matching(operation="DescribeJobs")) == asked + 1
    assert execution.pk in advance.due(timezone.now())
    poll(execution)
    assert watch.due(timezone.now()) == []  # it was asked a moment ago
    execution.refresh_from_db()
    assert execution.requests_made == before  # what the engine has decided still holds
    driver.run(execution)
    assert len(launches()) == 1
    record = AuditRecord.objects.filter(event="recovery.wave.polled")[0]
    assert (record.actor_name, record.outcome) == ("pat", "SUCCEEDED")


def test_a_place_that_does_not_answer_says_so_and_is_not_hurried(execution, driver):
    driver.step(execution)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="DescribeJobs", account=NORTH))
    driver.step(execution)
    asleep()
    due = JobWatch.objects.get().due_at
    (place,) = poll(execution).places
    assert place.trouble
    assert place.answered_at is not None
    assert JobWatch.objects.get().due_at == due
    assert {row.state for row in execution.servers.all()} == {ServerState.LAUNCHING}


@pytest.mark.parametrize(
    ("started", "states", "amounts_to"),
    [
        (False, ["PENDING"], None),
        (False, ["BLOCKED"], None),
        (True, ["LAUNCHING", "FAILED"], WaveState.LAUNCHING),
        (True, ["FAILED", "FAILED"], WaveState.FAILED),
        (True, ["UNKNOWN"], WaveState.FAILED),
        (True, ["LAUNCHED", "UNKNOWN"], WaveState.PARTIAL),
        (True, ["LAUNCHED", "READY"], WaveState.COMPLETED),
    ],
)
def test_only_servers_say_what_a_wave_amounts_to(started, states, amounts_to):
    at = timezone.now() if started else None
    row = WaveFactory.create(state=WaveState.LAUNCHING, started_at=at)
    for state in states:
        WaveServerFactory.create(wave=row, state=state)
    assert wave_status.told(row.execution, position=1).by_servers == amounts_to
    assert set(states) <= outcome.FINAL | {"PENDING", "LAUNCHING"}


def test_there_is_no_such_wave_and_nothing_is_written(execution):
    before = AuditRecord.objects.count()
    for ask in (wave_status.poll, wave_status.complete):
        with pytest.raises(WaveNotFound):
            ask(execution, position=7, actor=PERSON)
    assert AuditRecord.objects.count() == before
