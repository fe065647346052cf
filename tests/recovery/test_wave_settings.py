"""Launch settings that DRS does not hold when a wave could launch: the plan's policy decides."""

from typing import Any

import pytest

from drportal.actor import PORTAL
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import ApplyState
from protection.errors import NothingToApply
from protection.models import LaunchApply
from protection.services import launch_apply
from recovery.choices import LaunchSettingsPolicy
from recovery.models import Execution, Notice, WavePreflight
from recovery.services import executions, plans, wave_settings
from recovery.states import ExecutionState
from tests.protection.launch_world import Place, place_of
from tests.worlds import PERSON, drill, launches, states, wave

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(aws) -> Place:
    """Two servers with settings that are applied; then somebody changed those of one of them."""
    place = place_of()
    place.set_group(
        subnetId=place.subnet, securityGroupIds=[place.security_group], instanceType="m5.large"
    )
    place.set_server("web-1", staticPrivateIp="10.9.1.20")
    place.apply()
    place.change_template("web-1", {"InstanceType": "m5.xlarge"})
    return place


def started(place: Place, policy: LaunchSettingsPolicy, **more: Any) -> Execution:
    plan = plans.create(
        name="Plan",
        waves=[wave("Web", place.group, **more)],
        launch_settings_policy=policy,
        actor=PERSON,
    )
    return drill(plan)


def work(*, most: int = 5) -> None:
    """Let workers carry out what is to be applied."""
    for _ in range(most):
        for pk in launch_apply.due():
            launch_apply.carry_out(pk, actor=PORTAL)


def blocking(execution: Execution) -> set[str]:
    return set(WavePreflight.objects.get(wave__execution=execution).in_the_way)


def interface(place: Place) -> dict[str, Any]:
    found: dict[str, Any] = place.template("web-1")["NetworkInterfaces"][0]
    return found


def test_by_default_it_blocks_and_says_so(place, driver):
    # E-46: what does not hold is no line in a log while the recovery goes on.
    execution = started(place, LaunchSettingsPolicy.BLOCK)
    driver.step(execution)
    assert blocking(execution) == {"launch_settings"}
    assert launches() == []
    told = execution.events.get(kind="wave.preflight_blocks").message
    assert "web-1: DRS or EC2 holds another instanceType" in told
    assert not LaunchApply.objects.exclude(holder_id=None).exists()


def test_where_the_plan_says_so_it_is_applied_read_back_and_then_launched(place, driver):
    # E-43: DRS is compared, and a server's own settings are applied with its group's.
    # E-44: what else the template holds stays as it is.
    place.change_template("web-1", {"KeyName": "key", "InstanceType": "m5.xlarge"})
    execution = started(place, LaunchSettingsPolicy.APPLY)
    driver.step(execution)
    assert launches() == []
    assert execution.events.filter(kind="wave.launch_settings_applied").count() == 1
    assert not Notice.objects.filter(kind="WAVE_HELD").exists()
    apply = LaunchApply.objects.get(holder_id=execution.pk)
    # E-45: of the servers that differ only, and in their own account.
    assert [row.server.name for row in apply.servers.all()] == ["web-1"]
    driver.step(execution)
    assert launches() == []
    work()
    template = place.template("web-1")
    assert (template["InstanceType"], template["KeyName"]) == ("m5.large", "key")
    assert interface(place)["PrivateIpAddress"] == "10.9.1.20"
    assert driver.run(execution).state == ExecutionState.COMPLETED
    assert states(execution) == {"web-1": "LAUNCHED", "web-2": "LAUNCHED"}
    assert LaunchApply.objects.filter(holder_id=execution.pk).count() == 1


def test_what_could_not_be_applied_blocks_and_is_not_tried_for_ever(place, driver):
    execution = started(place, LaunchSettingsPolicy.APPLY)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="CreateLaunchTemplateVersion"))
    for _ in range(4):
        driver.step(execution)
        work()
    assert LaunchApply.objects.get(holder_id=execution.pk).state == ApplyState.FAILED
    assert blocking(execution) == {"launch_settings"}
    assert launches() == []
    told = execution.events.filter(kind="wave.preflight_blocks").latest("id").message
    assert "could not be applied" in told
    world.faults.clear()
    wave_settings.ask(execution, actor=PERSON)
    work()
    assert driver.run(execution).state == ExecutionState.COMPLETED


def test_to_launch_anyway_is_a_warning_in_the_record_of_the_execution(place, driver):
    execution = started(place, LaunchSettingsPolicy.LAUNCH_ANYWAY)
    driver.run(execution)
    assert len(launches()) == 1
    told = execution.events.get(kind="wave.launch_settings_differ").message
    assert "web-1: DRS or EC2 holds another instanceType" in told
    assert place.template("web-1")["InstanceType"] == "m5.xlarge"


def test_what_could_not_be_read_blocks_even_then(place, driver):
    execution = started(place, LaunchSettingsPolicy.LAUNCH_ANYWAY)
    world.faults.add(Fault(Kind.ACCESS_DENIED, operation="GetLaunchConfiguration"))
    driver.step(execution)
    assert blocking(execution) >= {"launch_settings", "launch_target"}
    assert launches() == []


def test_what_an_execution_has_yet_to_launch_can_be_applied_now(place, driver):
    execution = started(place, LaunchSettingsPolicy.BLOCK, gate=True)
    driver.step(execution)
    (apply,) = wave_settings.ask(execution, actor=PERSON)
    assert apply.servers.count() == 2
    with pytest.raises(NothingToApply):  # it is under way
        wave_settings.ask(execution, actor=PERSON)
    work()
    assert place.template("web-1")["InstanceType"] == "m5.large"
    assert set(apply.servers.values_list("state", flat=True)) == {"APPLIED"}


def test_what_an_ended_execution_asked_for_is_not_written_any_more(place, driver):
    execution = started(place, LaunchSettingsPolicy.BLOCK, gate=True)
    driver.step(execution)
    (apply,) = wave_settings.ask(execution, actor=PERSON)
    executions.cancel(execution, actor=PERSON)
    driver.run(execution)
    work()
    assert place.template("web-1")["InstanceType"] == "m5.xlarge"
    apply.refresh_from_db()
    assert apply.state == ApplyState.FAILED
    assert "does not need the group any more" in apply.servers.all()[0].message
