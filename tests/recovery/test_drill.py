import pytest

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from recovery.models import LaunchJob, ServerClaim
from recovery.services import executions, plans
from recovery.states import ExecutionState, ServerState, WaveState
from tests.worlds import (
    NORTH,
    PERSON,
    SOUTH,
    drill,
    group_of,
    known,
    launches,
    plan_of,
    registered,
    server,
    states,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def plan(aws):
    world_of(
        [
            *(server(f"db-{n}") for n in (1, 2)),
            *(server(f"app-{n}") for n in (1, 2)),
            server("app-3", account=SOUTH),
            *(server(f"web-{n}") for n in (1, 2)),
        ]
    )
    registered()
    return plan_of(
        wave("Databases", group_of("db")),
        wave("Applications", group_of("app"), group_of("app", account=SOUTH), depends_on=(1,)),
        wave("Web", group_of("web"), depends_on=(1, 2), gate=True, gate_instructions="Look first."),
    )


def test_a_drill_runs_wave_by_wave_and_every_server_is_launched_once(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    assert execution.waves.get(position=3).state == WaveState.WAITING
    assert states(execution)["web-1"] == ServerState.PENDING

    executions.resume(execution, comment="Looked.", actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert set(states(execution).values()) == {ServerState.LAUNCHED}
    assert sorted(tuple(sorted(call.server_ids)) for call in launches()) == sorted(
        tuple(sorted(job.server_ids)) for job in LaunchJob.objects.all()
    )
    assert len(launches()) == 4


def test_what_was_launched_is_known_down_to_its_instance(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    for row in execution.servers.filter(state=ServerState.LAUNCHED):
        assert row.recovery_instance_id.startswith("i-")
        assert row.instance_state == "running"
        assert row.private_ip
        assert row.facts_at


def test_waves_wait_for_what_they_need(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    started = {call.account for call in launches()}
    assert started == {NORTH}
    assert execution.waves.get(position=2).state == WaveState.PENDING


def test_servers_are_held_until_the_end(plan, driver):
    execution = drill(plan)
    assert ServerClaim.objects.filter(execution=execution, released_at=None).count() == 7
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    executions.cancel(execution, reason="Enough seen.", actor=PERSON)
    driver.run(execution)
    assert execution.state == ExecutionState.CANCELLED
    assert not ServerClaim.objects.filter(released_at=None).exists()


def test_cancelling_launches_nothing_more_and_watches_what_runs(plan, driver):
    execution = drill(plan)
    driver.step(execution)
    executions.cancel(execution, reason="Wrong plan.", actor=PERSON)
    driver.step(execution)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.CANCELLING
    driver.run(execution)
    assert execution.state == ExecutionState.CANCELLED
    assert len(launches()) == 1
    found = states(execution)
    assert found["db-1"] == found["db-2"] == ServerState.LAUNCHED
    assert {found[name] for name in found if name[:2] != "db"} == {ServerState.CANCELLED}
    assert [row.state for row in execution.waves.order_by("position")] == [
        WaveState.COMPLETED,
        WaveState.CANCELLED,
        WaveState.CANCELLED,
    ]


def test_a_later_edit_of_the_plan_does_not_reach_an_execution(plan, driver):
    execution = drill(plan)
    groups = tuple(plan.waves.get(position=1).groups.values_list("pk", flat=True))
    plans.edit(plan, name="Renamed", waves=[plans.WaveSpec("Only", groups)], actor=PERSON)
    driver.step(execution)
    execution.refresh_from_db()
    assert execution.plan_name == "Plan"
    assert execution.plan_version == 1
    assert execution.waves.count() == 3
    assert world.calls.count(operation="StartRecovery") == 1


def test_the_record_tells_of_the_gate_and_of_how_it_ended(plan, driver):
    execution = drill(plan)
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    executions.resume(execution, comment="Looked.", actor=PERSON)
    driver.run(execution)
    gate = AuditRecord.objects.get(event="recovery.gate.opened")
    assert (gate.actor_name, gate.facts["comment"]) == ("pat", "Looked.")
    assert gate.facts["waves"] == ["wave 3 (Web)"]
    ended = AuditRecord.objects.get(event="recovery.execution.ended")
    assert (ended.outcome, ended.facts["servers"]) == ("SUCCEEDED", {"LAUNCHED": 7})
    assert gate.subject_id == ended.subject_id == str(execution.pk)


def test_what_did_not_complete_is_a_failure_in_the_record(plan, driver):
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known("db-1").server_id))
    execution = drill(plan)
    driver.run(execution)
    assert execution.state == ExecutionState.PARTIAL
    failures = AuditRecord.objects.filter(outcome="FAILED").order_by("pk")
    assert [record.event for record in failures] == [
        "recovery.wave.ended",
        "recovery.execution.ended",
    ]
