"""Any history of changes, drains and failures ends with both sides equal."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drportal.mirror import services
from drportal.mirror.leases import LEASE
from drportal.mirror.models import OutboxEntry
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


def throttled(*_):
    raise refused("ThrottlingException")


def broken(*_):
    raise refused("InternalServerError", 500)


def change(what, number):
    """One change of account or server number `number`, marked in its transaction."""
    with transaction.atomic():
        account = TargetAccount.objects.filter(account_id=f"{number:012}").first()
        if what == "make" and account is None:
            account = TargetAccountFactory.create(account_id=f"{number:012}")
            server = SourceServerFactory.create(account=account, listed=False)
            services.mark("SourceServerInventory", server.pk)
        elif account is None:
            return
        elif what == "rename":
            TargetAccount.objects.filter(pk=account.pk).update(name=f"renamed {timezone.now()}")
            SourceServer.objects.filter(account=account).update(name=f"n {timezone.now()}")
            services.mark("SourceServerInventory", *account.servers.values_list("pk", flat=True))
        elif what == "remove":
            services.mark("SourceServerInventory", *account.servers.values_list("pk", flat=True))
            TargetAccount.objects.filter(pk=account.pk).delete()
        services.mark("TargetAccounts", account.pk)


CHANGES = st.tuples(st.sampled_from(["make", "rename", "remove"]), st.integers(0, 2))
FAILURES = st.sampled_from(
    [
        (None, None),
        (unreachable, None),
        (throttled, None),
        (broken, None),
        (None, answer_lost),
    ]
)
POINTS = st.sampled_from(["mirror.leased", "mirror.built", "mirror.sent"])
# A drain that meets a failure, and during which something changes; or whose lease runs out in
# favour of another drain before it goes on.
DRAINS = st.tuples(FAILURES, POINTS, CHANGES, st.booleans())


def drained(store, failure, point, meanwhile, overtaken):
    def interrupt():
        change(*meanwhile)
        if overtaken:
            with time_machine.travel(timezone.now() + LEASE + timedelta(seconds=1)):
                services.drain()

    store.before, store.after = failure
    try:
        if OutboxEntry.objects.filter(due_at__lte=timezone.now()).exists() and failure == (
            None,
            None,
        ):
            with once_at(point, interrupt):
                services.drain()
        else:
            services.drain()
    finally:
        store.before = store.after = None


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(history=st.lists(st.one_of(CHANGES, DRAINS), max_size=14))
def test_any_history_ends_with_both_sides_equal(store, history):
    for account in TargetAccount.objects.all():
        change("remove", int(account.account_id))
    for step in history:
        if len(step) == 2:
            change(*step)
        else:
            drained(store, *step)
    drain_all()
    both_sides_equal()
    assert len(store.held("TargetAccounts")) == TargetAccount.objects.count()


def test_the_check_itself_would_notice(store):
    """Both sides differ when a change is not marked, or not sent."""
    change("make", 1)
    with pytest.raises(AssertionError):
        both_sides_equal()
    drain_all()
    TargetAccount.objects.update(name="unmarked")
    with pytest.raises(AssertionError):
        both_sides_equal()
    mark("TargetAccounts", *TargetAccount.objects.values_list("pk", flat=True))
    drain_all()
    both_sides_equal()
