import pytest
from django.urls import reverse

from audit.models import AuditRecord
from protection.models import TargetAccount
from tests.admin.conftest import recorded
from tests.factories.protection import ProtectionGroupFactory, TargetAccountFactory
from tests.factories.users import grant

NEW = {
    "account_id": "123456789012",
    "name": "Payments",
    "role_arn": "",
    "external_id": "a-secret-nobody-else-knows",
}


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:protection_targetaccount_{name}", args=ids)


def test_an_account_is_registered_through_the_service(root):
    answer = root.post(link("add"), NEW)
    account = TargetAccount.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, link("change", account.pk))
    assert (account.external_id, account.is_hub) == (NEW["external_id"], False)
    made = AuditRecord.objects.get(event="protection.account.registered")
    assert (made.actor_name, made.door) == ("root", "ADMIN")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"account_id": "12"}, "An account id has 12 digits."),
        ({"role_arn": "arn:aws:iam::999999999999:role/x"}, "The role is in another account."),
        ({"external_id": "{}"}, "STS does not take such an external id."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_what_the_service_refuses_is_said_and_nothing_is_written(root, wrong, said):
    answer = root.post(link("add"), NEW | wrong)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert (TargetAccount.objects.count(), recorded()) == (0, [])


@pytest.mark.parametrize(
    "lookup",
    [
        "external_id__startswith",
        "external_id",
        "active__external_id",
        "name__startswith",
        "servers__account__external_id__startswith",
    ],
)
def test_a_list_cannot_be_asked_for_what_it_does_not_show(root, lookup):
    TargetAccountFactory.create(external_id="a-secret")
    assert root.get(link("changelist"), {lookup: "a"}).status_code == 400


def test_a_list_is_asked_by_its_filters(root):
    TargetAccountFactory.create(name="Watched")
    TargetAccountFactory.create(name="Left alone", active=False)
    shown = root.get(link("changelist"), {"active__exact": "1"}).content.decode()
    assert "Watched" in shown
    assert "Left alone" not in shown


def test_the_hub_gets_no_external_id(root):
    root.post(link("add"), NEW | {"is_hub": "on"})
    assert TargetAccount.objects.get().external_id == ""


def test_the_external_id_is_never_shown_again(root):
    root.post(link("add"), NEW)
    account = TargetAccount.objects.get()
    for name in ("change", "edit", "history", "delete", "share"):
        assert NEW["external_id"] not in root.get(link(name, account.pk)).content.decode(), name
    assert NEW["external_id"] not in root.get(link("changelist")).content.decode()


def test_an_empty_external_id_keeps_the_present_one(root):
    account = TargetAccountFactory.create(external_id="the-present-one")
    edit = {"name": "New name", "role_arn": account.role_arn, "external_id": "", "active": "on"}
    root.post(link("edit", account.pk), edit)
    account.refresh_from_db()
    assert (account.name, account.external_id) == ("New name", "the-present-one")


def test_an_account_is_deleted_once_its_name_is_typed(root):
    account = TargetAccountFactory.create(name="Old")
    root.post(link("delete", account.pk), {"typed": "Olt"})
    assert TargetAccount.objects.count() == 1
    root.post(link("delete", account.pk), {"typed": "Old"})
    assert TargetAccount.objects.count() == 0
    assert AuditRecord.objects.filter(event="protection.account.deleted").exists()


def test_an_account_that_is_needed_stays(root):
    account = TargetAccountFactory.create(name="Needed")
    ProtectionGroupFactory.create(account=account, name="the group")
    answer = root.post(link("delete", account.pk), {"typed": "Needed"})
    assert "cannot be deleted" in answer.content.decode()
    assert TargetAccount.objects.count() == 1


def test_ticked_accounts_are_stopped_through_the_service(root):
    accounts = TargetAccountFactory.create_batch(2)
    ticked = {"action": "stop_watching", "_selected_action": [a.pk for a in accounts]}
    answer = root.post(link("changelist"), ticked, follow=True)
    assert "Accounts no longer watched: 2." in answer.content.decode()
    assert not TargetAccount.objects.filter(active=True).exists()
    assert AuditRecord.objects.filter(event="protection.account.edited").count() == 2


def test_an_action_asks_the_permission_of_each_ticked_object(person, browser):
    mine, seen = TargetAccountFactory.create_batch(2)
    hidden = TargetAccountFactory.create()
    grant(person, "protection.view_targetaccount", "protection.change_targetaccount", on=mine)
    grant(person, "protection.view_targetaccount", on=seen)
    ticked = {"action": "stop_watching", "_selected_action": [mine.pk, seen.pk, hidden.pk]}
    answer = browser.post(link("changelist"), ticked, follow=True).content.decode()
    assert "Accounts no longer watched: 1." in answer
    assert "you may not do this" in answer
    assert set(TargetAccount.objects.filter(active=True)) == {seen, hidden}


def test_somebody_who_may_only_see_is_offered_no_action(person, browser):
    account = TargetAccountFactory.create()
    grant(person, "protection.view_targetaccount", on=account)
    ticked = {"action": "stop_watching", "_selected_action": [account.pk]}
    browser.post(link("changelist"), ticked)
    account.refresh_from_db()
    assert account.active
