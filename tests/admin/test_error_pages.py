"""What somebody sees who goes astray, or whom the portal fails."""

import pytest
from django.test import RequestFactory
from django.urls import reverse

from drportal.api.problem import server_error
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def anybody(client):
    client.force_login(UserFactory.create(is_staff=True))
    return client


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        ("admin:audit_auditrecord_changelist", 403, "You may not see or do this"),
        ("nowhere", 404, "There is nothing here, or nothing that you may see"),
    ],
)
def test_a_page_that_one_may_not_see_leads_back(anybody, address, status, says):
    answer = anybody.get(reverse(address) if ":" in address else f"/admin/{address}/")
    text = answer.content.decode()
    assert answer.status_code == status
    assert says in text
    assert f'href="{reverse("admin:index")}"' in text


def test_a_page_that_failed_says_that_executions_go_on():
    answer = server_error(RequestFactory().get("/admin/"))
    assert answer.status_code == 500
    assert "executions go on" in answer.content.decode()
