"""However an answer gets lost, and whoever runs beside, a server is extended once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditRecord
from drportal.aws.errors import AwsError, Call, Failure
from drportal.aws.staging import Extensions
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import ExtensionState, SyncState
from protection.errors import SyncAlreadyRunning
from protection.models import StagingServer, SyncRun, TargetAccount
from protection.services import extending, staging
from tests.staging_world import (
    asked_to_extend,
    extended_by,
    settled,
    staged,
    standing,
    sync,
)
from tests.worlds import EAST, NORTH, PERSON

pytestmark = pytest.mark.django_db(transaction=True)


def lose(kind: Kind, **more) -> None:
    world.faults.add(Fault(kind, operation="CreateExtendedSourceServer", seconds=0, **more))


def due_again() -> None:
    StagingServer.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())


@pytest.mark.parametrize("kind", [Kind.DROP_AFTER, Kind.TIMEOUT_AFTER])
def test_an_answer_that_was_lost_is_looked_for_at_once(aws, kind):
    settled([staged("app-1")])
    lose(kind)
    run = sync()
    assert (run.state, run.added, run.failed) == (SyncState.COMPLETED, 1, 0)
    assert standing("app-1").state == ExtensionState.EXTENDED
    due_again()
    sync()
    assert len(asked_to_extend()) == 1
    assert extended_by() == ["app-1"]


@pytest.mark.parametrize("kind", [Kind.DROP_AFTER, Kind.TIMEOUT_AFTER])
def test_while_nobody_can_look_it_is_unknown_and_not_asked_for_again(aws, kind, monkeypatch):
    settled([staged("app-1")])
    lose(kind)
    whole = Extensions.extended
    busy: list[str] = []

    def busy_once(self, account_id):
        # The listing at the start works, the look after the lost answer does not.
        if asked_to_extend() and not busy:
            busy.append(account_id)
            raise AwsError(Failure.THROTTLED, "Rate exceeded", call=Call("", NORTH, EAST))
        return whole(self, account_id)

    monkeypatch.setattr(Extensions, "extended", busy_once)
    run = sync()
    assert (run.state, run.failed) == (SyncState.PARTIAL, 1)
    row = standing("app-1")
    assert row.state == ExtensionState.UNKNOWN
    assert "the answer was lost" in row.message
    staging.ask_for_sync(TargetAccount.objects.get(account_id=NORTH), actor=PERSON)
    assert standing("app-1").next_try_at == row.next_try_at  # not even for a person
    run = sync()
    assert standing("app-1").state == ExtensionState.EXTENDED
    assert (run.state, len(asked_to_extend())) == (SyncState.COMPLETED, 1)


@pytest.mark.parametrize("kind", [Kind.DROP_BEFORE, Kind.TIMEOUT_BEFORE, Kind.SERVER_ERROR])
def test_a_call_without_effect_is_made_again_at_its_time_only(aws, kind):
    settled([staged("app-1")])
    lose(kind, times=1)
    assert sync().failed == 1
    assert standing("app-1").state == ExtensionState.UNKNOWN
    assert sync().added == 0
    assert len(asked_to_extend()) == 1
    due_again()
    assert sync().added == 1
    assert extended_by() == ["app-1"]


def test_the_gateway_sends_it_once_whatever_the_answer(aws):
    settled([staged("app-1")])
    lose(Kind.THROTTLE)
    sync()
    assert len(asked_to_extend()) == 1


def test_a_worker_that_dies_after_the_call_leaves_what_the_next_run_finds(aws, monkeypatch):
    settled([staged("app-1")])

    class Killed(BaseException):
        pass

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(extending, "_extended", die)
        with pytest.raises(Killed):
            sync()
    row = standing("app-1")
    assert (row.state, row.attempts) == (ExtensionState.UNKNOWN, 1)
    assert row.next_try_at is not None
    assert row.next_try_at > timezone.now()
    assert sync().changed == 1
    assert standing("app-1").state == ExtensionState.EXTENDED
    assert len(asked_to_extend()) == 1


def test_one_that_somebody_else_extended_meanwhile_is_no_failure(aws, monkeypatch):
    """DRS says that it is extended already; that is what was wanted."""
    settled([staged("app-1")])
    whole = extending._write_down
    arn = []

    def overtaken(row, place, *, actor):
        arn.append(row.arn)
        taken = whole(row, place, actor=actor)
        Extensions(place.target_scope).extend(row.arn)
        return taken

    monkeypatch.setattr(extending, "_write_down", overtaken)
    run = sync()
    assert (run.state, run.added) == (SyncState.COMPLETED, 1)
    assert extended_by() == ["app-1"]
    assert arn


def test_of_runs_at_once_one_goes_and_each_server_is_asked_for_once(aws):
    settled([staged(f"app-{number}") for number in range(1, 6)])
    barrier = Barrier(4)

    def one() -> str:
        try:
            barrier.wait(30)
            return str(sync().state)
        except SyncAlreadyRunning:
            return "refused"
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        outcomes = [future.result(60) for future in [pool.submit(one) for _ in range(4)]]
    assert "COMPLETED" in outcomes
    assert len(asked_to_extend()) == 5
    assert len(extended_by()) == 5


def test_of_two_who_hold_the_same_row_one_asks(aws):
    """A run that was taken for dead wakes up beside the one that took over."""
    settled([staged("app-1", replicationConfiguration={"ebsEncryption": "DEFAULT"})])
    sync()
    row, same = standing("app-1"), standing("app-1")
    place = extending.Place(row.link, EAST)
    assert extending._write_down(row, place, actor=PERSON)
    assert not extending._write_down(same, place, actor=PERSON)
    assert standing("app-1").attempts == same.attempts + 1


def test_what_was_asked_is_in_the_record_before_its_answer(aws):
    settled([staged("app-1")])
    sync()
    told = AuditRecord.objects.filter(event__startswith="protection.staging_server")
    assert list(told.order_by("id").values_list("event", flat=True)) == [
        "protection.staging_server.extension_asked",
        "protection.staging_server.extended",
    ]
    [copy] = [each for each in drs_backends[NORTH][EAST].servers.values() if each.extension]
    assert told.latest("id").facts["server_id"] == copy.id


def test_a_run_that_is_alive_keeps_others_out_until_its_lease_ends(aws):
    settled([staged("app-1")])
    dead = SyncRun.objects.create(
        kind="STAGING", requested_by="x", leased_until=timezone.now() + timedelta(minutes=1)
    )
    with pytest.raises(SyncAlreadyRunning):
        sync()
    with pytest.raises(SyncAlreadyRunning):
        staging.ask_for_sync(TargetAccount.objects.get(account_id=NORTH), actor=PERSON)
    SyncRun.objects.filter(pk=dead.pk).update(leased_until=timezone.now())
    assert sync().added == 1
