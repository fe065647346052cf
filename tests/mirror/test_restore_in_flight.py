"""An execution that was under way when the portal was lost is carried to its end, once."""

import pytest

from drportal.mirror import services
from protection.models import GroupHold, TargetAccount
from protection.services import accounts
from recovery.models import Execution, ExecutionEvent, JobWatch, LaunchJob, ServerClaim, WaveServer
from recovery.services import executions
from recovery.states import EXECUTION, ExecutionState, JobState, ServerState
from tests.mirror.emptying import lose_everything
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.worlds import (
    EXTERNAL_ID,
    PERSON,
    drill,
    group_of,
    launches,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def mirrored(aws):
    """Simulated AWS with a plan of two waves, and its mirror."""
    world_of([server(f"web-{n}") for n in range(2)] + [server("db-0")])
    made = Store()
    registered()
    plan = plan_of(wave("first", group_of("db")), wave("second", group_of("web"), depends_on=(1,)))
    yield plan
    made.close()


def lost_and_rebuilt():
    """The portal is lost, rebuilt, and told the external ids again."""
    lose_everything()
    restored = services.restore(take_over=True)
    assert restored.left_out == []
    for account in TargetAccount.objects.filter(is_hub=False):
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)


def jobs_in(*states):
    return lambda _: set(LaunchJob.objects.values_list("state", flat=True)) == set(states)


def each_server_launched_once(execution):
    execution.refresh_from_db()
    assert execution.state == "COMPLETED"
    assert not ServerClaim.objects.filter(released_at=None).exists()
    servers = [server_id for call in launches() for server_id in call.server_ids]
    assert len(servers) == len(set(servers)) == 3


def test_a_started_job_is_watched_to_its_end(mirrored, driver):
    execution = drill(mirrored)
    driver.run(execution, until=jobs_in(JobState.STARTED))
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    assert execution.state in EXECUTION.active
    assert ServerClaim.objects.filter(released_at=None).count() == 3
    assert JobWatch.objects.count() == 1
    held = GroupHold.objects.values_list("group__name", "holder_id")
    assert list(held) == [("web 1 us-east-1", execution.pk)]
    assert [e.message for e in ExecutionEvent.objects.all()] == ["Restored from the mirror."]
    driver.run(execution)
    each_server_launched_once(execution)
    drain_all()
    both_sides_equal()


def test_a_wave_at_its_gate_keeps_its_groups_as_they_are(aws, driver):
    world_of([server("web-0")])
    store = Store()
    registered()
    execution = drill(plan_of(wave("only", group_of("web"), gate=True)))
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    held = GroupHold.objects.values_list("group__name", "holder_id")
    assert list(held) == [("web 1 us-east-1", execution.pk)]
    executions.resume(execution, position=1, actor=PERSON)
    driver.run(execution)
    assert not GroupHold.objects.filter(released_at=None).exists()
    store.close()


def test_what_the_mirror_was_not_told_is_looked_for(mirrored, driver):
    """The mirror knows of a queued job only; DRS has started, even ended it."""
    execution = drill(mirrored)
    driver.run(execution, until=jobs_in(JobState.STARTED))
    LaunchJob.objects.update(
        state=JobState.QUEUED, drs_job_id="", asked_at=None, intended_at=None, known_job_ids=[]
    )
    WaveServer.objects.update(state=ServerState.PENDING)
    services.resync()
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    driver.run(execution)
    each_server_launched_once(execution)


def test_an_intent_is_looked_for_too(mirrored, driver):
    execution = drill(mirrored)
    driver.run(execution, until=jobs_in(JobState.STARTED))
    LaunchJob.objects.update(state=JobState.INTENDED, drs_job_id="", asked_at=None, started_at=None)
    WaveServer.objects.update(state=ServerState.PENDING)
    services.resync()
    drain_all()
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    driver.run(execution)
    each_server_launched_once(execution)


def test_a_job_that_nobody_knows_is_not_repeated(mirrored, driver):
    """DRS has a job with some of the servers since the execution began: a person must decide."""
    execution = drill(mirrored)
    driver.run(execution, until=jobs_in(JobState.STARTED, JobState.ENDED))
    second = LaunchJob.objects.get(state=JobState.STARTED)
    LaunchJob.objects.filter(pk=second.pk).update(
        state=JobState.QUEUED, drs_job_id="", asked_at=None, intended_at=None, known_job_ids=[]
    )
    gone = WaveServer.objects.filter(launch_job=second).earliest("name")
    LaunchJob.objects.filter(pk=second.pk).update(server_ids=[gone.server_id])
    WaveServer.objects.filter(launch_job=second).update(state=ServerState.PENDING)
    services.resync()
    drain_all()
    before = len(launches())
    lost_and_rebuilt()
    execution = Execution.objects.get(pk=execution.pk)
    for _ in range(20):
        driver.step(execution)
    assert len(launches()) == before
    [waiting] = LaunchJob.objects.filter(state=JobState.QUEUED)
    assert "tells nothing of it" in waiting.message


def test_nothing_is_asked_without_the_external_id(mirrored, driver):
    execution = drill(mirrored)
    driver.run(execution, until=jobs_in(JobState.STARTED))
    drain_all()
    lose_everything()
    services.restore(take_over=True)
    execution = Execution.objects.get(pk=execution.pk)
    before = len(launches())
    for _ in range(5):
        driver.step(execution)
    execution.refresh_from_db()
    assert execution.state in EXECUTION.active
    assert len(launches()) == before
    assert "external id" in JobWatch.objects.get().message
    for account in TargetAccount.objects.filter(is_hub=False):
        assert account.lacks_external_id
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)
    driver.run(execution)
    each_server_launched_once(execution)
