import pytest
from django.contrib.auth.models import Group
from django.urls import reverse

from audit.models import AuditRecord
from tests.admin.conftest import recorded
from tests.factories.recovery import plan_of
from tests.factories.users import UserFactory, grant


def link(plan) -> str:
    return reverse("admin:recovery_recoveryplan_share", args=[plan.pk])


def afresh(user):
    return type(user).objects.get(pk=user.pk)


@pytest.fixture
def plan(db):
    return plan_of(name="Payments")


@pytest.fixture
def friend(db):
    return UserFactory.create(username="friend", is_staff=True)


def test_whoever_may_share_hands_out_what_they_hold_and_no_more(person, browser, plan, friend):
    grant(
        person,
        "recovery.view_recoveryplan",
        "recovery.drill_recoveryplan",
        "recovery.share_recoveryplan",
        on=plan,
    )
    wanted = ["view_recoveryplan", "drill_recoveryplan", "delete_recoveryplan", "nonsense"]
    browser.post(link(plan), {"row": f"person-{friend.pk}", "permission": wanted})
    held = {
        name
        for name in ("view", "drill", "delete", "share")
        if afresh(friend).has_perm(f"recovery.{name}_recoveryplan", plan)
    }
    assert held == {"view", "drill"}
    made = AuditRecord.objects.get(event="recovery.plan.shared")
    assert made.facts["given"] == ["drill_recoveryplan", "view_recoveryplan"]


def test_nobody_hands_themselves_more(person, browser, plan):
    grant(person, "recovery.view_recoveryplan", "recovery.share_recoveryplan", on=plan)
    everything = ["view_recoveryplan", "share_recoveryplan", "recover_recoveryplan"]
    browser.post(link(plan), {"row": f"person-{person.pk}", "permission": everything})
    assert not afresh(person).has_perm("recovery.recover_recoveryplan", plan)
    assert not AuditRecord.objects.filter(event="recovery.plan.shared").exists()


def test_what_one_does_not_hold_one_does_not_take_away(person, browser, plan, friend):
    grant(person, "recovery.view_recoveryplan", "recovery.share_recoveryplan", on=plan)
    grant(friend, "recovery.view_recoveryplan", "recovery.recover_recoveryplan", on=plan)
    browser.post(link(plan), {"row": f"person-{friend.pk}"})
    left = afresh(friend)
    assert left.has_perm("recovery.recover_recoveryplan", plan)
    assert not left.has_perm("recovery.view_recoveryplan", plan)


@pytest.mark.parametrize("permission", ["change", "delete", "view"])
def test_nobody_shares_without_the_permission_to_share(person, browser, plan, friend, permission):
    grant(person, "recovery.view_recoveryplan", f"recovery.{permission}_recoveryplan")
    row = {"row": f"person-{friend.pk}", "permission": ["view_recoveryplan"]}
    assert browser.post(link(plan), row).status_code == 403
    assert not afresh(friend).has_perm("recovery.view_recoveryplan", plan)


def test_a_role_gets_permissions_on_one_object(root, plan, friend):
    role = Group.objects.create(name="Operators")
    friend.groups.add(role)
    root.post(link(plan), {"row": f"role-{role.pk}", "permission": ["view_recoveryplan"]})
    assert afresh(friend).has_perm("recovery.view_recoveryplan", plan)
    page = root.get(link(plan)).content.decode()
    assert "Save for Operators" in page
    assert "Save for friend" not in page


@pytest.mark.parametrize(
    "row", ["", "person-", "person-x", "person-999999", "other-1", "role-9999"]
)
def test_a_row_of_nobody_changes_nothing(root, plan, row):
    answer = root.post(link(plan), {"row": row, "permission": ["view_recoveryplan"]}, follow=True)
    assert "There is no such person or role." in answer.content.decode()
    assert recorded() == []
