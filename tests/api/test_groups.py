import pytest

from protection.models import ProtectionGroup
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import plan_of
from tests.factories.users import UserFactory, grant

GROUPS = "/api/v1/protection-groups"
pytestmark = pytest.mark.django_db


@pytest.fixture
def server():
    return SourceServerFactory.create(tags={"Tier": "web"})


@pytest.fixture
def body(server):
    return {"name": "Web", "account": str(server.account.pk), "region": "us-east-1"}


def test_a_group_of_servers_that_are_named(root, server, body):
    response = root.post(GROUPS, {**body, "server_ids": [str(server.pk)], "description": "All"})
    assert response.status_code == 201
    said = response.json()
    assert (said["selection"], said["server_ids"], said["tags"]) == (
        "SERVERS",
        [str(server.pk)],
        {},
    )
    assert said["account"]["account_id"] == server.account.account_id
    assert root.get(response.headers["Location"]).json() == said


def test_a_group_of_servers_that_have_tags(root, server, body):
    said = root.post(GROUPS, {**body, "tags": {"Tier": "web"}}).json()
    assert (said["selection"], said["server_ids"], said["tags"]) == ("TAGS", None, {"Tier": "web"})
    (held,) = root.get(f"{GROUPS}/{said['id']}/servers").json()["results"]
    assert (held["id"], held["readiness"]) == (str(server.pk), "READY")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({}, "tags_or_servers", "selection"),
        ({"tags": {}, "server_ids": []}, "tags_or_servers", "selection"),
        ({"tags": {"Tier": "web"}, "region": "moon-1"}, "unknown_region", "region"),
        ({"tags": {"": "web"}}, "invalid", "tags"),
        ({"tags": {"Tier": 1}}, "invalid", "tags.Tier"),
        ({"tags": {"Tier": None}}, "null", "tags.Tier"),
        ({"tags": ["Tier"]}, "not_a_dict", "tags"),
        ({"tags": {"k" * 257: "v"}}, "invalid", "tags"),
        ({"tags": {str(n): "v" for n in range(51)}}, "too_many", "tags"),
        (
            {"server_ids": ["00000000-0000-0000-0000-000000000000"]},
            "server_not_here",
            "server_ids",
        ),
        ({"server_ids": ["s-1"]}, "invalid", "server_ids[0]"),
        ({"server_ids": "all"}, "not_a_list", "server_ids"),
        ({"tags": {"Tier": "web"}, "name": " "}, "blank", "name"),
        ({"tags": {"Tier": "web"}, "description": "x" * 1001}, "max_length", "description"),
        ({"tags": {"Tier": "web"}, "account": "us"}, "invalid", "account"),
        (
            {"tags": {"Tier": "web"}, "account": "00000000-0000-0000-0000-000000000000"},
            "unknown_account",
            "account",
        ),
        ({"tags": {"Tier": "web"}, "servers": []}, "unknown_field", "servers"),
    ],
)
def test_a_group_that_cannot_be(root, body, world, change, code, field):
    with world.unchanged():
        response = root.post(GROUPS, {**body, **change})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    (error,) = response.json()["errors"]
    assert (error["code"], error["field"]) == (code, field)


def test_tags_that_no_server_has_make_no_group(root, body, world):
    with world.unchanged():
        response = root.post(GROUPS, {**body, "tags": {"Tier": "mainframe"}})
    assert (response.status_code, response.json()["code"]) == (400, "protection.group_empty")


def test_a_server_of_another_region_is_not_taken(root, body, world):
    elsewhere = SourceServerFactory.create(region="us-west-2")
    with world.unchanged():
        response = root.post(GROUPS, {**body, "server_ids": [str(elsewhere.pk)]})
    assert response.json()["errors"][0]["code"] == "server_not_here"


def test_a_name_is_taken_in_any_case(root, server, body, world):
    root.post(GROUPS, {**body, "tags": {"Tier": "web"}})
    with world.unchanged():
        response = root.post(GROUPS, {**body, "name": " wEB ", "tags": {"Tier": "web"}})
    assert (response.status_code, response.json()["code"]) == (409, "protection.group_name_taken")


def test_a_server_is_in_one_explicit_group(root, server, body, world):
    root.post(GROUPS, {**body, "server_ids": [str(server.pk)]})
    with world.unchanged():
        response = root.post(GROUPS, {**body, "name": "B", "server_ids": [str(server.pk)]})
    assert response.status_code == 409
    assert response.json()["code"] == "protection.server_in_another_group"


def test_a_group_changes_how_it_chooses(root, server, body):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    said = root.put(f"{GROUPS}/{group.pk}", {"name": "Web", "tags": {"Tier": "web"}}).json()
    assert (said["selection"], said["server_ids"], said["version"]) == ("TAGS", None, 2)


def test_account_and_region_of_a_group_are_fixed(root, server, world):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    change = {"name": "Web", "server_ids": [str(server.pk)], "region": "us-west-2"}
    with world.unchanged():
        response = root.put(f"{GROUPS}/{group.pk}", change)
    assert response.json()["errors"][0]["code"] == "unknown_field"


def test_a_group_that_a_plan_needs_stays(root, world):
    group = ProtectionGroupFactory.create()
    plan_of(group)
    with world.unchanged():
        response = root.delete(f"{GROUPS}/{group.pk}")
    assert (response.status_code, response.json()["code"]) == (409, "protection.group_in_use")


def test_a_preview_saves_nothing(root, server, world):
    SourceServerFactory.create(account=server.account, tags={"Tier": "db"})
    where = {"account": str(server.account.pk), "region": "us-east-1"}
    with world.unchanged():
        by_tags = root.post(f"{GROUPS}/preview", {**where, "tags": {"Tier": "web"}}).json()
        by_hand = root.post(f"{GROUPS}/preview", {**where, "server_ids": [str(server.pk)]}).json()
        nothing = root.post(f"{GROUPS}/preview", {**where, "tags": {"Tier": "x"}}).json()
    assert by_tags == by_hand
    assert by_tags["count"] == 1
    assert by_tags["servers"][0]["name"] == server.name
    assert (nothing["count"], nothing["servers"], nothing["jobs"]) == (0, [], 0)


@pytest.mark.parametrize("choice", [{}, {"tags": {"a": "b"}, "server_ids": ["0" * 32]}])
def test_a_preview_of_nothing_or_of_both_is_refused(root, server, choice):
    where = {"account": str(server.account.pk), "region": "us-east-1"}
    assert root.post(f"{GROUPS}/preview", {**where, **choice}).status_code == 400


def test_a_preview_of_an_account_that_one_may_not_see(client_of, server):
    person = grant(
        UserFactory.create(), "protection.view_targetaccount", on=TargetAccountFactory.create()
    )
    where = {"account": str(server.account.pk), "region": "us-east-1", "tags": {"Tier": "web"}}
    response = client_of(person).post(f"{GROUPS}/preview", where)
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "unknown_account"


@pytest.mark.parametrize(
    ("query", "count"),
    [("selection=TAGS", 1), ("selection=SERVERS", 2), ("name=ALPHA", 1), ("region=us-west-2", 0)],
)
def test_filters_of_groups(root, query, count):
    ProtectionGroupFactory.create(name="alpha")
    ProtectionGroupFactory.create()
    ProtectionGroupFactory.create(tags={"Tier": "web"})
    assert len(root.get(f"{GROUPS}?{query}").json()["results"]) == count
    assert ProtectionGroup.objects.count() == 3
