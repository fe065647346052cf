"""The delivery log through the API."""

import pytest
from rest_framework.test import APIClient

from recovery.models import Delivery, Notice
from recovery.permissions import NoticePermission, PlanPermission
from tests.factories.admin import estate
from tests.factories.recovery import ExecutionFactory, plan_of
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db

LOG = "/api/v1/notifications/deliveries"


def client_of(*permissions, on=None) -> APIClient:
    client = APIClient()
    client.force_authenticate(grant(UserFactory.create(), *permissions, on=on))
    return client


def test_a_delivery_is_told_without_secrets():
    made = estate()
    found = client_of(NoticePermission.VIEW_DELIVERIES).get(LOG)
    [line] = found.json()["results"]
    assert line["id"] == str(made["recovery.delivery"].pk)
    assert (line["notice"], line["about"], line["state"]) == ("WAITING", "DRILL", "PENDING")
    assert line["execution_id"] == str(made["recovery.execution"].pk)
    assert line["to"] == "Room: Webhook, JSON at hooks.example.com [masked]"
    assert "never-shown" not in found.content.decode()


def test_whoever_may_edit_a_plan_sees_what_was_told_of_it_and_nothing_else():
    mine, other = estate(), estate()
    plan = mine["recovery.recoveryplan"]
    assert client_of(PlanPermission.VIEW, on=plan).get(LOG).json()["results"] == []
    editor = client_of(PlanPermission.CHANGE, on=plan)
    assert [line["id"] for line in editor.get(LOG).json()["results"]] == [
        str(mine["recovery.delivery"].pk)
    ]
    assert editor.get(f"{LOG}/{mine['recovery.delivery'].pk}").status_code == 200
    assert editor.get(f"{LOG}/{other['recovery.delivery'].pk}").status_code == 404
    assert APIClient().get(LOG).status_code in {401, 403}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=PENDING", 2),
        ("state=SENT", 0),
        ("medium=SERVICE", 2),
        ("medium=MAIL", 0),
        ("notice=WAITING", 2),
        ("notice=ENDED", 0),
        ("plan_id={plan}", 1),
        ("execution_id={execution}", 1),
    ],
)
def test_it_can_be_filtered(query, found):
    mine = estate()
    estate()
    asked = query.format(
        plan=mine["recovery.recoveryplan"].pk, execution=mine["recovery.execution"].pk
    )
    client = client_of(NoticePermission.VIEW_DELIVERIES)
    assert len(client.get(f"{LOG}?{asked}").json()["results"]) == found


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_changed_there(method):
    made = estate()["recovery.delivery"]
    client = client_of(NoticePermission.VIEW_DELIVERIES)
    for path in (LOG, f"{LOG}/{made.pk}"):
        assert getattr(client, method)(path, {}, format="json").status_code == 405
    assert Delivery.objects.count() == 1


def test_an_unknown_filter_is_refused():
    client = client_of(NoticePermission.VIEW_DELIVERIES)
    assert client.get(f"{LOG}?colour=red").status_code == 400


@pytest.mark.parametrize("key", [{}, {"HTTP_IDEMPOTENCY_KEY": "a-key-of-its-own"}], ids=["", "key"])
def test_a_start_that_is_refused_is_told_of_whatever_its_request_carries(root, key):
    plan = plan_of()
    ExecutionFactory.create(plan=plan)
    link = f"/api/v1/recovery-plans/{plan.pk}/execute"
    for _ in range(2):
        assert root.post(link, {"kind": "DRILL"}, **key).status_code == 409
    told = Notice.objects.get()
    assert (told.kind, told.about, told.plan) == ("REFUSED", "DRILL", plan)
    assert told.message.startswith("root asked for it. ")
