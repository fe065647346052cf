"""An execution keeps the groups of its plan as they are until their waves have started."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from protection.errors import GroupHeld
from protection.models import GroupHold, ProtectionGroup
from protection.services import groups, holds
from recovery.errors import ServersHeld
from recovery.models import Execution, Wave
from recovery.services import executions, waves
from recovery.services.events import note
from recovery.states import ExecutionState, WaveState
from tests.factories.protection import ProtectionGroupFactory
from tests.worlds import (
    NORTH,
    PERSON,
    SOUTH,
    Driver,
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
def tiers(aws) -> dict[str, ProtectionGroup]:
    """Databases, web servers in two accounts, and batch servers that a second gate holds back."""
    world_of(
        [
            server("db-1"),
            server("web-1"),
            server("web-2", account=SOUTH),
            server("batch-1"),
        ]
    )
    registered()
    return {
        "db": group_of("db"),
        "north": group_of("web", account=NORTH),
        "south": group_of("web", account=SOUTH),
        "batch": group_of("batch"),
    }


@pytest.fixture
def execution(tiers) -> Execution:
    """Databases first, then, behind a gate, a wave of two groups; batch servers after another."""
    return drill(
        plan_of(
            wave("Databases", tiers["db"]),
            wave("Web", tiers["north"], tiers["south"], depends_on=(1,), gate=True),
            wave("Batch", tiers["batch"], depends_on=(2,), gate=True),
        )
    )


def held() -> set[str]:
    return set(GroupHold.objects.filter(released_at=None).values_list("group__name", flat=True))


def names(tiers: dict[str, ProtectionGroup], *wanted: str) -> set[str]:
    return {tiers[name].name for name in wanted}


def at_gate(position: int):
    def waits(execution: Execution) -> bool:
        return execution.waves.get(position=position).state == WaveState.WAITING

    return waits


def test_every_group_of_every_wave_is_held_from_the_start(tiers, execution):
    assert held() == names(tiers, "db", "north", "south", "batch")
    hold = GroupHold.objects.first()
    assert hold is not None
    assert (hold.holder, hold.holder_id) == ("drill of Plan", execution.pk)
    for group in tiers.values():
        with pytest.raises(GroupHeld, match="drill of Plan"):
            groups.amend(group, description="Changed", actor=PERSON)


def test_a_group_is_let_go_once_its_wave_has_started(tiers, execution, driver: Driver):
    driver.run(execution, until=at_gate(2))
    assert held() == names(tiers, "north", "south", "batch")
    groups.amend(tiers["db"], description="Changed", actor=PERSON)
    # The second group of a wave is guarded as the first is.
    for name in ("north", "south"):
        with pytest.raises(GroupHeld):
            groups.amend(tiers[name], description="Changed", actor=PERSON)
    executions.resume(execution, actor=PERSON)
    driver.run(execution, until=at_gate(3))
    assert held() == names(tiers, "batch")
    executions.resume(execution, actor=PERSON)
    assert driver.run(execution).state == ExecutionState.COMPLETED
    assert held() == set()


def test_cancelling_lets_every_group_go(tiers, execution, driver: Driver):
    driver.run(execution, until=at_gate(2))
    executions.cancel(execution, actor=PERSON)
    assert driver.run(execution).state == ExecutionState.CANCELLED
    assert held() == set()


def test_waves_that_can_never_start_let_their_groups_go(tiers, execution, driver: Driver):
    driver.run(execution, until=at_gate(2))
    Wave.objects.filter(execution=execution, position=1).update(state=WaveState.FAILED)
    ended = driver.run(execution)
    states = list(ended.waves.order_by("position").values_list("state", flat=True))
    assert states == [WaveState.FAILED, WaveState.BLOCKED, WaveState.BLOCKED]
    assert held() == set()


def test_a_group_in_two_waves_would_stay_until_both_have_started(tiers, execution, driver: Driver):
    # No plan says so today, but an execution that does keeps the promise.
    later = Wave.objects.get(execution=execution, position=3)
    later.group_names = [tiers["db"].name, tiers["batch"].name]
    later.save()
    driver.run(execution, until=at_gate(2))
    assert tiers["db"].name in held()
    executions.cancel(execution, actor=PERSON)
    driver.run(execution)
    assert held() == set()


def test_two_executions_hold_one_group_each_by_itself(tiers, execution, driver: Driver):
    other = groups.create(
        name="All of it",
        account=tiers["db"].account,
        region=tiers["db"].region,
        server_ids=[tiers["batch"].account.servers.get(name="batch-1").pk],
        allow_overlap=True,
        actor=PERSON,
    )
    with pytest.raises(ServersHeld):
        drill(plan_of(wave("Other", other), name="Other"))
    # A start that is refused holds nothing.
    assert other.name not in held()
    assert GroupHold.objects.filter(released_at=None).count() == 4


def test_a_step_that_breaks_off_lets_nothing_go(tiers, execution, driver: Driver, monkeypatch):
    """A group is let go in the transaction that starts its wave or ends it all, or not at all."""

    def breaks_at(kind: str):
        def broken(about: Execution, what: str, *args: object, **more: object) -> None:
            if what == kind:
                raise RuntimeError(kind)
            note(about, what, *args, **more)  # type: ignore[arg-type]  # passed on as they came

        return broken

    with monkeypatch.context() as patch:
        patch.setattr(waves, "note", breaks_at("wave.started"))
        with pytest.raises(RuntimeError, match=r"wave\.started"):
            driver.run(execution)
    assert Wave.objects.get(execution=execution, position=1).state == WaveState.PENDING
    assert held() == names(tiers, "db", "north", "south", "batch")
    executions.cancel(execution, actor=PERSON)
    with monkeypatch.context() as patch:
        patch.setattr(waves, "note", breaks_at("wave.cancelled"))
        with pytest.raises(RuntimeError, match=r"wave\.cancelled"):
            driver.run(execution)
    assert held() == names(tiers, "db", "north", "south", "batch")
    assert driver.run(execution).state == ExecutionState.CANCELLED
    assert held() == set()


def test_the_end_lets_go_of_whatever_is_left(tiers, execution, driver: Driver):
    """Even of a group that no wave names any more."""
    Wave.objects.filter(execution=execution).update(group_names=[])
    driver.run(execution, until=at_gate(2))
    with transaction.atomic():
        holds.hold(ProtectionGroup.objects.all(), holder_id=execution.pk, holder="again")
    Wave.objects.filter(execution=execution).update(
        state=WaveState.COMPLETED, finished_at=timezone.now()
    )
    driver.run(execution)
    assert held() == set()


def somebody_waits() -> bool:
    """Whether a transaction waits for another's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def test_a_start_under_way_is_waited_for(tiers):
    """Whoever edits while a start reads the groups is refused, not let in between."""
    plan = plan_of(wave("Databases", tiers["db"]))

    def edit() -> object:
        try:
            return groups.amend(tiers["db"], description="Between", actor=PERSON)
        except GroupHeld as refused:
            return refused
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            drill(plan)
            answer = pool.submit(edit)
            while not somebody_waits():
                assert not answer.done()
        assert isinstance(answer.result(30), GroupHeld)
    tiers["db"].refresh_from_db()
    assert tiers["db"].description == ""


def test_an_empty_group_is_held_too(tiers):
    empty = ProtectionGroupFactory.create(account=tiers["db"].account, tags={"Tier": "nobody"})
    drill(plan_of(wave("Databases", tiers["db"], empty)))
    assert held() == names(tiers, "db") | {empty.name}


def test_a_plan_launches_what_its_groups_hold_when_it_starts(tiers):
    """A plan keeps no list of servers of its own that would grow old."""
    plan = plan_of(wave("Databases", tiers["db"]), wave("Web", tiers["north"]))
    wanted = tiers["db"].account.servers.filter(name__in=["db-1", "batch-1"])
    groups.delete(tiers["batch"], actor=PERSON)
    groups.amend(tiers["db"], server_ids=list(wanted.values_list("pk", flat=True)), actor=PERSON)
    assert set(drill(plan).servers.values_list("name", flat=True)) == {"db-1", "batch-1", "web-1"}
