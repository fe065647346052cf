"""Groups over the API: changing a part, versions, guards, previews and resolving."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from protection.choices import RegionStatus
from protection.models import AccountRegion, GroupVersion, ProtectionGroup, SourceServer
from protection.permissions import AccountPermission, GroupPermission
from protection.services import holds
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import UserFactory, grant

GROUPS = "/api/v1/protection-groups"
pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> SourceServer:
    return SourceServerFactory.create(name="web-01", tags={"Tier": "web", "App": "shop"})


@pytest.fixture
def group(server) -> ProtectionGroup:
    return ProtectionGroupFactory.create(
        name="Web", account=server.account, tags={"Tier": "web"}, description="All", owner="ops"
    )


@pytest.fixture
def body(server) -> dict[str, object]:
    return {"name": "New", "account": str(server.account.pk), "region": server.region}


def _hold(group: ProtectionGroup) -> None:
    with transaction.atomic():
        held = ProtectionGroup.objects.filter(pk=group.pk)
        holds.hold(held, holder_id=uuid.uuid4(), holder="drill of Payments")


# Codes by which clients of the reference system know what went wrong.


@pytest.mark.parametrize(
    ("change", "status", "known_as"),
    [
        ({"name": None}, 400, "VALIDATION_FAILED"),
        ({"name": ""}, 400, "INVALID_NAME"),
        ({"name": "x" * 65}, 400, "INVALID_NAME"),
        ({"tags": {"": "x"}}, 400, "INVALID_TAGS"),
        ({"tags": {}}, 400, "MISSING_FIELD"),
        ({"tags": {}, "server_ids": [str(uuid.UUID(int=1))]}, 400, "INVALID_SERVERS"),
        ({"owner": "x" * 256}, 400, "VALIDATION_FAILED"),
        ({"name": "wEB", "tags": {"App": "shop"}}, 409, "PG_NAME_EXISTS"),
        ({"tags": {"Tier": "web"}}, 409, "TAG_CONFLICT"),
        ({"tags": {"App": "shop"}}, 409, "SERVER_CONFLICT"),
    ],
)
def test_refusals_have_the_codes_of_the_reference(
    root, group, body, world, change, status, known_as
):
    with world.unchanged():
        response = root.post(GROUPS, body | {"tags": {"App": "shop"}} | change)
    assert (response.status_code, response.json()["error"]) == (status, known_as)


@pytest.mark.parametrize("missing", ["name", "account", "region"])
def test_what_is_missing_is_called_that(root, body, world, missing):
    del body[missing]
    with world.unchanged():
        said = root.post(GROUPS, body | {"tags": {"App": "shop"}}).json()
    assert (said["error"], said["errors"][0]["field"]) == ("MISSING_FIELD", missing)


def test_sharing_servers_is_refused_with_who_has_them_and_then_allowed(root, group, server, body):
    wanted = body | {"tags": {"App": "shop"}}
    said = root.post(GROUPS, wanted).json()
    assert said["context"]["servers"] == [
        {"name": "web-01", "server_id": server.server_id, "groups": ["Web"]}
    ]
    made = root.post(GROUPS, wanted | {"allow_overlap": True})
    assert made.status_code == 201
    assert (made.json()["allows_overlap"], made.json()["shared_server_count"]) == (True, 1)
    # The other group did nothing, and shows it all the same.
    other = root.get(f"{GROUPS}/{group.pk}").json()
    assert (other["allows_overlap"], other["shared_server_count"]) == (False, 1)


# Changing.


def test_put_says_all_and_patch_says_a_part(root, group):
    path = f"{GROUPS}/{group.pk}"
    patched = root.patch(path, {"owner": "dba", "version": 1}).json()
    assert (patched["name"], patched["description"], patched["owner"]) == ("Web", "All", "dba")
    assert (patched["tags"], patched["version"]) == ({"Tier": "web"}, 2)
    put = root.put(path, {"name": "Web", "tags": {"Tier": "web"}, "version": 2}).json()
    assert (put["description"], put["owner"], put["version"]) == ("", "", 3)


@pytest.mark.parametrize("fixed", ["account", "region", "selection", "id"])
@pytest.mark.parametrize("method", ["put", "patch"])
def test_what_is_fixed_cannot_be_sent(root, group, world, fixed, method):
    change = {"name": "Web", "tags": {"Tier": "web"}, fixed: "x"}
    with world.unchanged():
        said = getattr(root, method)(f"{GROUPS}/{group.pk}", change).json()
    assert said["errors"][0]["code"] == "unknown_field"


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_lost_update_is_refused_with_both_versions(root, group, world, method):
    path = f"{GROUPS}/{group.pk}"
    root.patch(path, {"owner": "theirs"})
    with world.unchanged():
        response = getattr(root, method)(
            path, {"name": "Mine", "tags": {"Tier": "web"}, "version": 1}
        )
    said = response.json()
    assert (response.status_code, said["code"]) == (409, "protection.group_changed")
    assert said["error"] == "VERSION_CONFLICT"
    yours, current = said["context"]["yours"], said["context"]["current"]
    assert (yours["version"], yours["document"]["owner"]) == (1, "ops")
    assert (current["version"], current["document"]["owner"]) == (2, "theirs")


@pytest.mark.parametrize("version", [0, -1, "1", 2**31, None, True])
def test_a_version_is_a_number_that_there_can_be(root, group, world, version):
    with world.unchanged():
        response = root.patch(f"{GROUPS}/{group.pk}", {"owner": "x", "version": version})
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "version")


def test_a_group_that_is_held_says_by_what_and_stays(root, group, world):
    root.patch(f"{GROUPS}/{group.pk}", {"owner": "dba"})
    _hold(group)
    path = f"{GROUPS}/{group.pk}"
    assert root.get(path).json()["held_by"] == ["drill of Payments"]
    for method, where, sent in (
        ("put", path, {"name": "New", "tags": {"Tier": "web"}}),
        ("patch", path, {"owner": "new"}),
        ("post", f"{path}/restore", {"number": 1}),
        ("delete", path, None),
    ):
        with world.unchanged():
            response = getattr(root, method)(where, sent)
        said = response.json()
        assert (response.status_code, said["error"]) == (409, "PG_IN_ACTIVE_EXECUTION")
        assert said["context"] == {"holders": ["drill of Payments"]}


def test_deleting_what_is_not_there_is_not_found(root, world):
    with world.unchanged():
        assert root.delete(f"{GROUPS}/{uuid.uuid4()}").status_code == 404


# Versions.


def test_versions_are_listed_with_what_each_changed_and_restored(root, group):
    path = f"{GROUPS}/{group.pk}"
    root.patch(path, {"owner": "dba", "tags": {"Tier": "web", "App": "shop"}})
    listed = root.get(f"{path}/versions").json()["results"]
    assert [(row["number"], row["created_by"]) for row in listed] == [(2, "root"), (1, "somebody")]
    second = root.get(f"{path}/versions/2").json()
    assert second["changes"] == [
        {"field": "tags.App", "old": None, "new": "shop"},
        {"field": "owner", "old": "ops", "new": "dba"},
    ]
    assert root.get(f"{path}/versions/1").json()["changes"] is None
    assert root.get(f"{path}/versions/3").status_code == 404
    restored = root.post(f"{path}/restore", {"number": 1, "version": 2}).json()
    assert (restored["version"], restored["owner"], restored["tags"]) == (3, "ops", {"Tier": "web"})
    assert root.get(f"{path}/versions/3").json()["document"] == listed[1]["document"]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"number": 9}, 404, "protection.no_such_version"),
        ({"number": 1, "version": 9}, 409, "protection.group_changed"),
    ],
)
def test_what_cannot_be_restored(root, group, world, sent, status, code):
    with world.unchanged():
        response = root.post(f"{GROUPS}/{group.pk}/restore", sent)
    assert (response.status_code, response.json()["code"]) == (status, code)


# Previews.


def test_a_preview_beside_a_saved_group(root, group, server, body, world):
    come = SourceServerFactory.create(account=server.account, name="comes", tags={"App": "shop"})
    leave = SourceServerFactory.create(account=server.account, name="gone", tags={"Tier": "web"})
    ProtectionGroupFactory.create(name="Hand", account=server.account, servers=[come])
    del body["name"]
    with world.unchanged():
        said = root.post(
            f"{GROUPS}/preview", body | {"tags": {"App": "shop"}, "group": str(group.pk)}
        ).json()
    assert (said["count"], said["jobs"], said["servers_per_job"]) == (2, 1, 100)
    assert [row["name"] for row in said["new"]] == ["comes"]
    assert said["leaving"] == [{"id": str(leave.pk), "server_id": leave.server_id, "name": "gone"}]
    assert said["in_other_groups"] == [
        {"id": str(come.pk), "server_id": come.server_id, "name": "comes", "groups": ["Hand"]}
    ]
    assert said["readiness"] == {"READY": 2, "LAGGING": 0, "NOT_READY": 0, "UNKNOWN": 0}
    assert said["region_status"] == "ACTIVE"


def test_a_preview_without_a_group_knows_no_new_ones_but_others(root, group, body):
    del body["name"]
    said = root.post(f"{GROUPS}/preview", body | {"tags": {"App": "shop"}}).json()
    assert (said["new"], said["leaving"]) == ([], [])
    assert [row["groups"] for row in said["in_other_groups"]] == [["Web"]]


def test_a_preview_of_a_region_that_does_not_answer_says_so(root, group, body):
    AccountRegion.objects.update(status=RegionStatus.IAM_PERMISSION_DENIED)
    del body["name"]
    said = root.post(f"{GROUPS}/preview", body | {"tags": {"App": "shop"}}).json()
    assert (said["count"], said["region_status"]) == (1, "IAM_PERMISSION_DENIED")
    assert (said["readiness"]["READY"], said["readiness"]["UNKNOWN"]) == (0, 1)


def test_a_preview_beside_a_group_of_another_place_is_refused(root, body):
    del body["name"]
    other = ProtectionGroupFactory.create()
    response = root.post(
        f"{GROUPS}/preview", body | {"tags": {"App": "shop"}, "group": str(other.pk)}
    )
    assert response.json()["errors"][0]["code"] == "unknown_group"


# Resolving, as the reference system asks.


@pytest.mark.parametrize("spelling", ["tags", "serverSelectionTags"])
def test_tags_are_resolved_in_an_account_of_ours(root, server, world, spelling):
    SourceServerFactory.create(tags={"Tier": "web"})
    asked = {"accountId": server.account.account_id, "region": "us-east-1"}
    with world.unchanged():
        said = root.post(f"{GROUPS}/resolve", asked | {spelling: {"Tier": "web"}}).json()
    assert (said["tags"], said["serverSelectionTags"]) == ({"Tier": "web"}, {"Tier": "web"})
    assert (said["region"], said["serverCount"]) == ("us-east-1", 1)
    assert said["resolvedServers"] == said["sourceServers"]
    (found,) = said["resolvedServers"]
    assert (found["sourceServerID"], found["accountId"], found["readiness"]) == (
        server.server_id,
        server.account.account_id,
        "READY",
    )
    assert said["resolvedAt"]
    assert said["regionStatus"] == "ACTIVE"


def test_a_server_from_another_account_is_found_where_drs_manages_it(root, server):
    SourceServer.objects.update(origin_account_id="999999999999")
    asked = {"accountId": server.account.account_id, "region": "us-east-1"}
    said = root.post(f"{GROUPS}/resolve", asked | {"tags": {"Tier": "web"}}).json()
    assert said["serverCount"] == 1
    assert said["resolvedServers"][0]["sourceAccountId"] == "999999999999"


def test_keys_and_values_match_exactly_everywhere(root, server, group, body):
    asked = {"accountId": server.account.account_id, "region": "us-east-1"}
    for tags in ({"Tier": "WEB"}, {"tier": "web"}, {" Tier": "web"}):
        assert root.post(f"{GROUPS}/resolve", asked | {"tags": tags}).json()["serverCount"] == 0
        response = root.post(GROUPS, body | {"tags": tags})
        assert response.json()["code"] == "protection.group_empty"


def test_a_group_is_resolved_by_its_id_either_way(root, group, server):
    by_body = root.post(f"{GROUPS}/resolve", {"protectionGroupId": str(group.pk)}).json()
    by_path = root.post(f"{GROUPS}/{group.pk}/resolve").json()
    assert by_body | {"resolvedAt": 0} == by_path | {"resolvedAt": 0}
    assert [row["sourceServerID"] for row in by_path["sourceServers"]] == [server.server_id]
    assert by_path["tags"] == {"Tier": "web"}


def test_a_group_by_hand_is_resolved_too(root, server):
    by_hand = ProtectionGroupFactory.create(account=server.account, servers=[server])
    said = root.post(f"{GROUPS}/{by_hand.pk}/resolve").json()
    assert (said["serverCount"], said["tags"]) == (1, {})


def test_other_tags_in_the_place_of_a_group(root, group, server):
    asked = {"protectionGroupId": str(group.pk), "tags": {"App": "shop"}}
    said = root.post(f"{GROUPS}/resolve", asked).json()
    assert (said["tags"], said["serverCount"]) == ({"App": "shop"}, 1)
    assert said["accountId"] == server.account.account_id


def test_an_old_listing_shows_its_age_and_a_silent_region_its_state(root, group):
    long_ago = timezone.now() - timedelta(hours=5)
    AccountRegion.objects.update(status=RegionStatus.THROTTLED, listed_at=long_ago)
    said = root.post(f"{GROUPS}/{group.pk}/resolve").json()
    assert (said["serverCount"], said["regionStatus"]) == (1, "THROTTLED")
    assert said["listedAt"].startswith(f"{long_ago:%Y-%m-%dT%H}")
    assert said["resolvedServers"][0]["readiness"] == "UNKNOWN"


@pytest.mark.parametrize(
    ("change", "status", "known_as"),
    [
        ({"accountId": None}, 400, "VALIDATION_FAILED"),
        ({"region": None}, 400, "VALIDATION_FAILED"),
        ({"accountId": "-"}, 400, "MISSING_PARAMETER"),
        ({"region": "-"}, 400, "MISSING_PARAMETER"),
        ({"tags": "-"}, 400, "MISSING_PARAMETER"),
        ({"tags": {}}, 400, "MISSING_PARAMETER"),
        ({"region": "moon-1"}, 400, "INVALID_PARAMETER"),
        ({"serverSelectionTags": {"App": "shop"}}, 400, "INVALID_PARAMETER"),
        ({"tags": {"": "x"}}, 400, "INVALID_TAGS"),
        ({"accountId": "000000000000"}, 404, "NOT_FOUND"),
        ({"protectionGroupId": str(uuid.UUID(int=1))}, 404, "NOT_FOUND"),
    ],
)
def test_what_cannot_be_resolved(root, server, change, status, known_as):
    asked = {"accountId": server.account.account_id, "region": "us-east-1"}
    asked |= {"tags": {"Tier": "web"}} | change
    asked = {name: value for name, value in asked.items() if value != "-"}
    response = root.post(f"{GROUPS}/resolve", asked)
    assert (response.status_code, response.json()["error"]) == (status, known_as)


def test_whoever_sees_a_group_resolves_it_and_not_its_account(client_of, group, server):
    person = grant(UserFactory.create(), GroupPermission.VIEW, on=group)
    grant(person, AccountPermission.VIEW, on=TargetAccountFactory.create())
    client = client_of(person)
    asked = {"protectionGroupId": str(group.pk)}
    assert client.post(f"{GROUPS}/resolve", asked).json()["serverCount"] == 1
    other = client.post(f"{GROUPS}/resolve", asked | {"tags": {"App": "shop"}})
    by_account = {"accountId": server.account.account_id, "region": "us-east-1"}
    direct = client.post(f"{GROUPS}/resolve", by_account | {"tags": {"Tier": "web"}})
    assert (other.status_code, direct.status_code) == (404, 404)


# Lists.


def test_groups_are_filtered_by_account_in_either_spelling(root, group):
    ProtectionGroupFactory.create()
    for name in ("accountId", "account_id"):
        said = root.get(f"{GROUPS}?{name}={group.account.account_id}").json()
        assert [row["id"] for row in said["results"]] == [str(group.pk)]


def test_the_list_counts_servers_and_costs_the_same_with_more(
    root, group, server, django_assert_max_num_queries
):
    SourceServerFactory.create(account=server.account, tags={"Tier": "web"})
    for number in range(50):
        ProtectionGroupFactory.create(account=server.account, tags={"App": "shop", str(number): ""})
    ProtectionGroupFactory.create(name="Shop", account=server.account, tags={"App": "shop"})
    root.get(GROUPS)
    with django_assert_max_num_queries(15):
        rows = root.get(f"{GROUPS}?page_size=200").json()["results"]
    counted = {row["name"]: (row["server_count"], row["shared_server_count"]) for row in rows}
    assert (counted["Web"], counted["Shop"]) == ((2, 1), (1, 1))
    assert GroupVersion.objects.count() == len(rows) == 52
