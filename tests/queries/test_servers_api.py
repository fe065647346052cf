"""Source servers to choose among."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from audit.models import AuditRecord
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import RegionStatus
from protection.models import AccountRegion, TargetAccount
from tests.factories.protection import (
    AccountRegionFactory,
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import UserFactory, grant
from tests.worlds import EAST, HUB, NORTH, SOUTH, WEST, registered, server, world_of

pytestmark = pytest.mark.django_db(transaction=True)
SERVERS = "/api/v1/drs/source-servers"


@pytest.fixture
def account(db) -> TargetAccount:
    return TargetAccountFactory.create(account_id=NORTH)


def by_name(answer) -> dict[str, dict]:
    assert answer.status_code == 200, answer.content
    return {each["hostname"].split(".")[0]: each for each in answer.json()["servers"]}


def ask(client, **parameters):
    return client.get(SERVERS, {"region": EAST, "accountId": NORTH, **parameters})


def test_a_server_is_shown_with_all_that_the_inventory_knows(root, account):
    SourceServerFactory.create(
        account=account,
        name="web-01",
        tags={"Name": "Web", "Tier": "web"},
        replication_state="BACKLOG",
        lag=timedelta(minutes=5),
        cpu_cores=4,
        ram_bytes=8 * 2**30,
        disk_bytes=100 * 2**30,
        source_addresses=["10.0.0.7", "10.0.0.8"],
        origin_account_id="444455556666",
        origin_region="eu-west-1",
        origin_instance_id="i-0123456789abcdef0",
    )
    answer = ask(root)
    shown = by_name(answer)["web-01"]
    assert (shown["source_region"], shown["source_account_id"]) == ("eu-west-1", "444455556666")
    assert (shown["account_id"], shown["staging_account_id"]) == (NORTH, None)
    assert (shown["state"], shown["replication_state"]) == ("SYNCING", "BACKLOG")
    assert shown["lag_duration"] == "P0DT00H05M00S"
    assert (shown["name_tag"], shown["source_ip"]) == ("Web", "10.0.0.7")
    assert shown["hardware"] == {
        "cpus": None,
        "total_cores": 4,
        "ram_bytes": 8 * 2**30,
        "ram_gib": 8.0,
        "disks": None,
        "total_disk_gib": 100.0,
    }
    assert (shown["selectable"], shown["assigned_to_protection_group"]) == (True, [])
    said = answer.json()
    assert (said["region"], said["server_count"], said["data_source"]) == (EAST, 1, "inventory")
    assert (said["where"]["stale"], said["where"]["status"]) == (False, "ACTIVE")


def test_what_is_not_known_is_null_and_its_state_unknown(root, account):
    SourceServerFactory.create(
        account=account, name="bare", replication_state="", lag=None, os="", tags={}
    )
    shown = by_name(ask(root))["bare"]
    assert (shown["state"], shown["replication_state"], shown["lag_duration"]) == (
        "UNKNOWN",
        None,
        None,
    )
    assert (shown["os"], shown["source_ip"], shown["name_tag"]) == (None, None, None)
    assert shown["hardware"]["ram_gib"] is None


def test_a_server_in_a_group_is_assigned_whether_by_hand_or_by_tags(root, account):
    """D8 of the reference: servers of other groups showed as free until the save failed."""
    by_hand = SourceServerFactory.create(account=account, name="hand", tags={})
    SourceServerFactory.create(account=account, name="tag", tags={"Tier": "web", "More": "x"})
    SourceServerFactory.create(account=account, name="case", tags={"Tier": "WEB"})
    SourceServerFactory.create(account=account, name="free", tags={})
    hand = ProtectionGroupFactory.create(name="Hand", account=account, servers=[by_hand])
    tags = ProtectionGroupFactory.create(name="Tags", account=account, tags={"Tier": "web"})
    ProtectionGroupFactory.create(account=account, region=WEST, tags={"Tier": "web"})
    ProtectionGroupFactory.create(tags={"Tier": "web"})
    shown = by_name(ask(root))
    assert {name: each["selectable"] for name, each in shown.items()} == {
        "hand": False,
        "tag": False,
        "case": True,
        "free": True,
    }
    assert shown["hand"]["assigned_to_protection_group"] == [
        {"id": str(hand.pk), "name": "Hand", "by": "SERVERS", "is_current": False}
    ]
    assert shown["tag"]["assigned_to_protection_group"] == [
        {"id": str(tags.pk), "name": "Tags", "by": "TAGS", "is_current": False}
    ]
    edited = by_name(ask(root, currentProtectionGroupId=str(hand.pk)))
    assert (edited["hand"]["selectable"], edited["tag"]["selectable"]) == (True, False)
    assert edited["hand"]["assigned_to_protection_group"][0]["is_current"] is True


def test_a_group_that_one_may_not_see_still_has_its_server_but_no_name(client_of, account):
    held = SourceServerFactory.create(account=account, name="held")
    ProtectionGroupFactory.create(name="Secret", account=account, servers=[held])
    person = grant(UserFactory.create(), "protection.view_targetaccount", on=account)
    answer = ask(client_of(person))
    shown = by_name(answer)["held"]
    assert shown["selectable"] is False
    assert shown["assigned_to_protection_group"] == [
        {"id": None, "name": None, "by": "SERVERS", "is_current": False}
    ]
    assert "Secret" not in answer.content.decode()


def test_a_server_that_is_gone_is_not_selectable(root, account):
    SourceServerFactory.create(account=account, name="lost", gone_at=timezone.now())
    shown = by_name(ask(root))["lost"]
    assert (shown["gone"], shown["selectable"]) == (True, False)


def test_pages_follow_each_other(root, account):
    for number in range(3):
        SourceServerFactory.create(account=account, name=f"web-{number}")
    first = ask(root, page_size="2").json()
    assert (len(first["servers"]), first["server_count"]) == (2, 3)
    second = root.get(first["next"]).json()
    assert ([each["hostname"] for each in second["servers"]], second["next"]) == (
        ["web-2.example.com"],
        None,
    )


@pytest.mark.parametrize(
    ("status", "http", "known_as", "initialized"),
    [
        (RegionStatus.NOT_INITIALIZED, 400, "DRS_NOT_INITIALIZED", False),
        (RegionStatus.REGION_NOT_OPTED_IN, 400, "REGION_NOT_ENABLED", False),
        (RegionStatus.REGION_NOT_ENABLED, 400, "REGION_NOT_ENABLED", False),
        (RegionStatus.IAM_PERMISSION_DENIED, 403, "REGION_ACCESS_DENIED", None),
        (RegionStatus.SCP_DENIED, 403, "REGION_ACCESS_DENIED", None),
        (RegionStatus.THROTTLED, 503, "DRS_ERROR", None),
        (RegionStatus.ENDPOINT_UNREACHABLE, 503, "DRS_ERROR", None),
        (RegionStatus.ERROR, 503, "DRS_ERROR", None),
    ],
)
def test_a_region_that_was_never_listed_is_refused_with_the_reason(
    root, account, status, http, known_as, initialized
):
    AccountRegionFactory.create(
        account=account, status=status, message="said so", server_count=None, listed_at=None
    )
    answer = ask(root)
    said = answer.json()
    assert (answer.status_code, said["error"]) == (http, known_as)
    assert said["context"]["region"] == EAST
    assert said["context"]["initialized"] is initialized
    assert "said so" in said["detail"]


def test_an_error_hides_no_server_that_was_listed(root, account):
    """D24 of the reference: a Region in error was one without servers."""
    SourceServerFactory.create(account=account, name="web-01")
    AccountRegion.objects.update(status=RegionStatus.IAM_PERMISSION_DENIED, message="denied")
    answer = ask(root)
    assert list(by_name(answer)) == ["web-01"]
    where = answer.json()["where"]
    assert (where["stale"], where["status"], where["message"]) == (
        True,
        "IAM_PERMISSION_DENIED",
        "denied",
    )


def test_freshness_is_of_the_account_and_region_that_is_shown(root, account):
    """D25 of the reference: one arbitrary row said how old all were."""
    SourceServerFactory.create(account=account, name="old")
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(hours=2))
    SourceServerFactory.create(account=account, region=WEST, name="new")
    assert ask(root).json()["where"]["stale"] is True
    assert ask(root, region=WEST).json()["where"]["stale"] is False
    AccountRegion.objects.update(listed_at=timezone.now() - timedelta(minutes=6))
    assert ask(root).json()["where"]["stale"] is False, "one missed sync is no reason to flap"


def test_a_fresh_look_is_of_the_chosen_account_with_its_own_role(aws, root):
    """D18 of the reference: the hub was asked, or the role left out."""
    world_of([server("web-1", account=SOUTH), server("db-1")])
    made = registered()
    group = ProtectionGroupFactory.create(account=made[SOUTH], tags={"Tier": "web"})
    answer = root.get(SERVERS, {"region": EAST, "accountId": SOUTH, "fresh": "true"})
    shown = by_name(answer)["web-1"]
    assert answer.json()["data_source"] == shown["data_source"] == "live"
    assert shown["assigned_to_protection_group"][0]["id"] == str(group.pk)
    assert shown["hardware"]["cpus"]
    assert shown["network_interfaces"]
    assert world.calls.matching(operation="DescribeSourceServers")[-1].account == SOUTH


def test_a_fresh_look_sees_what_the_inventory_does_not_yet(aws, root):
    world_of([server("web-1")])
    account = registered()[NORTH]
    account.servers.all().delete()
    assert by_name(ask(root)) == {}
    assert list(by_name(ask(root, fresh="true"))) == ["web-1"]
    assert account.servers.count() == 0, "a question writes nothing"


def test_a_server_in_an_explicit_group_is_assigned_in_a_fresh_look_too(aws, root):
    world_of([server("web-1")])
    account = registered()[NORTH]
    ProtectionGroupFactory.create(account=account, servers=list(account.servers.all()))
    shown = by_name(ask(root, fresh="true"))["web-1"]
    assert shown["selectable"] is False


@pytest.mark.parametrize(
    ("kind", "http", "known_as"),
    [
        (Kind.ACCESS_DENIED, 403, "REGION_ACCESS_DENIED"),
        (Kind.UNINITIALIZED, 400, "DRS_NOT_INITIALIZED"),
        (Kind.OPT_IN_REQUIRED, 400, "REGION_NOT_ENABLED"),
        (Kind.THROTTLE, 503, "DRS_ERROR"),
        (Kind.UNREACHABLE, 503, "DRS_ERROR"),
    ],
)
def test_a_fresh_look_that_fails_is_refused_and_never_empty(aws, root, kind, http, known_as):
    """D23 of the reference: a failed call was no servers."""
    world_of([server("web-1")])
    registered()
    world.faults.add(Fault(kind, service="drs", account=NORTH))
    answer = ask(root, fresh="true")
    assert (answer.status_code, answer.json()["error"]) == (http, known_as)


def test_a_region_that_was_never_asked_is_asked_now(aws, root):
    world_of([server("web-1")])
    made = registered()
    AccountRegion.objects.filter(account=made[NORTH]).delete()
    answer = ask(root)
    assert (list(by_name(answer)), answer.json()["data_source"]) == (["web-1"], "live")


def test_no_account_is_guessed(root, client_of, account):
    SourceServerFactory.create(account=account, name="web-01")
    assert list(by_name(root.get(SERVERS, {"region": EAST}))) == ["web-01"]
    TargetAccountFactory.create(hub=True, account_id=HUB)
    answer = root.get(SERVERS, {"region": EAST})
    assert (answer.status_code, answer.json()["code"]) == (400, "queries.account_not_named")
    assert answer.json()["error"] == "MISSING_PARAMETER"
    mine = grant(UserFactory.create(), "protection.view_targetaccount", on=account)
    assert list(by_name(client_of(mine).get(SERVERS, {"region": EAST}))) == ["web-01"]
    nobody = client_of(UserFactory.create()).get(SERVERS, {"region": EAST})
    assert (nobody.status_code, nobody.json()["code"]) == (400, "queries.account_not_named")


@pytest.mark.parametrize(
    ("parameters", "http", "code"),
    [
        ({"region": ""}, 400, "queries.region_not_named"),
        ({"region": "us-east-0"}, 400, "invalid"),
        ({"accountId": "999999999999"}, 404, "not_found"),
        ({"accountId": "nonsense"}, 404, "not_found"),
        ({"currentProtectionGroupId": "nonsense"}, 400, "invalid"),
        ({"currentProtectionGroupId": str(uuid4())}, 404, "not_found"),
        ({"fresh": "perhaps"}, 400, "invalid"),
        ({"other": "x"}, 400, "invalid"),
        ({"page_size": "0"}, 400, "invalid"),
    ],
)
def test_bad_parameters_are_refused_by_name(root, account, parameters, http, code):
    SourceServerFactory.create(account=account)
    answer = ask(root, **parameters)
    assert (answer.status_code, answer.json()["code"]) == (http, code)


def test_the_portals_own_id_names_an_account_too(root, account):
    SourceServerFactory.create(account=account, name="web-01")
    assert list(by_name(ask(root, accountId=str(account.pk)))) == ["web-01"]


def test_reading_is_recorded_once_with_the_account(root, account):
    SourceServerFactory.create(account=account)
    before = AuditRecord.objects.count()
    ask(root)
    told = AuditRecord.objects.latest("id")
    assert AuditRecord.objects.count() == before + 1
    assert (told.event, told.subject_id) == ("api.read", str(account.pk))
    assert told.facts["parameters"]["region"] == [EAST]
