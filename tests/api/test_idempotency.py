import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from drportal.api import idempotency
from drportal.api.models import IdempotencyKey
from drportal.api.schedules import SCHEDULES
from drportal.api.tasks import purge_idempotency_keys
from protection.models import TargetAccount
from protection.services import accounts
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import SuperuserFactory, UserFactory, grant

ACCOUNTS = "/api/v1/accounts/targets"
BODY = {"account_id": "123456789012", "name": "new"}


def _key(key: str = "k") -> dict[str, Any]:
    return {"HTTP_IDEMPOTENCY_KEY": key}


@pytest.mark.django_db
def test_the_same_request_is_answered_alike_and_done_once(root):
    first = root.post(ACCOUNTS, BODY, **_key())
    again = root.post(ACCOUNTS, dict(reversed(BODY.items())), **_key())
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    for header in ("Location", "Content-Type"):
        assert first.headers[header] == again.headers[header]
    assert idempotency.REPLAYED not in first.headers
    assert again.headers[idempotency.REPLAYED] == "true"
    assert TargetAccount.objects.count() == 1


@pytest.mark.django_db
def test_a_refusal_of_the_request_is_kept_too(root):
    first = root.post(ACCOUNTS, {**BODY, "account_id": "12"}, **_key())
    again = root.post(ACCOUNTS, {**BODY, "account_id": "12"}, **_key())
    assert (first.status_code, first.json()) == (400, again.json())
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers[idempotency.REPLAYED] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", ACCOUNTS, {**BODY, "name": "other"}),
        ("post", f"{ACCOUNTS}?", {}),
        ("post", "/api/v1/sync-runs", BODY),
    ],
)
def test_a_key_belongs_to_one_request(root, method, path, body):
    root.post(ACCOUNTS, BODY, **_key())
    response = getattr(root, method)(path, body, **_key())
    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert TargetAccount.objects.get().name == "new"


@pytest.mark.django_db
def test_a_key_belongs_to_one_person(root, client_of):
    root.post(ACCOUNTS, BODY, **_key())
    other = client_of(SuperuserFactory.create())
    response = other.post(ACCOUNTS, {**BODY, "account_id": "210987654321"}, **_key())
    assert response.status_code == 201
    assert TargetAccount.objects.count() == 2


@pytest.mark.django_db
def test_what_a_bug_broke_off_is_not_kept(root, monkeypatch):
    def broken(**_: object) -> None:
        TargetAccountFactory.create()
        raise LookupError

    with monkeypatch.context() as patch:
        patch.setattr(accounts, "register", broken)
        assert root.post(ACCOUNTS, BODY, **_key()).status_code == 500
    assert not TargetAccount.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert root.post(ACCOUNTS, BODY, **_key()).status_code == 201


@pytest.mark.django_db
def test_a_refusal_for_want_of_permission_is_not_kept(client_of):
    person = UserFactory.create()
    client = client_of(person)
    assert client.post(ACCOUNTS, BODY, **_key()).status_code == 403
    grant(person, "protection.add_targetaccount")
    assert client.post(ACCOUNTS, BODY, **_key()).status_code == 201


@pytest.mark.django_db
def test_what_is_not_there_is_looked_for_again(root):
    account = TargetAccountFactory.build()
    path = f"{ACCOUNTS}/{account.pk}"
    assert root.delete(path, **_key()).status_code == 404
    account.save()
    assert root.delete(path, **_key()).status_code == 204
    again = root.delete(path, **_key())
    assert (again.status_code, again.content) == (204, b"")
    assert again.headers[idempotency.REPLAYED] == "true"


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", " ", "a b", "k" * 256, "schlüssel"])
def test_a_key_that_is_not_fit(root, key):
    response = root.post(ACCOUNTS, BODY, **_key(key))
    assert response.status_code == 400
    assert response.json()["errors"][0]["code"] == "invalid_idempotency_key"
    assert not TargetAccount.objects.exists()


@pytest.mark.django_db
def test_a_key_is_good_for_24_hours(root):
    root.post(ACCOUNTS, BODY, **_key())
    IdempotencyKey.objects.update(created_at=timezone.now() - idempotency.KEPT_FOR)
    response = root.post(ACCOUNTS, {**BODY, "account_id": "210987654321"}, **_key())
    assert response.status_code == 201
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db
def test_old_keys_are_forgotten(root):
    for number in range(3):
        root.post(ACCOUNTS, {**BODY, "account_id": f"{number:012}"}, **_key(f"k{number}"))
    old = IdempotencyKey.objects.filter(key__in=["k0", "k1"])
    old.update(created_at=timezone.now() - idempotency.KEPT_FOR - timedelta(seconds=1))
    purge_idempotency_keys()
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["k2"]
    assert [(s.task, s.every) for s in SCHEDULES] == [(purge_idempotency_keys.name, 86400)]


@pytest.mark.django_db
def test_no_secret_is_kept(root):
    root.post(ACCOUNTS, {**BODY, "external_id": "very-secret-id"}, **_key())
    assert "very-secret-id" not in str(IdempotencyKey.objects.values().get())


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_told_to_ask_again(client_of, monkeypatch):
    """The first is held in the middle of its work while the second comes."""
    person = SuperuserFactory.create()
    inside, go_on = threading.Event(), threading.Event()
    register = accounts.register

    def slow(**given: Any) -> TargetAccount:
        inside.set()
        assert go_on.wait(30)
        return register(**given)

    monkeypatch.setattr(accounts, "register", slow)
    answers: list[Any] = []

    def ask(client: APIClient) -> None:
        try:
            answers.append(client.post(ACCOUNTS, BODY, **_key()))
        finally:
            connection.close()

    first = threading.Thread(target=ask, args=(client_of(person),))
    first.start()
    assert inside.wait(30)
    second = client_of(person).post(ACCOUNTS, BODY, **_key())
    go_on.set()
    first.join(30)
    assert (second.status_code, second.json()["code"]) == (409, "idempotency_key_in_use")
    assert second.headers["Retry-After"] == "1"
    assert answers[0].status_code == 201
    third = client_of(person).post(ACCOUNTS, BODY, **_key())
    assert third.json() == answers[0].json()
    assert TargetAccount.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_has_an_effect(client_of, at_once):
    person = SuperuserFactory.create()
    clients = [client_of(person) for _ in range(8)]
    answers = at_once([lambda c=c: c.post(ACCOUNTS, BODY, **_key()) for c in clients])
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = [answer for answer in answers if answer.status_code == 201]
    fresh = [answer for answer in done if idempotency.REPLAYED not in answer.headers]
    assert len(fresh) == 1
    assert all(answer.json() == fresh[0].json() for answer in done)
    busy = {answer.json()["code"] for answer in answers if answer.status_code == 409}
    assert busy <= {"idempotency_key_in_use"}
    assert TargetAccount.objects.count() == 1
