"""What a plan says of its servers, its timers and its thresholds, carried out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.models import SourceServer
from recovery.errors import ChosenServersGone
from recovery.models import Execution, PlanWaveGroup, Wave
from recovery.services import advance, executions, plans
from recovery.services.plans import GroupServers
from recovery.states import ExecutionState, ServerState, WaveState
from tests.worlds import (
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
def groups(aws):
    world_of(
        [
            *(server(f"app-{n}") for n in range(4)),
            server("app-9", account=SOUTH),
            server("web-1"),
        ]
    )
    registered()
    return {
        "app": group_of("app"),
        "south": group_of("app", account=SOUTH),
        "web": group_of("web"),
    }


def ids(*names: str) -> tuple[str, ...]:
    return tuple(known(name).server_id for name in names)


def fail(name: str) -> None:
    """Let DRS fail to launch a server."""
    world.faults.add(Fault(Kind.LAUNCH_FAIL, server=known(name).server_id))


def test_only_the_chosen_servers_are_launched_and_of_other_groups_all(groups, driver):
    chosen = GroupServers(groups["app"].pk, ids("app-1", "app-2"))
    plan = plan_of(wave("Apps", groups["app"], groups["south"], group_servers=(chosen,)))
    execution = drill(plan)
    driver.run(execution)
    assert set(states(execution)) == {"app-1", "app-2", "app-9"}
    sent = {pk for call in launches() for pk in call.server_ids}
    assert sent == set(ids("app-1", "app-2", "app-9"))


def test_a_wave_without_a_choice_takes_the_group_as_it_is_at_the_start(groups):
    """D49: a plan that was saved before a server came into the group launches that server."""
    plan = plan_of(wave("Apps", groups["app"]))
    SourceServer.objects.filter(name="web-1").update(tags={"Tier": "app"})
    SourceServer.objects.filter(name="app-0").update(tags={})
    assert set(states(drill(plan))) == {"app-1", "app-2", "app-3", "web-1"}


def test_a_chosen_server_that_left_its_group_blocks_by_name(groups):
    chosen = GroupServers(groups["app"].pk, ids("app-1", "app-2"))
    plan = plan_of(wave("Apps", groups["app"], group_servers=(chosen,)))
    SourceServer.objects.filter(name="app-2").update(tags={})
    with pytest.raises(ChosenServersGone) as refused:
        drill(plan)
    assert ids("app-2")[0] in refused.value.detail
    assert ids("app-1")[0] not in refused.value.detail
    assert groups["app"].name in refused.value.detail
    assert not Execution.objects.exists()


def test_an_optional_server_may_fail_and_is_named_but_nothing_is_called_whole(groups, driver):
    optional = GroupServers(groups["app"].pk, optional_server_ids=ids("app-3"))
    plan = plan_of(
        wave("Apps", groups["app"], group_servers=(optional,), success_threshold=75),
        wave("Web", groups["web"], depends_on=(1,)),
    )
    fail("app-3")
    execution = drill(plan)
    driver.run(execution)
    first, second = execution.waves.order_by("position")
    assert (first.state, second.state) == (WaveState.COMPLETED, WaveState.COMPLETED)
    assert "without the optional app-3" in first.message
    assert states(execution)["app-3"] == ServerState.FAILED
    assert execution.state == ExecutionState.PARTIAL
    ended = AuditRecord.objects.get(event="recovery.execution.ended")
    assert ended.outcome == "FAILED"


@pytest.mark.parametrize(
    ("threshold", "optional", "failing"),
    [(76, ("app-3",), "app-3"), (75, ("app-2",), "app-3"), (75, (), "app-3")],
    ids=["below the threshold", "a critical one", "none is optional"],
)
def test_else_the_wave_is_partial_and_what_waits_for_it_is_blocked(
    groups, driver, threshold, optional, failing
):
    said = GroupServers(groups["app"].pk, optional_server_ids=ids(*optional))
    plan = plan_of(
        wave(
            "Apps",
            groups["app"],
            group_servers=(said,) if optional else (),
            success_threshold=threshold,
        ),
        wave("Web", groups["web"], depends_on=(1,)),
    )
    fail(failing)
    execution = drill(plan)
    driver.run(execution)
    first, second = execution.waves.order_by("position")
    assert (first.state, second.state) == (WaveState.PARTIAL, WaveState.BLOCKED)
    assert states(execution)["web-1"] == ServerState.BLOCKED


TEN = timedelta(minutes=10)


def timed(groups, **more):
    return plan_of(
        wave("Apps", groups["app"]), wave("Web", groups["web"], depends_on=(1,), wait=TEN, **more)
    )


def until_the_timer(driver, execution):
    def started(_):
        return execution.waves.filter(wait_until__isnull=False).exists()

    driver.run(execution, until=started)
    return execution.waves.get(position=2)


def test_a_timer_waits_as_a_due_time_and_holds_nothing(groups, driver):
    execution = drill(timed(groups))
    before = timezone.now()
    waiting = until_the_timer(driver, execution)
    assert waiting.state == WaveState.PENDING
    assert before + TEN <= waiting.wait_until <= timezone.now() + TEN
    sent = len(launches())
    for _ in range(3):
        driver.step(execution)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.RUNNING
    assert (execution.due_at, execution.leased_until) == (waiting.wait_until, None)
    assert advance.due(timezone.now()) == []
    assert len(launches()) == sent
    told = execution.events.filter(kind="wave.timer_started").get().message
    assert "waits for 10 minutes" in told
    Wave.objects.filter(pk=waiting.pk).update(wait_until=timezone.now())
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED
    assert execution.waves.get(position=2).started_at >= waiting.wait_until - TEN


def test_a_gate_is_opened_first_and_then_the_timer_runs(groups, driver):
    execution = drill(timed(groups, gate=True))
    driver.run(execution, until=lambda found: found.state == ExecutionState.PAUSED)
    gated = execution.waves.get(position=2)
    assert (gated.state, gated.wait_until) == (WaveState.WAITING, None)
    executions.resume(execution, actor=PERSON)
    waiting = until_the_timer(driver, execution)
    driver.step(execution)
    execution.refresh_from_db()
    assert execution.state == ExecutionState.RUNNING
    assert waiting.state == WaveState.WAITING
    Wave.objects.filter(pk=waiting.pk).update(wait_until=timezone.now())
    driver.run(execution)
    assert execution.state == ExecutionState.COMPLETED


def test_cancelling_does_not_wait_for_the_timer(groups, driver):
    execution = drill(timed(groups))
    until_the_timer(driver, execution)
    sent = len(launches())
    executions.cancel(execution, actor=PERSON)
    driver.run(execution, most=3)
    assert execution.state == ExecutionState.CANCELLED
    assert execution.waves.get(position=2).state == WaveState.CANCELLED
    assert len(launches()) == sent


def test_a_later_edit_reaches_neither_timer_nor_threshold_nor_choice(groups):
    plan = timed(groups, success_threshold=50)
    execution = drill(plan)
    plans.edit(plan, name="Plan", waves=[wave("Apps", groups["app"])], actor=PERSON)
    snapshot = execution.waves.get(position=2)
    assert (snapshot.wait, snapshot.success_threshold) == (TEN, 50)
    assert not PlanWaveGroup.objects.filter(group=groups["web"]).exists()
