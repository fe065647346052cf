import pytest
from django.db import connection, transaction

from drportal.mirror.models import OutboxEntry
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


def test_marks_of_an_object_coalesce_and_renew_its_sequence():
    mark_now("ProtectionGroups", 1, "1", 2)
    first = OutboxEntry.objects.get(kind="ProtectionGroups", object_id="1")
    mark_now("ProtectionGroups", 1)
    second = OutboxEntry.objects.get(kind="ProtectionGroups", object_id="1")
    assert OutboxEntry.objects.count() == 2
    assert (second.pk, second.behind_since) == (first.pk, first.behind_since)
    assert second.sequence > first.sequence


def test_a_mark_brings_an_entry_forward_that_was_put_off():
    mark_now("ProtectionGroups", 1)
    before = OutboxEntry.objects.get()
    OutboxEntry.objects.update(due_at="2999-01-01T00:00Z", attempts=9, last_error="no")
    mark_now("ProtectionGroups", 1)
    entry = OutboxEntry.objects.get()
    assert (entry.attempts, entry.last_error) == (9, "no")
    assert 0 <= (entry.due_at - before.due_at).total_seconds() < 60


@pytest.mark.parametrize("count", [1, 500])
def test_any_number_of_marks_is_one_statement(count, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(1):
        mark("AuditLogs", *range(count))
    assert OutboxEntry.objects.count() == count


def test_no_marks_are_no_statement(django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(0):
        mark("AuditLogs")


def test_the_sequence_of_an_object_never_goes_back():
    """A later mark that has to wait for an earlier one gets the higher number all the same."""
    mark_now("ProtectionGroups", 1)
    seen = []
    for _ in range(5):
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval('mirror_sequence')")
        mark_now("ProtectionGroups", 1)
        seen.append(OutboxEntry.objects.get().sequence)
    assert seen == sorted(set(seen))
