import pytest
from django.urls import reverse

from drportal.errors import InvalidInput
from protection.admin.group_forms import tags_in
from protection.models import ProtectionGroup
from tests.admin.conftest import recorded
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import grant


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:protection_protectiongroup_{name}", args=ids)


@pytest.fixture
def server(db):
    return SourceServerFactory.create(name="web-01", tags={"Tier": "web", "Owner": "a=b"})


def fields(server, **more: object) -> dict[str, object]:
    base = {"name": "web", "account": str(server.account_id), "region": server.region}
    return base | {"selection": "TAGS", "tags": "Tier=web"} | more


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", {}),
        ("Tier=web", {"Tier": "web"}),
        (" Tier = web \n\n Owner=a=b ", {"Tier": "web", "Owner": "a=b"}),
        ("Empty=", {"Empty": ""}),
    ],
)
def test_tags_are_read_line_by_line(text, tags):
    assert tags_in(text) == tags


@pytest.mark.parametrize("text", ["Tier", "Tier=web\nTier=app", "=web", f"{'k' * 257}=v"])
def test_what_is_no_tag_is_refused(text):
    with pytest.raises(InvalidInput):
        tags_in(text)


def test_a_preview_shows_the_servers_and_saves_nothing(root, server):
    answer = root.post(link("add"), fields(server, name="", _again="preview")).content.decode()
    assert "1 server would be in the group now." in answer
    assert "web-01" in answer
    assert "This field is required" not in answer
    assert (ProtectionGroup.objects.count(), recorded()) == (0, [])


def test_a_preview_of_tags_that_are_none_says_so(root, server):
    answer = root.post(link("add"), fields(server, tags="Tier", _again="preview"))
    assert "This is not key=value: Tier" in answer.content.decode()


def test_a_group_by_tags_is_saved(root, server):
    root.post(link("add"), fields(server, servers=[str(server.pk)]))
    group = ProtectionGroup.objects.get()
    assert (group.tags, group.members.count()) == ({"Tier": "web"}, 0)


def test_a_group_by_hand_is_saved(root, server):
    root.post(link("add"), fields(server, selection="SERVERS", servers=[str(server.pk), "rubbish"]))
    group = ProtectionGroup.objects.get()
    assert (group.tags, list(group.servers.all())) == ({}, [server])


def test_an_empty_group_is_refused_and_what_was_typed_stays(root, server):
    answer = root.post(link("add"), fields(server, tags="Tier=none")).content.decode()
    assert "has these tags" in answer
    assert "Tier=none" in answer
    assert not ProtectionGroup.objects.exists()


def test_a_server_of_another_group_is_refused_by_name(root, server):
    ProtectionGroupFactory.create(account=server.account, servers=[server], name="first")
    answer = root.post(
        link("add"), fields(server, selection="SERVERS", servers=[str(server.pk)])
    ).content.decode()
    assert "web-01 is in first" in answer
    assert ProtectionGroup.objects.count() == 1


def test_an_account_that_one_does_not_see_cannot_be_chosen(person, browser, server):
    grant(person, "protection.add_protectiongroup")
    hidden = SourceServerFactory.create(account=TargetAccountFactory.create(name="Hidden"))
    page = browser.get(link("add")).content.decode()
    assert "Hidden" not in page
    answer = browser.post(link("add"), fields(hidden)).content.decode()
    assert "is not one of the available choices" in answer
    shown = browser.post(link("add"), fields(hidden, _again="preview")).content.decode()
    assert hidden.server_id not in shown
    assert not ProtectionGroup.objects.exists()


def test_whoever_edits_one_group_sees_no_other_servers_of_its_account(person, browser, server):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server])
    other = SourceServerFactory.create(account=server.account, name="not-theirs")
    grant(person, "protection.view_protectiongroup", "protection.change_protectiongroup", on=group)
    page = browser.get(link("edit", group.pk)).content.decode()
    assert "web-01" in page
    assert other.name not in page


def test_a_group_is_edited_and_deleted(root, server):
    group = ProtectionGroupFactory.create(account=server.account, servers=[server], name="old")
    edit = {"name": "new", "selection": "TAGS", "tags": "Tier=web", "version": "1"}
    root.post(link("edit", group.pk), edit)
    group.refresh_from_db()
    assert (group.name, group.version, group.tags) == ("new", 2, {"Tier": "web"})
    root.post(link("delete", group.pk), {"typed": "new"})
    assert not ProtectionGroup.objects.exists()


def test_the_list_counts_servers_by_hand_and_by_tags(root, server):
    SourceServerFactory.create(account=server.account, tags={"Tier": "web"})
    SourceServerFactory.create(tags={"Tier": "web"})
    ProtectionGroupFactory.create(account=server.account, name="by tags", tags={"Tier": "web"})
    ProtectionGroupFactory.create(account=server.account, name="by hand", servers=[server])
    answer = root.get(link("changelist"))
    counted = {group.name: group.server_total for group in answer.context["cl"].result_list}
    assert counted == {"by tags": 2, "by hand": 1}
