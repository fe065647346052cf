import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from drportal.aws.errors import AwsError, Call, Failure
from drportal.mirror import services
from drportal.mirror.models import OutboxEntry
from drportal.mirror.projections import VERSION, all_projections, projection_of
from drportal.mirror.services import Difference, verification
from drportal.mirror.services.verification import What
from protection.models import TargetAccount
from tests.factories.protection import TargetAccountFactory
from tests.mirror.store import both_sides_equal, drain_all, mark

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "TargetAccounts"


@pytest.fixture
def accounts(store):
    """Three accounts that are in the mirror."""
    made = TargetAccountFactory.create_batch(3)
    mark(KIND, *(account.pk for account in made))
    services.drain()
    both_sides_equal()
    return made


@pytest.fixture
def planted(store, accounts):
    """One item lost, one altered, one that nobody put."""
    lost, altered, _ = accounts
    table = projection_of(KIND).table()
    held = store.tables.item(table, str(altered.pk))
    intruder = {"targetAccountId": "intruder", "accountName": "nobody", VERSION: 10**15}
    store.tables.write_batch(
        table, [held | {"accountName": "x", "more": [1, 2.5]}, intruder], [str(lost.pk)]
    )
    return [
        Difference(KIND, What.MISSING, str(lost.pk)),
        Difference(KIND, What.DIFFERENT, str(altered.pk), ("accountName", "more")),
        Difference(KIND, What.EXTRA, "intruder"),
    ]


def test_planted_differences_are_found(planted):
    found = services.verify()
    assert (found.behind, found.compared[KIND]) == (0, 3)
    assert sorted(found.differences, key=str) == sorted(planted, key=str)


def test_repair_makes_them_good(planted):
    assert services.repair(services.verify().differences) == 3
    drain_all()
    both_sides_equal()


def test_what_is_on_its_way_is_behind_and_not_different(store, accounts):
    TargetAccount.objects.filter(pk=accounts[0].pk).update(name="new")
    mark(KIND, accounts[0].pk)
    found = services.verify()
    assert (found.behind, found.differences) == (1, [])


def test_what_changes_between_the_looks_is_not_different(store, accounts, monkeypatch):
    TargetAccount.objects.filter(pk=accounts[0].pk).update(name="unmarked")
    look = store.tables.__class__.item

    def change_first(tables, table, key):
        TargetAccount.objects.filter(pk=accounts[0].pk).update(name="newer")
        return look(tables, table, key)

    monkeypatch.setattr("drportal.aws.dynamodb.DynamoTables.item", change_first)
    assert services.verify().differences == []


def test_many_differences_are_looked_at_in_lots(store, accounts, monkeypatch):
    monkeypatch.setattr(verification, "_CHUNK", 2)
    TargetAccount.objects.update(name="unmarked")
    found = services.verify()
    assert {d.object_id for d in found.differences} == {str(a.pk) for a in accounts}


def test_a_table_that_is_not_there_is_a_difference(store):
    store.client.delete_table(TableName=projection_of("WaveStatus").table().name)
    assert services.verify().differences == [Difference("WaveStatus", What.NO_TABLE)]
    assert services.make_tables() == [projection_of("WaveStatus").table().name]
    both_sides_equal()


def run(*arguments):
    out = StringIO()
    error = None
    try:
        call_command(*arguments, stdout=out)
    except CommandError as raised:
        error = raised
    return out.getvalue(), error


def test_the_command_prints_what_differs(planted):
    said, error = run("mirror", "verify")
    assert error is not None
    assert error.returncode == 1
    assert f"{KIND}: 3 objects, 1 missing, 1 different, 1 extra" in said
    assert f"{KIND} {planted[1].object_id}: different (accountName, more)" in said
    assert "0 behind, 3 differences" in said


def test_the_command_prints_json(planted):
    said, _ = run("mirror", "verify", "--json")
    told = json.loads(said)
    assert (told["behind"], len(told["differences"])) == (0, 3)
    assert {d["what"] for d in told["differences"]} == {"MISSING", "DIFFERENT", "EXTRA"}


def test_the_commands_repair_and_drain(planted):
    assert "3 marked" in run("mirror", "repair")[0]
    assert OutboxEntry.objects.count() == 3
    assert run("mirror", "drain", "--json")[0].strip() == '{"sent": 3, "postponed": 0}'
    said, error = run("mirror", "verify")
    assert error is None
    assert "0 behind, 0 differences" in said


def test_the_command_says_when_aws_does_not_answer(store, monkeypatch):
    def denied(tables, name):
        raise AwsError(Failure.ACCESS_DENIED, "no", call=Call("DescribeTable", "1", "us-east-1"))

    monkeypatch.setattr("drportal.aws.dynamodb.DynamoTables.status", denied)
    _, error = run("mirror", "verify")
    assert error is not None
    assert (error.returncode, str(error)) == (2, "DescribeTable in 1/us-east-1: no")


def test_tables_are_made_once(store):
    wanted = {projection.table().name for projection in all_projections()}
    for name in wanted:
        store.client.delete_table(TableName=name)
    said, error = run("mirror_tables")
    assert error is None
    assert {line.removeprefix("made ") for line in said.splitlines()[:-1]} == wanted
    assert run("mirror_tables")[0] == "All tables of the mirror are ready.\n"


def test_tables_are_protected(store):
    services.make_tables()
    for projection in all_projections():
        name = projection.table().name
        backups = store.client.describe_continuous_backups(TableName=name)
        point = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert point["PointInTimeRecoveryStatus"] == "ENABLED"
        expiry = store.client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        assert (expiry["TimeToLiveStatus"] == "ENABLED") is projection.table().expires


def test_a_table_of_somebody_else_is_left_alone(store):
    name = projection_of("WaveStatus").table().name
    store.client.delete_table(TableName=name)
    store.client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "theirs", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "theirs", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    _, error = run("mirror_tables")
    assert "keyed by theirs, not by waveId" in str(error)
