"""What a restore refuses, and that it then writes nothing."""

import json

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from drportal.aws.errors import AwsError
from drportal.mirror import services
from drportal.mirror.errors import (
    DatabaseIsNotEmpty,
    HeldByAnotherPortal,
    ItemNotUnderstood,
    NotAllRestored,
)
from drportal.mirror.projections import VERSION, projection_of
from protection.models import GroupMember, ProtectionGroup, SourceServer, TargetAccount
from recovery.models import Execution, RecoveryPlan
from tests.factories.protection import ProtectionGroupFactory, TargetAccountFactory
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.mirror.emptying import everything_told, lose_everything
from tests.mirror.store import both_sides_equal, drain_all

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lost(store):
    """The mirror of a portal that is lost: a plan with a group of one server, and its accounts."""
    group = ProtectionGroupFactory.create(name="web")
    ExecutionFactory.create(plan=plan_of(group), state="COMPLETED")
    services.resync()
    drain_all()
    lose_everything()
    return group


def nothing_written():
    return not TargetAccount.objects.exists() and not RecoveryPlan.objects.exists()


def remove(store, kind, key):
    store.tables.write_batch(projection_of(kind).table(), [], [str(key)])


def test_a_database_with_something_in_it(store, lost):
    TargetAccountFactory.create()
    with pytest.raises(DatabaseIsNotEmpty, match="TargetAccounts"):
        services.restore(take_over=True)
    assert not RecoveryPlan.objects.exists()


def test_tables_that_are_anothers(store, lost):
    with pytest.raises(HeldByAnotherPortal):
        services.restore()
    assert nothing_written()


@pytest.mark.parametrize("kind", ["TargetAccounts", "WaveStatus", "AuditLogs"])
def test_a_table_that_cannot_be_read_to_its_end(store, lost, monkeypatch, kind):
    whole = type(store.tables).items

    def halfway(self, table):
        yield from whole(self, table)
        if table.name == projection_of(kind).table().name:
            raise AwsError.__new__(AwsError)

    monkeypatch.setattr(type(store.tables), "items", halfway)
    with pytest.raises(AwsError):
        services.restore(take_over=True)
    assert nothing_written()


def test_a_table_that_is_missing(store, lost):
    store.client.delete_table(TableName=projection_of("LaunchConfigurations").table().name)
    with pytest.raises(AwsError):
        services.restore(take_over=True)
    assert nothing_written()


@pytest.mark.parametrize(
    "item",
    [
        {"groupId": "00000000-0000-0000-0000-000000000001"},
        {"groupId": "00000000-0000-0000-0000-000000000001", VERSION: "three"},
        {"groupId": "00000000-0000-0000-0000-000000000001", VERSION: 3, "groupName": "half"},
    ],
)
def test_an_item_that_the_mirror_did_not_write(store, lost, item):
    store.tables.write_batch(projection_of("ProtectionGroups").table(), [item], [])
    with pytest.raises(ItemNotUnderstood, match="ProtectionGroup"):
        services.restore(take_over=True)
    assert nothing_written()


def test_what_does_not_fit_together_unless_losses_are_accepted(store, lost):
    remove(store, "TargetAccounts", lost.account_id)
    with pytest.raises(NotAllRestored, match="accept-losses"):
        services.restore(take_over=True)
    assert nothing_written()
    restored = services.restore(take_over=True, accept_losses=True)
    assert restored.left_out
    assert all("is not in the mirror" in said for said in restored.left_out)
    assert RecoveryPlan.objects.get().waves.count() == 1
    assert not ProtectionGroup.objects.exists()


def test_a_name_that_two_took_while_dynamodb_was_behind(store, lost):
    kind = "RecoveryPlans"
    [item] = store.held(kind).values()
    twin = item | {"planId": "00000000-0000-0000-0000-000000000001", "waves": [], VERSION: 9}
    store.tables.write_batch(projection_of(kind).table(), [twin], [])
    with pytest.raises(NotAllRestored, match="recovery_plan_name_is_unique"):
        services.restore(take_over=True)
    services.restore(take_over=True, accept_losses=True)
    assert RecoveryPlan.objects.count() == 1


def test_a_server_that_a_group_names_is_not_lost(store, lost):
    """Its item had not been sent yet: it is known by its id until the next listing."""
    [item] = store.held("ProtectionGroups").values()
    remove(store, "SourceServerInventory", item["inventoryIds"][0])
    restored = services.restore(take_over=True)
    assert restored.left_out == []
    assert GroupMember.objects.get().server.server_id == item["sourceServerIds"][0]
    assert SourceServer.objects.get().replication_state == ""
    drain_all()
    both_sides_equal()


def test_an_execution_outlives_a_plan_that_is_not_there(store, lost):
    remove(store, "RecoveryPlans", store.held("RecoveryPlans").popitem()[0])
    restored = services.restore(take_over=True, accept_losses=True)
    assert any("the plan of execution" in said for said in restored.left_out)
    assert Execution.objects.get().plan is None


def test_the_command_restores_records_sends_and_verifies(store, lost, capsys):
    call_command("mirror", "restore", "--take-over")
    assert "0 behind, 0 differences" in capsys.readouterr().out
    [written] = AuditRecord.objects.filter(event="mirror.restored")
    assert written.facts["taken_over"] is True
    assert written.facts["items"]["ProtectionGroups"] == 1
    before = everything_told()
    with pytest.raises(CommandError, match="not empty"):
        call_command("mirror", "restore", "--take-over")
    assert everything_told() == before


def test_the_external_id_must_be_entered_again(store, lost, client):
    services.restore(take_over=True)
    account = TargetAccount.objects.get(account_id=lost.account.account_id)
    assert (account.external_id, account.lacks_external_id) == ("", True)
    found = client.get("/readyz").json()["checks"]["restored"]
    assert found["status"] == "FAILED"
    assert "external ids" in found["detail"]
    assert "never-shown" not in json.dumps(everything_told())


def test_resync_deletes_what_the_database_has_not(store, lost):
    """The tables hold a portal's objects, the database none."""
    services.take_over()
    marked = services.resync()
    assert marked["ProtectionGroups"] == 1
    drain_all()
    both_sides_equal()
    assert store.held("ProtectionGroups") == {}
