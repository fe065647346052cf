import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from audit.models import AuditRecord
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
    assert not AuditRecord.objects.exists()


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
    assert not AuditRecord.objects.exists()


@pytest.mark.parametrize("name", ["add", "edit", "password"])
def test_no_permission_but_superuser_changes_people(person, browser, name):
    nina = UserFactory.create(username="nina2")
    grant(person, "auth.view_user", "auth.add_user", "auth.change_user", "auth.delete_user")
    ids = [] if name == "add" else [nina.pk]
    answer = browser.post(link(name, *ids), fields(is_superuser="on", password="x", repeated="x"))
    assert answer.status_code == 403
    assert not User.objects.filter(is_superuser=True).exists()
    assert not AuditRecord.objects.exists()


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
