import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.urls import reverse

from audit.models import AuditRecord
from tests.admin.conftest import recorded
from tests.factories.users import UserFactory, grant


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:auth_user_{name}", args=ids)


def fields(**more: object) -> dict[str, object]:
    return {
        "username": "nina",
        "email": "nina@example.com",
        "is_active": "on",
        "is_staff": "on",
    } | more


def test_a_person_is_added_with_roles_and_cannot_log_in_before_a_password_is_set(root):
    role = Group.objects.create(name="Operators")
    root.post(link("add"), fields(groups=[role.pk]))
    nina = User.objects.get(username="nina")
    assert (nina.has_usable_password(), list(nina.groups.all())) == (False, [role])
    made = AuditRecord.objects.get(event="auth.person.added")
    assert made.facts["roles"] == ["Operators"]


def test_a_name_that_is_taken_is_refused(root):
    UserFactory.create(username="nina")
    answer = root.post(link("add"), fields())
    assert "There is a person of this name already." in answer.content.decode()
    assert recorded() == []


def test_a_password_is_set_and_never_recorded(root):
    nina = UserFactory.create(username="nina")
    password = "a longer phrase, 4 words"
    root.post(link("password", nina.pk), {"password": password, "repeated": password})
    nina.refresh_from_db()
    assert nina.check_password(password)
    made = AuditRecord.objects.get(event="auth.person.password_set")
    assert password not in str(made.facts)


@pytest.mark.parametrize(
    ("password", "repeated", "said"),
    [
        ("12345678", "12345678", "too common"),
        ("a longer phrase, 4 words", "another", "The two are not the same."),
        ("", "", "This field is required."),
    ],
)
def test_a_bad_password_is_refused(root, password, repeated, said):
    nina = UserFactory.create(username="nina")
    answer = root.post(link("password", nina.pk), {"password": password, "repeated": repeated})
    assert said in answer.content.decode()
    assert recorded() == []


@pytest.fixture
def manager(person, browser):
    """The browser of somebody with the role that manages people, who is no superuser."""
    call_command("sync_roles")
    person.groups.add(Group.objects.get(name="DRSOrchestrationAdmin"))
    return browser


@pytest.mark.parametrize("name", ["edit", "password"])
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, 302),
        ({"role": "DRSOperator"}, 302),
        ({"role": "DRSAuditor"}, 403),
        ({"superuser": True}, 403),
        ({"permission": "auth.delete_user"}, 403),
    ],
)
def test_only_people_who_may_do_no_more_are_managed(manager, name, more, status):
    nina = UserFactory.create(username="nina", is_superuser=more.get("superuser", False))
    if "role" in more:
        nina.groups.add(Group.objects.get(name=more["role"]))
    if "permission" in more:
        grant(nina, more["permission"])
    phrase = "a longer phrase, 4 words"
    said = {"first_name": "Changed", "password": phrase, "repeated": phrase}
    assert manager.post(link(name, nina.pk), said).status_code == status
    nina.refresh_from_db()
    done = nina.first_name == "Changed" or nina.check_password(phrase)
    assert done == (status == 302)


def test_permission_to_change_people_alone_takes_over_nobody(person, browser):
    grant(person, "auth.view_user", "auth.change_user")
    nina = UserFactory.create(username="nina")
    phrase = "a longer phrase, 4 words"
    answer = browser.post(link("password", nina.pk), {"password": phrase, "repeated": phrase})
    assert answer.status_code == 403
    nina.refresh_from_db()
    assert not nina.check_password(phrase)


def test_a_manager_makes_no_superuser_and_gives_no_role_beyond_their_own(manager):
    auditor = Group.objects.get(name="DRSAuditor")
    operator = Group.objects.get(name="DRSOperator")
    manager.post(link("add"), fields(groups=[operator.pk], is_superuser="on"))
    nina = User.objects.get(username="nina")
    assert (nina.is_superuser, list(nina.groups.all())) == (False, [operator])
    refused = manager.post(link("add"), fields(username="otto", groups=[auditor.pk]))
    assert "is not one of the available choices" in refused.content.decode()
    assert not User.objects.filter(username="otto").exists()


@pytest.mark.parametrize("lookup", ["password__startswith", "groups__permissions", "password"])
def test_the_list_of_people_cannot_be_asked_for_passwords(root, lookup):
    assert root.get(link("changelist"), {lookup: "md5"}).status_code == 400


def test_nobody_locks_themselves_out(root, superuser):
    answer = root.post(link("edit", superuser.pk), {"is_active": "on", "is_staff": "on"})
    assert "You cannot take your own access away." in answer.content.decode()
    superuser.refresh_from_db()
    assert superuser.is_superuser


def test_people_are_made_inactive_and_never_deleted(root):
    nina = UserFactory.create(username="nina")
    root.post(link("edit", nina.pk), {"first_name": "Nina"})
    nina.refresh_from_db()
    assert (nina.is_active, nina.first_name, nina.username) == (False, "Nina", "nina")
    assert root.post(link("delete", nina.pk), {"typed": "nina"}).status_code == 403
    assert User.objects.filter(username="nina").exists()
