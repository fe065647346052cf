"""Every request over the API leaves a record of what was read, done or refused."""

import pytest
from rest_framework.test import APIClient

from audit.models import AuditRecord, Outcome
from recovery.models import Execution
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db
ACCOUNTS = "/api/v1/accounts/targets"


def test_a_read_is_recorded_once_with_what_was_asked(root):
    root.get(f"{ACCOUNTS}?active=true&page_size=5")
    record = AuditRecord.objects.get()
    assert (record.event, record.outcome) == ("api.read", Outcome.SUCCEEDED)
    assert (record.actor_name, record.door) == ("root", "API")
    assert record.facts == {
        "operation": "account.list",
        "path": ACCOUNTS,
        "parameters": {"active": ["true"], "page_size": ["5"]},
        "status": 200,
    }


def test_a_read_of_one_object_names_it(root):
    account = TargetAccountFactory.create()
    root.get(f"{ACCOUNTS}/{account.pk}")
    record = AuditRecord.objects.get()
    assert record.subject_id == str(account.pk)
    assert record.facts["operation"] == "account.retrieve"


def test_a_change_is_recorded_by_its_service_alone(root, plan):
    root.post("/api/v1/executions", {"plan_id": str(plan.pk), "kind": "DRILL"})
    record = AuditRecord.objects.get()
    assert record.event == "recovery.execution.started"
    assert record.subject_id == str(Execution.objects.get().pk)
    assert record.correlation_id


def test_a_change_that_is_not_done_again_is_recorded_as_that(root):
    body = {"account_id": "123456789012", "name": "new"}
    for _ in range(2):
        root.post(ACCOUNTS, body, HTTP_IDEMPOTENCY_KEY="k")
    events = list(AuditRecord.objects.order_by("id").values_list("event", flat=True))
    assert events == ["protection.account.registered", "api.replayed"]


@pytest.mark.parametrize(
    ("path", "kind", "body", "code"),
    [
        ("executions", "execution", {"kind": "DRILL"}, "invalid"),
        (
            "executions",
            "execution",
            {"kind": "RECOVERY", "plan": True},
            "recovery.confirmation_needed",
        ),
        ("accounts/targets", "account", {"account_id": "1", "name": "x"}, "invalid"),
    ],
)
def test_a_refused_change_is_recorded_with_its_code(root, plan, path, kind, body, code):
    if body.pop("plan", False):
        body = {**body, "plan_id": str(plan.pk)}
    root.post(f"/api/v1/{path}", body)
    record = AuditRecord.objects.get()
    assert record.outcome == Outcome.REFUSED
    assert record.event == f"api.{kind}.create"
    assert record.facts["code"] == code
    assert f"POST /api/v1/{path}" in record.facts["detail"]


def test_who_is_turned_away_is_recorded(client_of):
    account = TargetAccountFactory.create()
    path = f"{ACCOUNTS}/{account.pk}"
    seeing = grant(UserFactory.create(), "protection.view_targetaccount", on=account)
    client_of(UserFactory.create()).get(path)
    client_of(seeing).delete(path)
    APIClient().get(path)
    refused = AuditRecord.objects.filter(outcome=Outcome.REFUSED).order_by("id")
    assert [(record.event, record.facts["code"]) for record in refused] == [
        ("api.account.retrieve", "not_found"),
        ("api.account.destroy", "forbidden"),
        ("api.account.retrieve", "not_authenticated"),
    ]
    assert [record.user_id is None for record in refused] == [False, False, True]
    assert refused[1].subject_id == str(account.pk)


def test_without_a_record_there_is_no_answer(root, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("audit.api.views.record_read", broken)
    account = TargetAccountFactory.create(name="very visible")
    response = root.get(f"{ACCOUNTS}/{account.pk}")
    assert response.status_code == 500
    assert b"very visible" not in response.content


def test_a_preview_is_a_read(root):
    account = TargetAccountFactory.create()
    body = {"account": str(account.pk), "region": "us-east-1", "tags": {"a": "b"}}
    response = root.post("/api/v1/protection-groups/preview", body)
    assert response.status_code == 200
    assert AuditRecord.objects.get().event == "api.read"
