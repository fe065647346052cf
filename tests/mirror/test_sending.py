from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from drportal.mirror import projections, services
from drportal.mirror.leases import LEASE
from drportal.mirror.models import OutboxEntry
from drportal.mirror.projections import DELETED, VERSION, projection_of
from protection.models import SourceServer, TargetAccount
from tests.factories.protection import SourceServerFactory, TargetAccountFactory
from tests.mirror.store import (
    answer_lost,
    both_sides_equal,
    drain_all,
    mark,
    once_at,
    refused,
    unreachable,
)

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNTS, SERVERS = "TargetAccounts", "SourceServerInventory"


@pytest.fixture
def account(store):
    """An account that is in the mirror."""
    made = TargetAccountFactory.create(name="old")
    mark(ACCOUNTS, made.pk)
    services.drain()
    assert store.held(ACCOUNTS)[str(made.pk)]["accountName"] == "old"
    return made


@pytest.fixture
def server(store):
    """A server that is in the mirror."""
    made = SourceServerFactory.create(name="old", listed=False)
    mark(ACCOUNTS, made.account.pk)
    mark(SERVERS, made.pk)
    services.drain()
    return made


def rename(account, name):
    with transaction.atomic():
        type(account).objects.filter(pk=account.pk).update(name=name)
        services.mark(ACCOUNTS if isinstance(account, TargetAccount) else SERVERS, account.pk)


def delete(thing):
    with transaction.atomic():
        type(thing).objects.filter(pk=thing.pk).delete()
        services.mark(ACCOUNTS if isinstance(thing, TargetAccount) else SERVERS, thing.pk)


def another_drain_after_our_lease(change):
    """While we are slow: the lease passes on, the object changes, and another sender sends it."""

    def meanwhile():
        with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
            change()
            services.drain()

    return meanwhile


def test_what_is_sent_leaves_the_outbox(store, account):
    assert not OutboxEntry.objects.exists()
    assert services.drain() == services.Drained(0, 0)


def test_the_item_is_built_when_it_is_sent(store, account):
    rename(account, "newer")
    TargetAccount.objects.update(name="newest")
    services.drain()
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "newest"


def test_an_object_that_is_gone_is_deleted(store, account):
    delete(account)
    services.drain()
    assert store.held(ACCOUNTS) == {}
    [tombstone] = store.all_items(ACCOUNTS)
    assert tombstone[DELETED] is True
    assert tombstone["TTL"] > timezone.now().timestamp()


def test_a_deleted_object_can_come_back(store, account):
    delete(account)
    services.drain()
    TargetAccountFactory.create(pk=account.pk, name="again")
    mark(ACCOUNTS, account.pk)
    services.drain()
    [item] = store.all_items(ACCOUNTS)
    assert item["accountName"] == "again"
    assert "TTL" not in item
    both_sides_equal(ACCOUNTS, SERVERS)


def test_a_batched_object_that_is_gone_is_deleted(store, server):
    delete(server)
    services.drain()
    assert store.all_items(SERVERS) == []


def test_an_old_put_after_a_new_one_changes_nothing(store, account):
    mark(ACCOUNTS, account.pk)
    with once_at("mirror.built", another_drain_after_our_lease(lambda: rename(account, "new"))):
        services.drain()
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "new"
    assert store.calls["PutItem"] == 3
    both_sides_equal(ACCOUNTS, SERVERS)


def test_an_old_put_after_the_delete_does_not_bring_the_object_back(store, account):
    mark(ACCOUNTS, account.pk)
    with once_at("mirror.built", another_drain_after_our_lease(lambda: delete(account))):
        services.drain()
    assert store.held(ACCOUNTS) == {}
    both_sides_equal(ACCOUNTS, SERVERS)


@pytest.mark.parametrize("change", [lambda server: rename(server, "new"), delete])
def test_an_old_batch_after_a_new_one_is_made_good(store, server, change):
    mark(SERVERS, server.pk)
    with once_at("mirror.built", another_drain_after_our_lease(lambda: change(server))):
        services.drain(limit=1, within=timedelta(seconds=5))
    drain_all()
    both_sides_equal(ACCOUNTS, SERVERS)
    assert [item["name"] for item in store.held(SERVERS).values()] in ([], ["new"])


