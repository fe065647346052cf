"""Two portals that write to the same tables are noticed, and one of them is refused."""

import pytest
from django.core.management import CommandError, call_command

from audit.models import AuditRecord
from drportal.health import Health
from drportal.mirror import services
from drportal.mirror.models import Installation, OutboxEntry
from drportal.mirror.ownership import KEY, portal_table
from tests.factories.protection import TargetAccountFactory
from tests.mirror.store import both_sides_equal, drain_all, mark, unreachable

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@pytest.fixture
def account(store):
    made = TargetAccountFactory.create(name="old")
    mark("TargetAccounts", made.pk)
    return made


def held_by_another(store, at="2026-01-31T09:00:00.000000Z"):
    store.tables.hold(portal_table(), KEY, holder=OTHER, at=at, wrest=True)


def test_the_first_portal_that_sends_holds_the_tables(store, account):
    assert services.drain().sent == 1
    item = store.tables.item(portal_table(), KEY)
    assert item["holder"] == str(Installation.objects.get().identity)


def test_while_they_are_anothers_nothing_is_sent_and_everybody_is_told(store, account, client):
    held_by_another(store)
    assert services.drain() == services.Drained(0, 1)
    assert store.held("TargetAccounts") == {}
    assert store.tables.item(portal_table(), KEY)["holder"] == OTHER
    [entry] = OutboxEntry.objects.all()
    assert OTHER in entry.last_error
    assert "2026-01-31" in entry.last_error
    found = client.get("/readyz").json()["checks"]["mirror"]
    assert found["status"] == Health.FAILED
    assert OTHER in found["detail"]


def test_however_long_the_other_is_silent_its_tables_are_not_taken(store, account):
    held_by_another(store, at="1999-01-01T00:00:00.000000Z")
    for _ in range(3):
        OutboxEntry.objects.update(due_at="2020-01-01T00:00:00Z")
        assert services.drain().sent == 0


def test_one_more_call_for_each_drain_that_sends(store):
    for _ in range(250):
        mark("TargetAccounts", TargetAccountFactory.create().pk)
    store.calls.clear()
    services.drain()
    assert store.calls == {"UpdateItem": 1, "PutItem": 250}
    store.calls.clear()
    services.drain()
    assert store.calls == {}


def test_a_hand_over_is_deliberate_and_recorded(store, account):
    held_by_another(store)
    services.drain()
    with pytest.raises(CommandError, match="--confirm"):
        call_command("mirror", "take-over")
    assert not AuditRecord.objects.exists()
    call_command("mirror", "take-over", "--confirm")
    assert AuditRecord.objects.get().event == "mirror.take_over_asked"
    assert services.drain().sent == 2  # at once: the account, and the record
    assert Installation.objects.get().refused_at is None
    both_sides_equal()


def test_the_portal_that_was_shut_out_notices(store, account):
    drain_all()
    first = Installation.objects.get().identity
    Installation.objects.update(identity=OTHER)
    services.take_over()
    Installation.objects.update(identity=first)
    mark("TargetAccounts", account.pk)
    assert services.drain() == services.Drained(0, 1)
    assert Installation.objects.get().holder == OTHER


def test_whose_they_are_may_be_unknown_and_then_nothing_is_sent(store, account):
    def away(operation, body):
        if operation == "UpdateItem":
            unreachable()

    store.before = away
    assert services.drain() == services.Drained(0, 1)
    assert store.calls["PutItem"] == 0
    assert Installation.objects.get().refused_at is None  # nobody said that they are another's
    store.before = None
    drain_all()
    both_sides_equal()
