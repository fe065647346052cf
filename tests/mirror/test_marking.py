from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from drportal.mirror import leases
from drportal.mirror.models import OutboxEntry
from drportal.mirror.selectors import standing
from drportal.mirror.services import mark
from tests.mirror.store import mark as mark_now

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_mark_outside_a_transaction_is_refused():
    with pytest.raises(RuntimeError, match="commit together"):
        mark("ProtectionGroups", 1)
    assert not OutboxEntry.objects.exists()


def test_a_mark_goes_with_the_change_that_is_rolled_back():
    with transaction.atomic():
        mark("ProtectionGroups", 1)
        transaction.set_rollback(True)
    assert not OutboxEntry.objects.exists()


def test_marks_of_an_object_coalesce_within_a_transaction():
    with transaction.atomic():
        mark("ProtectionGroups", 1, "1", 2)
        mark("ProtectionGroups", 1)
        with transaction.atomic():
            mark("ProtectionGroups", 1)
    assert OutboxEntry.objects.count() == 2


def test_marks_of_several_transactions_are_sent_as_one():
    for _ in range(3):
        mark_now("ProtectionGroups", 1)
    assert standing().behind == 1
    [leased] = leases.take(10)
    assert len(leased.entries) == 3
    assert leases.take(10) == []
    mark_now("ProtectionGroups", 1)
    assert leases.take(10) == []
    assert leases.settle([leased]) == []
    [later] = leases.take(10)
    assert later.version > leased.version
    assert len(later.entries) == 1


def test_a_mark_whose_savepoint_is_rolled_back_is_none():
    with transaction.atomic():
        mark("ProtectionGroups", 1)
        with transaction.atomic():
            mark("ProtectionGroups", 2)
            transaction.set_rollback(True)
    assert OutboxEntry.objects.get().object_id == "1"


def test_a_mark_brings_an_object_forward_that_was_put_off():
    mark_now("ProtectionGroups", 1)
    leases.postpone(leases.take(1), "no")
    assert leases.take(1) == []
    mark_now("ProtectionGroups", 1)
    [leased] = leases.take(1)
    assert (len(leased.entries), leased.attempts) == (2, 1)


def test_transactions_mark_in_any_order_without_waiting_for_each_other():
    both_have_begun = Barrier(2)

    def work(kinds):
        try:
            with transaction.atomic():
                mark(kinds[0], 1)
                both_have_begun.wait(timeout=20)
                mark(kinds[1], 1)
                # Neither has committed: had one to wait for the other here, this would break.
                both_have_begun.wait(timeout=20)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(work, [("WaveStatus", "ExecutionHistory"), ("ExecutionHistory", "WaveStatus")])
        )
    assert standing().behind == 2
    assert OutboxEntry.objects.count() == 4


@pytest.mark.parametrize("count", [1, 500])
def test_any_number_of_marks_is_one_statement(count, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(1):
        mark("AuditLogs", *range(count))
    assert OutboxEntry.objects.count() == count


def test_no_marks_are_no_statement(django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(0):
        mark("AuditLogs")


@pytest.mark.parametrize("late", ["settle", "postpone", "release"])
def test_a_late_sender_leaves_the_lease_of_another_alone(late):
    mark_now("ProtectionGroups", 1)
    [first] = leases.take(1)
    with time_machine.travel(timezone.now() + leases.LEASE + timedelta(seconds=1), tick=False):
        [second] = leases.take(1)
        before = OutboxEntry.objects.values().get()
        if late == "settle":
            assert leases.settle([first]) == [first]
        elif late == "postpone":
            leases.postpone([first], "no")
        else:
            leases.release([first])
        assert OutboxEntry.objects.values().get() == before
        assert leases.settle([second]) == []
    assert not OutboxEntry.objects.exists()
