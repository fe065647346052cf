"""Groups: what a save checks, what it keeps, and which servers groups share."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from audit.models import AuditRecord
from drportal.errors import InvalidInput
from drportal.mirror.models import OutboxEntry
from protection.errors import (
    GroupChanged,
    GroupIsEmpty,
    GroupNameTaken,
    GroupsOverlap,
    InvalidName,
    InvalidServers,
    InvalidTags,
    MissingField,
    NoSuchVersion,
    ServerInAnotherGroup,
    TagsTaken,
)
from protection.models import GroupVersion, ProtectionGroup, SourceServer
from protection.services import groups
from tests.api.world import World
from tests.factories.protection import SourceServerFactory
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db
HOLDER = "00000000-0000-0000-0000-00000000000a"


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def server() -> SourceServer:
    return SourceServerFactory.create(name="web-01", tags={"Tier": "web", "App": "shop"})


def make(server: SourceServer, **more: Any) -> ProtectionGroup:
    given: dict[str, Any] = {"name": "Web", "account": server.account, "region": server.region}
    given |= {"tags": {"Tier": "web"}, "actor": PERSON}
    return groups.create(**given | more)


def facts(event: str) -> dict[str, Any]:
    found: dict[str, Any] = AuditRecord.objects.get(event=event).facts
    return found


# Words and lengths: the same at making and at editing (D26, D36).

WRONG: list[tuple[dict[str, Any], type[InvalidInput], str, str]] = [
    ({"name": " "}, InvalidName, "name", "blank"),
    ({"name": "x" * 65}, InvalidName, "name", "max_length"),
    ({"name": "two\nlines"}, InvalidName, "name", "invalid"),
    ({"description": "x" * 1001}, InvalidInput, "description", "max_length"),
    ({"owner": "x" * 256}, InvalidInput, "owner", "max_length"),
    ({"tags": {"": "web"}}, InvalidTags, "tags", "invalid"),
    ({"tags": {"k" * 257: "v"}}, InvalidTags, "tags", "invalid"),
    ({"tags": {"Tier\0": "web"}}, InvalidTags, "tags", "invalid"),
    ({"tags": {"Tier": "\ud800"}}, InvalidTags, "tags", "invalid"),
    ({"tags": {str(n): "v" for n in range(51)}}, InvalidTags, "tags", "too_many"),
    ({"tags": {}, "server_ids": []}, MissingField, "selection", "tags_or_servers"),
    (
        {"tags": {"Tier": "web"}, "server_ids": [HOLDER]},
        InvalidInput,
        "selection",
        "tags_or_servers",
    ),
    ({"tags": None, "server_ids": [HOLDER]}, InvalidServers, "server_ids", "server_not_here"),
]


@pytest.mark.parametrize(("change", "error", "field", "code"), WRONG)
@pytest.mark.parametrize("how", ["create", "edit", "amend"])
def test_what_no_group_can_be_is_refused_alike(server, world, how, change, error, field, code):
    given: dict[str, Any] = {"name": "Other", "tags": {"App": "shop"}} | change
    group = None if how == "create" else make(server)

    def save() -> object:
        if group is None:
            return make(server, **given)
        return getattr(groups, how)(group, **given, actor=PERSON)

    with world.unchanged(), pytest.raises(error) as refused:
        save()
    assert type(refused.value) is error
    (complaint,) = refused.value.errors
    assert (complaint["field"], complaint["code"]) == (field, code)


def test_lengths_that_just_fit_are_taken(server):
    group = make(server, name=" " + "n" * 64, description="d" * 1000, owner="o" * 255)
    assert (len(group.name), len(group.description), len(group.owner)) == (64, 1000, 255)


def test_equal_tags_are_refused_in_words_whatever_their_order(server, world):
    make(server, tags={"Tier": "web", "App": "shop"})
    with world.unchanged(), pytest.raises(TagsTaken) as refused:
        make(server, name="Again", tags={"App": "shop", "Tier": "web"}, allow_overlap=True)
    assert "Web" in refused.value.detail
    assert refused.value.known_as == "TAG_CONFLICT"


def test_equal_tags_in_another_account_or_region_are_no_conflict(server):
    make(server)
    elsewhere = SourceServerFactory.create(tags={"Tier": "web"})
    beside = SourceServerFactory.create(
        account=server.account, region="us-west-2", tags={"Tier": "web"}
    )
    make(elsewhere, name="Elsewhere")
    make(beside, name="Beside")
    assert ProtectionGroup.objects.count() == 3


def test_more_servers_than_a_job_holds_are_taken_at_making_and_at_editing(server):
    SourceServerFactory.create_batch(100, account=server.account, tags={"Tier": "web"})
    group = make(server)
    ids = list(SourceServer.objects.values_list("pk", flat=True))
    group = groups.edit(group, name="Web", server_ids=ids, actor=PERSON)
    assert group.members.count() == 101


# Servers in more than one group.

OTHERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"tags": {"Tier": "web"}}, {"tags": {"App": "shop"}}),
    ({"tags": {"Tier": "web"}}, {"tags": {"App": "shop", "Tier": "web"}}),
    ({"tags": {"Tier": "web"}}, {"by_hand": True}),
    ({"by_hand": True}, {"tags": {"Tier": "web"}}),
]


def chosen(server: SourceServer, how: dict[str, Any]) -> dict[str, Any]:
    by_hand = {"tags": None, "server_ids": [server.pk]}
    return by_hand if how.get("by_hand") else dict(how)


@pytest.mark.parametrize(("first", "second"), OTHERS)
@pytest.mark.parametrize("how", ["create", "edit", "amend", "restore"])
def test_servers_that_another_group_has_are_refused_by_name(server, world, first, second, how):
    make(server, name="First", **chosen(server, first))
    wanted = chosen(server, second)
    group = None
    if how != "create":
        alone = SourceServerFactory.create(account=server.account, tags={"Alone": "yes"})
        group = make(alone, name="Second", tags={"Alone": "yes"})
    if how == "restore":
        assert group is not None
        said = groups.document(group) | {"tags": wanted["tags"] or {}, "servers": []}
        if wanted.get("server_ids"):
            said["servers"] = [{"id": str(server.pk), "server_id": "s-1", "name": "web-01"}]
        GroupVersion.objects.create(group=group, number=7, document=said, created_by="x")

    def save() -> object:
        if group is None:
            return make(server, name="Second", **wanted)
        if how == "restore":
            return groups.restore(group, 7, actor=PERSON)
        more = {"name": "Second"} if how == "edit" else {}
        return getattr(groups, how)(group, **more, **wanted, actor=PERSON)

    with world.unchanged(), pytest.raises(GroupsOverlap) as refused:
        save()
    assert "web-01 is in First" in refused.value.detail
    assert refused.value.context["servers"] == [
        {"name": "web-01", "server_id": server.server_id, "groups": ["First"]}
    ]


@pytest.mark.parametrize(("first", "second"), OTHERS)
def test_sharing_servers_is_an_explicit_and_recorded_choice(server, first, second):
    make(server, name="First", **chosen(server, first))
    group = make(server, name="Second", allow_overlap=True, **chosen(server, second))
    assert group.allows_overlap
    last = AuditRecord.objects.filter(event="protection.group.created").latest("id")
    assert last.facts["allows_overlap"] is True
    assert last.facts["shared"] == {server.server_id: ["First"]}
    assert group.versions.get().document["allows_overlap"] is True


def test_a_choice_to_share_ends_with_the_next_save_that_does_not_make_it(server):
    make(server, name="First")
    group = make(server, name="Second", tags={"App": "shop"}, allow_overlap=True)
    amended = groups.amend(group, description="Shared", actor=PERSON)
    assert amended.allows_overlap
    with pytest.raises(GroupsOverlap):
        groups.edit(group, name="Second", tags={"App": "shop"}, actor=PERSON)


def test_a_server_is_in_one_group_by_hand_even_if_groups_may_share(server, world):
    make(server, name="First", tags=None, server_ids=[server.pk])
    with world.unchanged(), pytest.raises(ServerInAnotherGroup):
        make(server, name="Second", tags=None, server_ids=[server.pk], allow_overlap=True)


def test_a_servers_namesake_in_another_region_is_not_shared(server):
    other = SourceServerFactory.create(
        account=server.account, region="us-west-2", server_id=server.server_id, tags=server.tags
    )
    make(server)
    make(other, name="West", tags={"App": "shop"})
    assert ProtectionGroup.objects.count() == 2


# Versions.


def test_every_save_is_a_version_with_its_author(server):
    group = make(server, owner="ops")
    group = groups.edit(
        group, name="Site", tags=None, server_ids=[server.pk], version=1, actor=PERSON
    )
    two, one = group.versions.all()
    assert (one.number, two.number, two.created_by) == (1, 2, PERSON.name)
    assert one.document == {
        "name": "Web",
        "description": "",
        "owner": "ops",
        "selection": "TAGS",
        "tags": {"Tier": "web"},
        "servers": [],
        "allows_overlap": False,
    }
    assert two.document["owner"] == ""
    assert two.document["servers"] == [
        {"id": str(server.pk), "server_id": server.server_id, "name": "web-01"}
    ]
    with pytest.raises(IntegrityError, match="never_change"), transaction.atomic():
        GroupVersion.objects.filter(pk=one.pk).update(document={})


def test_an_edit_of_an_old_version_is_refused_with_both(server, world):
    group = make(server)
    groups.amend(group, description="Theirs", version=1, actor=PERSON)
    for lost in (
        lambda: groups.edit(group, name="Mine", tags={"Tier": "web"}, version=1, actor=PERSON),
        lambda: groups.amend(group, name="Mine", version=1, actor=PERSON),
        lambda: groups.restore(group, 1, version=1, actor=PERSON),
        lambda: groups.amend(group, name="Mine", version=9, actor=PERSON),
    ):
        with world.unchanged(), pytest.raises(GroupChanged) as refused:
            lost()
        assert refused.value.known_as == "VERSION_CONFLICT"
        assert refused.value.context["current"]["version"] == 2
        assert refused.value.context["current"]["document"]["description"] == "Theirs"
    assert refused.value.context["yours"] == {"version": 9, "document": None}


def test_what_is_not_amended_stays(server):
    group = make(server, description="d", owner="o", tags=None, server_ids=[server.pk])
    group = groups.amend(group, owner="p", actor=PERSON)
    assert (group.name, group.description, group.owner) == ("Web", "d", "p")
    assert list(group.servers.all()) == [server]
    group = groups.amend(group, tags={"Tier": "web"}, actor=PERSON)
    assert (group.tags, group.members.count(), group.version) == ({"Tier": "web"}, 0, 3)
    group = groups.amend(group, server_ids=[server.pk], actor=PERSON)
    assert (group.tags, list(group.servers.all())) == ({}, [server])


def test_an_old_version_becomes_a_new_one(server):
    group = make(server, description="First", owner="ops")
    groups.edit(group, name="Other", tags=None, server_ids=[server.pk], actor=PERSON)
    group = groups.restore(group, 1, version=2, actor=PERSON)
    assert (group.version, group.name, group.description, group.owner, group.tags) == (
        3,
        "Web",
        "First",
        "ops",
        {"Tier": "web"},
    )
    assert not group.members.exists()
    old, new = group.versions.get(number=1), group.versions.get(number=3)
    assert old.document == new.document
    assert facts("protection.group.restored")["from_version"] == 1
    assert OutboxEntry.objects.filter(kind="ProtectionGroups", object_id=group.pk).exists()


def test_what_cannot_be_any_more_is_not_restored(server, world):
    group = make(server, tags=None, server_ids=[server.pk])
    groups.edit(group, name="Web", tags={"App": "shop"}, actor=PERSON)
    make(server, name="New", tags=None, server_ids=[server.pk], allow_overlap=True)
    with world.unchanged():
        with pytest.raises(ServerInAnotherGroup):
            groups.restore(group, 1, allow_overlap=True, actor=PERSON)
        with pytest.raises(NoSuchVersion):
            groups.restore(group, 3, actor=PERSON)


def test_names_that_were_given_away_are_not_restored(server, world):
    group = make(server)
    groups.edit(group, name="Renamed", tags={"Tier": "web"}, actor=PERSON)
    other = SourceServerFactory.create(tags={"Tier": "web"})
    make(other, name="WEB")
    with world.unchanged(), pytest.raises(GroupNameTaken):
        groups.restore(group, 1, actor=PERSON)


def test_what_a_restored_version_let_be_shared_it_lets_be_shared_again(server):
    make(server, name="First")
    group = make(server, name="Second", tags={"App": "shop"}, allow_overlap=True)
    alone = SourceServerFactory.create(account=server.account, tags={"Alone": "yes"})
    groups.edit(group, name="Second", tags=alone.tags, actor=PERSON)
    assert groups.restore(group, 1, actor=PERSON).allows_overlap


def test_tags_that_no_server_has_any_more_are_not_restored(server, world):
    group = make(server)
    groups.edit(group, name="Web", tags={"App": "shop"}, actor=PERSON)
    SourceServer.objects.update(tags={"App": "shop"})
    with world.unchanged(), pytest.raises(GroupIsEmpty):
        groups.restore(group, 1, actor=PERSON)


def test_what_was_there_before_versions_were_kept_is_kept_at_the_first_edit(server):
    group = make(server, description="Old")
    group.versions.all().delete()
    groups.amend(group, description="New", actor=PERSON)
    two, one = group.versions.all()
    assert (one.number, one.document["description"], one.created_by) == (1, "Old", "not known")
    assert one.created_at == group.updated_at
    assert (two.number, two.document["description"]) == (2, "New")
