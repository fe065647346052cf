import uuid

import pytest
from django.db import transaction
from django.urls import reverse

from drportal.errors import InvalidInput
from protection.admin.group_forms import tags_in
from protection.choices import RegionStatus
from protection.models import AccountRegion, ProtectionGroup, SourceServer
from protection.services import groups, holds
from tests.admin.conftest import recorded
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import grant
from tests.worlds import PERSON


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


# Sharing servers.


@pytest.fixture
def shop(server):
    SourceServer.objects.filter(pk=server.pk).update(tags={"Tier": "web", "App": "shop"})
    return ProtectionGroupFactory.create(
        account=server.account, name="shop", tags={"App": "shop"}, owner="ops"
    )


def test_servers_of_another_group_are_shown_with_a_box_to_allow_it(root, server, shop):
    answer = root.post(link("add"), fields(server)).content.decode()
    assert "Servers would be in more than one group: web-01 is in shop." in answer
    assert 'name="allow_overlap"' in answer
    assert ProtectionGroup.objects.count() == 1
    root.post(link("add"), fields(server, allow_overlap="on"))
    assert ProtectionGroup.objects.get(name="web").allows_overlap


def test_a_preview_already_names_the_other_group_and_offers_the_box(root, server, shop):
    answer = root.post(link("add"), fields(server, _again="preview")).content.decode()
    assert "is in shop" in answer
    assert 'name="allow_overlap"' in answer
    shop.delete()
    answer = root.post(link("add"), fields(server, _again="preview")).content.decode()
    assert 'name="allow_overlap"' not in answer


def test_servers_that_came_to_be_shared_are_on_the_list_and_on_the_page(root, server, shop):
    ProtectionGroupFactory.create(account=server.account, name="web", tags={"Tier": "web"})
    listed = root.get(link("changelist")).content.decode()
    assert listed.count("1, not allowed") == 2
    page = root.get(link("change", shop.pk)).content.decode()
    assert "Nobody has allowed this group to share" in page
    ProtectionGroup.objects.update(allows_overlap=True)
    assert root.get(link("changelist")).content.decode().count("1, allowed") == 2
    assert (
        "Nobody has allowed this group to share"
        not in root.get(link("change", shop.pk)).content.decode()
    )


def test_the_page_of_a_server_names_every_group_that_has_it(root, server, shop):
    ProtectionGroupFactory.create(account=server.account, name="by hand", servers=[server])
    ProtectionGroupFactory.create(account=server.account, name="unrelated", tags={"Tier": "db"})
    page = root.get(reverse("admin:protection_sourceserver_change", args=[server.pk]))
    assert [group.name for group in page.context["groups"]] == ["by hand", "shop"]


def test_a_page_says_how_many_jobs_a_large_group_takes(root, server, shop):
    SourceServerFactory.create_batch(100, account=server.account, tags={"App": "shop"})
    assert "101 in 2 jobs" in root.get(link("changelist")).content.decode()
    page = root.get(link("change", shop.pk)).content.decode()
    assert "101; a launch job may hold 100, so they are launched in 2 jobs." in page


# Previews of an edit.


def edited(group, **more: object) -> dict[str, object]:
    base = {"name": group.name, "selection": "TAGS", "tags": "App=shop", "owner": group.owner}
    return base | {"version": str(group.version)} | more


def test_a_preview_of_an_edit_says_who_comes_and_who_leaves(root, server, shop):
    come = SourceServerFactory.create(
        account=server.account,
        name="comes",
        tags={"Tier": "db"},
        replication_state="DISCONNECTED",
    )
    sent = edited(shop, tags="Tier=db", _again="preview")
    answer = root.post(link("edit", shop.pk), sent).content.decode()
    assert "1 server would be in the group now." in answer
    assert f"New in the group:</strong> {come}" in answer
    assert "Would leave the group: web-01" in answer
    assert "1 not ready" in answer
    shop.refresh_from_db()
    assert (shop.version, shop.tags) == (1, {"App": "shop"})


def test_a_preview_of_a_region_that_does_not_answer_is_in_doubt(root, server, shop):
    known = "may not be what is there"
    assert known not in root.get(link("edit", shop.pk)).content.decode()
    AccountRegion.objects.update(status=RegionStatus.IAM_PERMISSION_DENIED)
    for page in ("edit", "change"):
        answer = root.get(link(page, shop.pk)).content.decode()
        assert known in answer
        assert "Permission denied" in answer
    AccountRegion.objects.all().delete()
    assert "Never listed" in root.get(link("edit", shop.pk)).content.decode()


