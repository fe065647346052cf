"""A failback survives the loss of the portal, goes on to its end, and asks nothing twice."""

import pytest
from django.db import transaction

from drportal.mirror import services
from drportal.simulator.models import drs_backends
from protection.models import TargetAccount
from protection.services import accounts
from recovery.failback_states import FailbackState, Gate, ReturnState
from recovery.models import (
    Execution,
    Failback,
    FailbackInstance,
    FailbackJob,
    ServerClaim,
)
from recovery.services import failback_adoption, failback_runs, failbacks
from recovery.states import JobState
from tests.factories.failbacks import FailbackInstanceFactory
from tests.factories.recovery import ExecutionFactory
from tests.failing_back import (
    abroad,
    asked,
    asked_for,
    at_home,
    connect_clients,
    finished,
    from_aws,
    launch_jobs,
    ready,
    recovery,
    run,
    states,
    step,
)
from tests.mirror.emptying import lose_everything
from tests.mirror.store import Store, both_sides_equal, drain_all
from tests.worlds import (
    EAST,
    EXTERNAL_ID,
    NORTH,
    PERSON,
    WEST,
    group_of,
    plan_of,
    registered,
    server,
    wave,
    world_of,
)

pytestmark = pytest.mark.django_db(transaction=True)
WORKINGS = {"due_at", "leased_until", "lease_token", "attempts", "refusals", "failures"}
WORKINGS |= {"restored_at", "message"}


@pytest.fixture
def launched(aws, driver):
    """Simulated AWS with a recovery of one server of each origin, and its mirror."""
    world_of([from_aws("web-1"), server("prem-1")])
    made = Store()
    registered()
    plan = plan_of(wave("All", group_of("web"), group_of("prem")))
    execution = driver.run(recovery(plan))
    connect_clients(execution)
    yield execution
    made.close()


def lost_and_rebuilt(*, told: bool = True) -> None:
    if told:
        drain_all()
    lose_everything()
    assert services.restore(take_over=True).left_out == []
    for account in TargetAccount.objects.filter(is_hub=False):
        accounts.edit(account, external_id=EXTERNAL_ID, actor=PERSON)


def again() -> Failback:
    return Failback.objects.get()


def goes_on(*, gates: tuple[Gate, ...]) -> None:
    """It comes to its end through the gates that are left, and DRS did everything once."""
    stops = {Gate.LAUNCH: FailbackState.WATCHING, Gate.FINISH: FailbackState.CONFIRMING}
    execution = Execution.objects.get()
    assert ServerClaim.objects.filter(released_at=None).count() >= 2
    for gate in gates:
        if gate == Gate.LAUNCH:
            ready(again())
        else:
            run(again(), until=lambda found: found.state == stops[Gate.FINISH])
        failbacks.open_gate(execution, gate=gate, actor=PERSON)
    found = run(again())
    assert found.state == FailbackState.COMPLETED
    assert set(states(found).values()) == {ReturnState.FINISHED}
    assert abroad() == set()
    assert len(at_home()) == len(drs_backends[NORTH][WEST].servers) == 1
    assert len(asked("ReverseReplication")) == 1
    assert len(launch_jobs("START_RECOVERY", region=WEST)) == 1
    assert len(launch_jobs("FAILBACK", region=EAST)) == 1
    assert not ServerClaim.objects.filter(released_at=None).exists()
    drain_all()
    both_sides_equal()


def rows():
    return [
        {name: value for name, value in row.items() if name not in WORKINGS}
        for model in (Failback, FailbackJob, FailbackInstance)
        for row in model._default_manager.order_by("pk").values()
    ]


def test_one_that_has_ended_is_as_it_was(launched):
    finished(asked_for(launched))
    before = rows()
    lost_and_rebuilt()
    assert rows() == before


def test_what_was_reversed_and_the_mirror_was_not_told_is_found(launched):
    failback = asked_for(launched)
    drain_all()
    step(failback)
    lost_and_rebuilt(told=False)
    assert set(states(again()).values()) == {ReturnState.WAITING}
    goes_on(gates=(Gate.LAUNCH, Gate.FINISH))


def test_what_was_launched_back_and_the_mirror_was_not_told_is_found(launched):
    failback = ready(asked_for(launched))
    failbacks.open_gate(launched, gate=Gate.LAUNCH, actor=PERSON)
    failback_runs._move_on(failback.pk)
    failback_runs._queue_jobs(again())
    drain_all()
    step(again())
    assert set(FailbackJob.objects.values_list("state", flat=True)) == {JobState.STARTED}
    lost_and_rebuilt(told=False)
    assert set(FailbackJob.objects.values_list("state", flat=True)) == {JobState.QUEUED}
    goes_on(gates=(Gate.FINISH,))


def test_one_that_is_being_finished_goes_on(launched):
    failback = ready(asked_for(launched))
    failbacks.open_gate(launched, gate=Gate.LAUNCH, actor=PERSON)
    run(failback, until=lambda found: found.state == FailbackState.CONFIRMING)
    failbacks.open_gate(launched, gate=Gate.FINISH, actor=PERSON)
    run(failback, until=lambda found: found.termination_id is not None)
    lost_and_rebuilt()
    assert again().termination is not None
    goes_on(gates=())
    assert len(asked("DisconnectRecoveryInstance")) == 2


def test_a_server_that_somebody_else_holds_by_now_is_told_of():
    failback = FailbackInstanceFactory.create().failback
    (row,) = failback.instances.all()
    server = row.server
    other = ExecutionFactory.create()
    place = {"account_id": server.account_id, "region": server.region}
    ServerClaim.objects.create(execution=other, server_id=server.server_id, **place)
    with transaction.atomic():  # a restore is one
        failback_adoption.take_up_again()
    event = failback.execution.events.get(kind="failback.not_held")
    assert str(other.pk) in event.message or other.plan_name in event.message
    assert event.server == server
