from datetime import timedelta

import pytest
from django.utils import timezone

from protection.choices import RegionStatus
from protection.models import AccountRegion
from tests.factories.protection import SourceServerFactory

SERVERS = "/api/v1/servers"
pytestmark = pytest.mark.django_db


def _shown(root, server):
    return root.get(f"{SERVERS}/{server.pk}").json()


def test_a_server_says_how_it_is_and_how_old_that_is(root):
    server = SourceServerFactory.create(lag=timedelta(seconds=90), replication_state="BACKLOG")
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(minutes=5))
    said = _shown(root, server)
    assert said["server_id"] == server.server_id
    assert said["account"] == {
        "id": str(server.account.pk),
        "account_id": server.account.account_id,
        "name": server.account.name,
    }
    assert (said["lag_seconds"], said["replication_state"]) == (90.0, "BACKLOG")
    assert said["readiness"] == "LAGGING"
    assert said["readiness_reason"] == "its replication is behind (backlog)"
    assert 300 <= said["facts_age_seconds"] < 320
    assert said["listed_at"]


def test_what_is_not_known_is_null_and_not_ready(root):
    server = SourceServerFactory.create(
        listed=False, os="", replication_state="", lag=None, cpu_cores=None, hostname=""
    )
    said = _shown(root, server)
    for name in ("os", "hostname", "replication_state", "lag_seconds", "cpu_cores"):
        assert said[name] is None, name
    assert said["facts_age_seconds"] is None
    assert said["listed_at"] is None
    assert said["readiness"] == "UNKNOWN"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (None, "its account and Region were never listed"),
        ({"status": RegionStatus.THROTTLED}, "its account and Region do not answer (throttled)"),
        (timedelta(hours=2), "it was last listed 120 minutes ago"),
    ],
)
def test_facts_that_may_be_old_do_not_make_a_server_ready(root, row, reason):
    server = SourceServerFactory.create()
    if row is None:
        AccountRegion.objects.all().delete()
    elif isinstance(row, timedelta):
        AccountRegion.objects.update(listed_at=timezone.now() - row)
    else:
        AccountRegion.objects.update(**row)
    said = _shown(root, server)
    assert said["readiness"] == "UNKNOWN"
    assert said["readiness_reason"] == reason


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"web-1", "web-2", "db"}),
        ("region=us-west-2", {"db"}),
        ("replication_state=STALLED", {"db"}),
        ("search=WEB", {"web-1", "web-2"}),
        ("search=db.example", {"db"}),
        ("tag=Tier:web", {"web-1", "web-2"}),
        ("tag=Tier:web&tag=Slot:1", {"web-1"}),
        ("tag=Tier:web&tag=Slot:3", set()),
        ("tag=tier:web", set()),
        ("tag=Url:http://x", {"db"}),
        ("account_id=000000000007", {"db"}),
        ("account=00000000-0000-0000-0000-000000000000", set()),
        ("search=%25", set()),
    ],
)
def test_filters_of_servers(root, query, expected):
    first = SourceServerFactory.create(name="web-1", tags={"Tier": "web", "Slot": "1"})
    SourceServerFactory.create(
        name="web-2", account=first.account, tags={"Tier": "web", "Slot": "2"}
    )
    SourceServerFactory.create(
        name="db",
        account__account_id="000000000007",
        region="us-west-2",
        replication_state="STALLED",
        tags={"Url": "http://x"},
    )
    found = root.get(f"{SERVERS}?{query}").json()["results"]
    assert {row["name"] for row in found} == expected


def test_the_servers_of_one_account(root):
    wanted, _ = SourceServerFactory.create(), SourceServerFactory.create()
    (found,) = root.get(f"{SERVERS}?account={wanted.account.pk}").json()["results"]
    assert found["id"] == str(wanted.pk)


def test_two_values_of_one_tag_match_nothing(root):
    SourceServerFactory.create(tags={"Tier": "web"})
    SourceServerFactory.create(tags={"Tier": "db"})
    assert root.get(f"{SERVERS}?tag=Tier:web&tag=Tier:db").json()["results"] == []