@pytest.mark.parametrize("point", ["mirror.leased", "mirror.built", "mirror.sent"])
@pytest.mark.parametrize("kind", [ACCOUNTS, SERVERS])
def test_a_change_while_its_object_is_being_sent_is_sent_too(store, account, server, kind, point):
    thing = account if kind == ACCOUNTS else server
    mark(kind, thing.pk)
    with once_at(point, lambda: rename(thing, "newest")):
        services.drain()
    assert not OutboxEntry.objects.exists()
    both_sides_equal(ACCOUNTS, SERVERS)
    assert "newest" in str(store.held(kind))


def test_a_put_whose_answer_was_lost_is_repeated_without_harm(store, account):
    rename(account, "new")
    store.after = answer_lost
    assert services.drain() == services.Drained(0, 1)
    store.after = None
    drain_all()
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "new"
    both_sides_equal(ACCOUNTS, SERVERS)


def test_a_database_restored_to_an_earlier_time_wins(store, account):
    for _ in range(5):
        mark(ACCOUNTS, account.pk)
        services.drain()
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval('mirror_sequence', 1)")
    rename(account, "as restored")
    drain_all()
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "as restored"


@pytest.mark.parametrize("version", [{"S": "not a number"}, {"N": str(10**30)}, {"N": "0"}])
def test_what_the_mirror_did_not_put_is_not_fought_over(store, account, version):
    held = {"targetAccountId": {"S": str(account.pk)}, VERSION: version}

    def refuse(operation, body):
        if operation != "PutItem":
            return
        response = refused("ConditionalCheckFailedException").response | {"Item": held}
        raise store.client.exceptions.ConditionalCheckFailedException(response, operation)

    store.before = refuse
    rename(account, "new")
    assert services.drain() == services.Drained(0, 1)
    assert "did not put" in OutboxEntry.objects.get().last_error


def test_dynamodb_away_delays_and_is_shown(store, account):
    rename(account, "new")
    mark(SERVERS, SourceServerFactory.create(listed=False).pk)
    store.before = unreachable
    assert services.drain().sent == 0
    entries = list(OutboxEntry.objects.all())
    assert len(entries) == 2
    assert all(entry.leased_until is None and entry.due_at > timezone.now() for entry in entries)
    assert any("cannot be reached" in entry.last_error for entry in entries)
    store.before = None
    with time_machine.travel(timezone.now() + timedelta(seconds=31)):
        assert services.drain() == services.Drained(2, 0)
        both_sides_equal(SERVERS)


def test_nobody_waits_long_after_dynamodb_is_back(store, account):
    rename(account, "new")
    store.before = unreachable
    moment = timezone.now()
    for _ in range(12):
        moment += timedelta(seconds=31)
        with time_machine.travel(moment, tick=False):
            assert services.drain() == services.Drained(0, 1)
    entry = OutboxEntry.objects.get()
    assert (entry.attempts, entry.due_at) == (12, moment + timedelta(seconds=30))


def test_credentials_that_fail_delay_too(store, account, monkeypatch):
    rename(account, "new")

    def no_credentials(region):
        from drportal.aws.errors import AwsError, Call, Failure

        raise AwsError(Failure.CREDENTIALS, "none found", call=Call("AssumeRole", "1", region))

    monkeypatch.setattr("drportal.aws.dynamodb._hub_id", no_credentials)
    assert services.drain() == services.Drained(0, 1)
    assert "none found" in OutboxEntry.objects.get().last_error


def test_one_missing_table_does_not_hold_up_the_others(store, account):
    waves = projection_of("WaveStatus").table().name
    store.tables._writes().delete_table(TableName=waves)
    mark("WaveStatus", "00000000-0000-0000-0000-000000000001")
    rename(account, "new")
    assert services.drain() == services.Drained(1, 1)
    assert "ResourceNotFound" in OutboxEntry.objects.get(kind="WaveStatus").last_error


def test_part_of_a_batch_may_be_left_undone(store):
    servers = SourceServerFactory.create_batch(30, listed=False)
    mark(SERVERS, *(server.pk for server in servers))
    dropped = []

    def keep_half(operation, body):
        if operation != "BatchWriteItem":
            return
        [(table, requests)] = body["RequestItems"].items()
        dropped.append({table: requests[::2]})
        body["RequestItems"] = {table: requests[1::2]}

    def tell(operation, parsed):
        if operation != "BatchWriteItem":
            return
        parsed["UnprocessedItems"] = dropped[-1]

    store.before, store.after = keep_half, tell
    services.drain()
    undone = sum(len(requests) for lot in dropped for requests in lot.values())
    assert undone == 16
    assert OutboxEntry.objects.filter(attempts=1, last_error__contains="busy").count() == undone
    store.before = store.after = None
    drain_all()
    both_sides_equal(SERVERS)
    assert len(store.held(SERVERS)) == 30