# Lost updates, versions and holds.


def test_a_lost_update_shows_what_changed_and_keeps_what_was_typed(root, shop):
    groups.amend(shop, owner="dba", actor=PERSON)
    answer = root.post(link("edit", shop.pk), edited(shop, description="Mine")).content.decode()
    assert "was changed meanwhile" in answer
    assert "What somebody else changed since you began" in answer
    assert ">ops<" in answer
    assert ">dba<" in answer
    assert ">\nMine<" in answer
    shop.refresh_from_db()
    assert (shop.version, shop.description) == (2, "")
    # What is now in the form is the version of today: saving again is meant.
    assert '<input type="hidden" name="version" value="2"' in answer
    root.post(link("edit", shop.pk), edited(shop, description="Mine", owner="ops"))
    shop.refresh_from_db()
    assert (shop.version, shop.description, shop.owner) == (3, "Mine", "ops")


@pytest.mark.parametrize("version", ["", "x"])
def test_an_edit_without_its_version_is_refused(root, shop, version):
    root.post(link("edit", shop.pk), edited(shop, owner="new", version=version))
    shop.refresh_from_db()
    assert (shop.version, shop.owner) == (1, "ops")


def test_versions_are_shown_with_what_each_changed(root, shop):
    groups.amend(shop, owner="dba", actor=PERSON)
    page = root.get(link("versions", shop.pk)).content.decode()
    assert "The group was made." in page
    assert ">dba<" in page
    assert "Restore version 1" in page
    assert "Restore version 2" not in page


def test_a_version_is_restored_once_that_is_confirmed(root, shop):
    groups.amend(shop, owner="dba", actor=PERSON)
    where = link("restore", shop.pk, 1) + "?seen=2"
    asked = root.get(where).content.decode()
    assert "What would change" in asked
    shop.refresh_from_db()
    assert shop.version == 2
    assert root.post(where).status_code == 302
    shop.refresh_from_db()
    assert (shop.version, shop.owner) == (3, "ops")
    assert "protection.group.restored" in recorded()


def test_a_version_is_not_restored_over_a_change_that_nobody_saw(root, shop):
    groups.amend(shop, owner="dba", actor=PERSON)
    where = link("restore", shop.pk, 1) + "?seen=2"
    groups.amend(shop, owner="late", actor=PERSON)
    assert "was changed meanwhile" in root.post(where).content.decode()
    shop.refresh_from_db()
    assert shop.owner == "late"
    assert root.get(link("restore", shop.pk, 9)).status_code == 404


def test_a_version_that_would_share_servers_is_restored_only_by_choice(root, server, shop):
    alone = SourceServerFactory.create(account=server.account, tags={"Alone": "yes"})
    groups.amend(shop, tags=alone.tags, actor=PERSON)
    ProtectionGroupFactory.create(account=server.account, name="web", tags={"Tier": "web"})
    where = link("restore", shop.pk, 1) + "?seen=2"
    assert "is in web" in root.get(where).content.decode()
    assert "more than one group" in root.post(where).content.decode()
    shop.refresh_from_db()
    assert shop.version == 2
    allowing = where + "&allow=1"
    assert "Restore and share these servers" in root.get(allowing).content.decode()
    root.post(allowing)
    shop.refresh_from_db()
    assert (shop.tags, shop.allows_overlap) == ({"App": "shop"}, True)


def test_what_holds_a_group_is_on_its_page_and_keeps_it_as_it_is(root, shop):
    with transaction.atomic():
        holds.hold(ProtectionGroup.objects.all(), holder_id=uuid.uuid4(), holder="drill of Shop")
    assert "drill of Shop" in root.get(link("change", shop.pk)).content.decode()
    answer = root.post(link("edit", shop.pk), edited(shop, owner="new")).content.decode()
    assert "needed as it is, by: drill of Shop" in answer
    root.post(link("delete", shop.pk), {"typed": shop.name})
    shop.refresh_from_db()
    assert (shop.version, shop.owner) == (1, "ops")
