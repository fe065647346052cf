"""PostgreSQL itself refuses what a question would write."""

import pytest
from django.db import InternalError, transaction

from audit.services import record_read
from drportal.actor import PORTAL
from protection.models import TargetAccount
from queries.guards import read_only
from tests.factories.protection import TargetAccountFactory

WRITES = {
    "insert": TargetAccountFactory.create,
    "update": lambda: TargetAccount.objects.update(name="other"),
    "delete": lambda: TargetAccount.objects.all().delete(),
    "lock": lambda: list(TargetAccount.objects.select_for_update()),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_is_refused_by_the_database(write):
    TargetAccountFactory.create(name="as it was")
    with pytest.raises(InternalError, match="read-only transaction"), read_only():
        write()
    assert list(TargetAccount.objects.values_list("name", flat=True)) == ["as it was"]


@pytest.mark.django_db(transaction=True)
def test_what_is_read_is_read_and_afterwards_one_may_write_again():
    account = TargetAccountFactory.create()
    with read_only():
        assert TargetAccount.objects.get() == account
    TargetAccount.objects.update(name="other")
    account.refresh_from_db()
    assert account.name == "other"


@pytest.mark.django_db(transaction=True)
def test_a_refused_write_does_not_leave_the_connection_read_only():
    with pytest.raises(InternalError), read_only():
        TargetAccountFactory.create()
    TargetAccountFactory.create()


@pytest.mark.django_db(transaction=True)
def test_it_is_the_outermost_transaction_or_none():
    with transaction.atomic():
        TargetAccountFactory.create()
        with pytest.raises(RuntimeError, match="durable"), read_only():
            raise AssertionError("it began inside another")
    with read_only(), pytest.raises(RuntimeError, match="durable"), read_only():
        raise AssertionError("it began inside another")


@pytest.mark.django_db(transaction=True)
def test_a_read_is_not_recorded_inside_it():
    with pytest.raises(RuntimeError, match="durable"), read_only():
        record_read("api.read", actor=PORTAL)


@pytest.mark.django_db
def test_inside_the_transaction_of_a_test_it_holds_too_and_ends():
    with pytest.raises(InternalError, match="read-only transaction"), read_only():
        TargetAccountFactory.create()
    TargetAccountFactory.create()
