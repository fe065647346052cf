"""DynamoDB away for an hour loses nothing and is caught up with."""

from datetime import timedelta

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from drportal.mirror import services
from drportal.mirror.models import OutboxEntry
from protection.models import SourceServer
from tests.factories.protection import SourceServerFactory, TargetAccountFactory
from tests.mirror.store import unreachable

pytestmark = pytest.mark.django_db(transaction=True)
SERVERS = 1_500


def check(client):
    return client.get("/readyz").json()["checks"]["mirror"]


def test_an_hour_without_dynamodb(store, client):
    account = TargetAccountFactory.create()
    servers = SourceServerFactory.build_batch(SERVERS, account=account)
    SourceServer.objects.bulk_create(servers)
    began = timezone.now()
    with transaction.atomic():
        services.mark("TargetAccounts", account.pk)
        services.mark("SourceServerInventory", *(server.pk for server in servers))
    store.before = unreachable
    for minute in range(0, 60, 5):
        with time_machine.travel(began + timedelta(minutes=minute), tick=False):
            SourceServer.objects.filter(account=account).update(name=f"at minute {minute}")
            with transaction.atomic():
                services.mark("SourceServerInventory", *(server.pk for server in servers[:50]))
            for _ in range(5):
                assert services.drain().sent == 0
    with time_machine.travel(began + timedelta(hours=1), tick=False):
        found = check(client)
        assert found["status"] == "FAILED"
        assert found["age_seconds"] == pytest.approx(3600, abs=2)
        assert f"{SERVERS + 1} objects wait" in found["detail"]
        assert OutboxEntry.objects.filter(last_error__contains="cannot be reached").exists()
    store.before = None
    # Nobody waits for long once it is back: half a minute later, everything is sent.
    with time_machine.travel(began + timedelta(hours=1, seconds=31), tick=False):
        services.drain_all()
        assert not OutboxEntry.objects.exists()
        assert check(client) == {
            "status": "OK",
            "detail": "DynamoDB is up to date.",
            "age_seconds": 0,
        }
    # One look at all of it: reading thousands of items takes simulated DynamoDB long.
    found = services.verify()
    assert found.differences == []
    assert found.compared["SourceServerInventory"] == SERVERS
    assert SourceServer.objects.filter(name="at minute 55").count() == SERVERS