def test_batches_hold_25(store):
    mark(SERVERS, *(server.pk for server in SourceServerFactory.create_batch(60, listed=False)))
    assert services.drain() == services.Drained(60, 0)
    assert store.calls["BatchWriteItem"] == 3


def test_an_item_that_dynamodb_refuses_does_not_hold_up_its_batch(store):
    bad, *good = SourceServerFactory.create_batch(5, listed=False)
    mark(SERVERS, bad.pk, *(server.pk for server in good))

    def refuse(operation, body):
        if str(bad.pk) in str(body):
            raise refused("ValidationException")

    store.before = refuse
    assert services.drain() == services.Drained(4, 1)
    assert OutboxEntry.objects.get().object_id == str(bad.pk)


def test_throttling_is_waited_out(store, account):
    rename(account, "new")
    calls: Counter[str] = Counter()

    def throttle(operation, body):
        calls[operation] += 1
        if operation == "PutItem" and calls[operation] == 1:
            raise refused("ThrottlingException")

    store.before = throttle
    assert services.drain() == services.Drained(0, 1)
    drain_all()
    both_sides_equal(ACCOUNTS, SERVERS)


def test_what_no_app_mirrors_is_put_off_with_the_reason(store, account):
    rename(account, "new")
    mark("Nonsense", 1)
    assert services.drain() == services.Drained(1, 1)
    assert OutboxEntry.objects.get().last_error == "no app mirrors 'Nonsense'"


def test_an_id_of_another_type_is_no_object(store):
    mark(ACCOUNTS, "not-a-uuid")
    mark("RegionStatus", "nor-a-number", 10**30)
    services.drain()
    assert not OutboxEntry.objects.exists()


def test_a_bug_in_one_projection_is_loud_and_holds_up_nobody_else(store, account, monkeypatch):
    def broken(rows):
        return [1 / 0]

    known = dict(projections._projections())
    held = known[SERVERS]
    known[SERVERS] = replace(held, build=broken)
    monkeypatch.setattr(projections, "_projections", lambda: known)
    rename(account, "new")
    mark(SERVERS, SourceServerFactory.create(listed=False).pk)
    with pytest.raises(ZeroDivisionError):
        services.drain()
    services.drain()
    assert [entry.last_error for entry in OutboxEntry.objects.all()] == ["ZeroDivisionError"]
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "new"


def test_a_sender_that_died_is_replaced_when_its_lease_ends(store, account):
    rename(account, "new")
    with pytest.raises(SystemExit), once_at("mirror.leased", lambda: exec("raise SystemExit")):  # noqa: S102
        services.drain()
    assert services.drain() == services.Drained(0, 0)
    with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
        assert services.drain() == services.Drained(1, 0)
    assert store.held(ACCOUNTS)[str(account.pk)]["accountName"] == "new"


def test_drains_at_once_send_each_object_once(store):
    accounts = TargetAccountFactory.create_batch(60)
    servers = SourceServerFactory.create_batch(60, account=accounts[0], listed=False)
    mark(ACCOUNTS, *(account.pk for account in accounts))
    mark(SERVERS, *(server.pk for server in servers))

    def drain(_):
        try:
            return services.drain(limit=7)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        drained = list(pool.map(drain, range(4)))
    assert sum(done.sent for done in drained) == 120
    keys = [body["Item"]["targetAccountId"]["S"] for body in store.bodies if "Item" in body]
    assert sorted(keys) == sorted(str(account.pk) for account in accounts)
    both_sides_equal(ACCOUNTS, SERVERS)


def test_changes_and_drains_at_once_end_equal(store):
    accounts = TargetAccountFactory.create_batch(4)
    servers = SourceServerFactory.create_batch(4, account=accounts[0], listed=False)

    def work(number):
        try:
            for step in range(12):
                if number % 2:
                    services.drain(limit=3)
                else:
                    rename(accounts[step % 4], f"{number}-{step}")
                    rename(servers[step % 4], f"{number}-{step}")
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    drain_all()
    both_sides_equal(ACCOUNTS, SERVERS)


def test_a_drain_refuses_to_run_inside_a_transaction(store):
    with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
        services.drain()


def test_the_time_of_a_drain_is_bounded(store):
    mark(SERVERS, SourceServerFactory.create(listed=False).pk)
    assert services.drain(within=timedelta(0)) == services.Drained(0, 0)
    assert SourceServer.objects.count() == OutboxEntry.objects.count() == 1
