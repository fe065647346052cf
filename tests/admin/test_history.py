"""The history of an object is what the audit record says of it."""

import pytest
from django.urls import reverse

from audit.models import AuditRecord
from protection.models import ProtectionGroup
from tests.factories.protection import SourceServerFactory
from tests.factories.recovery import ExecutionFactory
from tests.factories.users import grant


@pytest.fixture
def group(root):
    server = SourceServerFactory.create()
    root.post(
        reverse("admin:protection_protectiongroup_add"),
        {
            "name": "web",
            "account": str(server.account_id),
            "region": server.region,
            "selection": "SERVERS",
            "servers": [str(server.pk)],
        },
    )
    return ProtectionGroup.objects.get()


def link(group) -> str:
    return reverse("admin:protection_protectiongroup_history", args=[group.pk])


def test_it_says_who_did_what(root, group):
    page = root.get(link(group)).content.decode()
    assert "protection.group.created" in page
    assert "root" in page


def test_refusals_are_there_too_with_the_reason(root, group, person, browser):
    grant(person, "protection.view_protectiongroup", on=group)
    delete = reverse("admin:protection_protectiongroup_delete", args=[group.pk])
    assert browser.post(delete, {"typed": "web"}).status_code == 403
    wrong = {"version": group.version, "selection": "SERVERS", "servers": []}
    edit = reverse("admin:protection_protectiongroup_edit", args=[group.pk])
    root.post(edit, wrong | {"name": "web"})
    page = root.get(link(group)).content.decode()
    assert "admin.protection_protectiongroup_edit" in page
    assert "Choose servers either by tags or one by one" in page


def test_each_page_that_is_read_is_recorded_once(root, group):
    before = AuditRecord.objects.count()
    root.get(reverse("admin:protection_protectiongroup_change", args=[group.pk]))
    root.get(reverse("admin:protection_protectiongroup_changelist"), {"q": "web"})
    page, listed = AuditRecord.objects.order_by("id")[before:]
    assert (page.event, page.subject_id, page.door) == ("admin.read", str(group.pk), "ADMIN")
    assert listed.facts["page"] == "protection_protectiongroup_changelist"
    assert listed.facts["parameters"] == {"q": ["web"]}


def test_what_the_browser_fetches_by_itself_is_not_read_each_time(root):
    execution = ExecutionFactory.create()
    root.get(reverse("admin:recovery_execution_live", args=[execution.pk]))
    assert not AuditRecord.objects.exists()
    root.get(reverse("admin:recovery_execution_change", args=[execution.pk]))
    assert AuditRecord.objects.get().subject_id == str(execution.pk)


def test_who_only_looked_is_not_in_the_history(root, group):
    root.get(link(group))
    assert "admin.read" not in root.get(link(group)).content.decode()
