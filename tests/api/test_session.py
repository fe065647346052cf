from http import HTTPStatus

import pytest
from django.contrib.auth.models import Group
from redis.exceptions import ConnectionError as RedisConnectionError
from rest_framework.test import APIClient

from audit.models import AuditRecord, Outcome
from drportal.api import throttling
from protection.models import TargetAccount
from tests.factories.users import PASSWORD, SuperuserFactory, UserFactory, grant

pytestmark = pytest.mark.django_db
SESSION = "/api/v1/session"
ACCOUNT = {"account_id": "123456789012", "name": "new"}


@pytest.fixture
def browser() -> APIClient:
    """A client that is held to CSRF tokens, as a browser or curl with a cookie is."""
    return APIClient(enforce_csrf_checks=True)


def test_logging_in_gives_a_cookie_and_a_token_for_writes(browser):
    SuperuserFactory.create(username="ada")
    said = browser.post(SESSION, {"username": "ada", "password": PASSWORD})
    assert said.status_code == HTTPStatus.OK
    assert said.json()["username"] == "ada"
    assert said.cookies["sessionid"]["httponly"]
    token = said.json()["csrf_token"]
    made = browser.post("/api/v1/accounts/targets", ACCOUNT, HTTP_X_CSRFTOKEN=token)
    assert made.status_code == HTTPStatus.CREATED
    assert AuditRecord.objects.filter(event="portal.session.opened", actor_name="ada").count() == 1


@pytest.mark.parametrize("token", [None, "x" * 64])
def test_a_write_without_the_token_is_refused(browser, token):
    SuperuserFactory.create(username="ada")
    browser.post(SESSION, {"username": "ada", "password": PASSWORD})
    headers = {"HTTP_X_CSRFTOKEN": token} if token else {}
    response = browser.post("/api/v1/accounts/targets", ACCOUNT, **headers)
    assert (response.status_code, response.json()["code"]) == (403, "csrf_failed")
    assert not TargetAccount.objects.exists()


@pytest.mark.parametrize(
    ("username", "password", "active"),
    [("ada", "wrong", True), ("nobody", PASSWORD, True), ("ada", PASSWORD, False)],
)
def test_wrong_credentials_look_all_the_same(browser, username, password, active):
    UserFactory.create(username="ada", is_active=active)
    response = browser.post(SESSION, {"username": username, "password": password})
    assert response.status_code == HTTPStatus.UNAUTHORIZED
    assert response.json()["code"] == "credentials_refused"
    assert "sessionid" not in response.cookies
    refused = AuditRecord.objects.get(outcome=Outcome.REFUSED)
    assert (refused.event, refused.user_id) == ("api.session.create", None)
    assert password not in str(refused.facts)


@pytest.mark.parametrize(
    "body", [{}, {"username": "ada"}, {"username": 1, "password": "x"}, {"user": "ada"}, []]
)
def test_a_log_in_that_makes_no_sense_is_invalid(browser, body):
    response = browser.post(SESSION, body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_tries_of_one_name_are_limited(browser):
    UserFactory.create(username="ada")
    tries = [
        browser.post(SESSION, {"username": "ada", "password": "wrong"}).status_code
        for _ in range(throttling.TRIES_OF_A_NAME)
    ]
    assert set(tries) == {HTTPStatus.UNAUTHORIZED}
    response = browser.post(SESSION, {"username": "ADA", "password": PASSWORD})
    assert (response.status_code, response.json()["code"]) == (429, "throttled")
    assert int(response.headers["Retry-After"]) == throttling.PERIOD
    other = browser.post(SESSION, {"username": "eve", "password": "wrong"})
    assert other.status_code == HTTPStatus.UNAUTHORIZED


def test_tries_of_one_address_are_limited(browser, monkeypatch):
    monkeypatch.setattr(throttling, "TRIES_OF_AN_ADDRESS", 2)
    for name in ("a", "b"):
        assert browser.post(SESSION, {"username": name, "password": "x"}).status_code == 401
    assert browser.post(SESSION, {"username": "c", "password": "x"}).status_code == 429


def test_without_the_count_of_tries_nobody_logs_in(browser, monkeypatch):
    def away(*_: object) -> int:
        raise RedisConnectionError

    monkeypatch.setattr(throttling, "_counted", away)
    SuperuserFactory.create(username="ada")
    response = browser.post(SESSION, {"username": "ada", "password": PASSWORD})
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "Retry-After" in response.headers
    assert "sessionid" not in response.cookies


def test_logging_out_ends_the_session(root):
    assert root.delete(SESSION).status_code == HTTPStatus.NO_CONTENT
    assert root.get("/api/v1/whoami").status_code == HTTPStatus.UNAUTHORIZED
    assert AuditRecord.objects.filter(event="portal.session.closed", actor_name="root").exists()


def test_whoami_says_what_one_may_do_to_everything(client_of):
    person = UserFactory.create(username="ada", first_name="Ada", last_name="L")
    person.groups.add(Group.objects.create(name="Planner"))
    person = grant(person, "recovery.view_recoveryplan")
    said = client_of(person).get("/api/v1/whoami").json()
    assert said == {
        "id": person.pk,
        "username": "ada",
        "full_name": "Ada L",
        "superuser": False,
        "roles": ["Planner"],
        "permissions": ["recovery.view_recoveryplan"],
    }


def test_an_idempotency_key_does_not_keep_a_session(browser):
    SuperuserFactory.create(username="ada")
    body = {"username": "ada", "password": PASSWORD}
    first = browser.post(SESSION, body, HTTP_IDEMPOTENCY_KEY="k")
    second = browser.post(SESSION, body, HTTP_IDEMPOTENCY_KEY="k")
    assert first.status_code == second.status_code == HTTPStatus.OK
    assert first.json()["csrf_token"] != second.json()["csrf_token"]
