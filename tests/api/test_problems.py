"""Whatever goes wrong under /api/ is said in one shape, and never in HTML."""

import json

import pytest
from rest_framework.test import APIClient

from drportal.api.problem import CONTENT_TYPE
from drportal.aws.errors import AwsError, Call, Failure
from protection.models import TargetAccount
from protection.services import accounts

pytestmark = pytest.mark.django_db
ACCOUNTS = "/api/v1/accounts/targets"


def assert_problem(response, status, code):
    assert response.status_code == status
    assert response.headers["Content-Type"] == CONTENT_TYPE
    said = json.loads(response.content)
    assert said["type"] == "about:blank"
    assert (said["status"], said["code"]) == (status, code)
    assert said["title"]
    assert said["detail"]
    assert said["correlation_id"] == response.headers["X-Correlation-Id"]
    return said


@pytest.mark.parametrize(
    "path",
    [
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/accounts/targets/",
        "/api/v1/accounts/targets/not-an-id",
        "/api/v1/accounts/targets/00000000-0000-0000-0000-000000000000",
        "/api/v2/accounts",
    ],
)
def test_what_is_not_there(root, path):
    assert_problem(root.get(path), 404, "not_found")


def test_what_is_not_there_is_not_there_for_a_write_without_a_token_either():
    browser = APIClient(enforce_csrf_checks=True)
    assert_problem(browser.post("/api/v1/nothing", {}), 404, "not_found")


def test_head_is_get_without_the_body(root):
    response = root.head(ACCOUNTS)
    assert (response.status_code, response.content) == (200, b"")


def test_a_method_that_a_path_does_not_have(root):
    response = root.delete(ACCOUNTS)
    assert_problem(response, 405, "method_not_allowed")
    assert "POST" in response.headers["Allow"]
    assert_problem(root.options(ACCOUNTS), 405, "method_not_allowed")


def test_a_form_that_the_portal_does_not_speak(root):
    assert_problem(root.get(ACCOUNTS, HTTP_ACCEPT="text/html"), 406, "not_acceptable")
    response = root.post(ACCOUNTS, "name=x", content_type="text/plain")
    assert_problem(response, 415, "unsupported_media_type")


def test_nobody(client):
    response = client.get(ACCOUNTS)
    assert_problem(response, 401, "not_authenticated")
    assert response.headers["WWW-Authenticate"] == 'Session realm="DR portal"'


def test_a_bug_says_nothing_of_the_inside(root, monkeypatch):
    def broken(**_: object) -> None:
        raise LookupError("hunter2 in the cellar")

    monkeypatch.setattr(accounts, "register", broken)
    response = root.post(ACCOUNTS, {"account_id": "123456789012", "name": "new"})
    said = assert_problem(response, 500, "internal")
    assert "hunter2" not in json.dumps(said)


def test_a_host_that_is_not_ours(client):
    response = client.get(ACCOUNTS, HTTP_HOST="elsewhere.example.com")
    assert_problem(response, 400, "bad_request")


def test_pages_keep_their_own_errors(client):
    assert client.get("/nothing").headers["Content-Type"].startswith("text/html")


def test_aws_that_is_busy_is_unavailable_and_says_until_when(root, monkeypatch):
    def busy(**_: object) -> None:
        call = Call("DescribeSourceServers", "123456789012", "us-east-1")
        raise AwsError(Failure.THROTTLED, "slow down", call=call, retry_after=2.5)

    monkeypatch.setattr(accounts, "register", busy)
    response = root.post(ACCOUNTS, {"account_id": "123456789012", "name": "new"})
    assert_problem(response, 503, "aws.failed")
    assert response.headers["Retry-After"] == "3"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b'{"name": 1} x',
        b'{"name": "a", "name": "b"}',
        b'{"waves": [{"name": "a", "name": "b"}]}',
        b'{"name": NaN}',
        b'{"name": -Infinity}',
        b'{"name": 1e999}',
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b'{"name": "a\\u0000b"}',
        b'{"a\\u0000b": "name"}',
        b"[" * 100_000,
        b'{"name": ' + b"9" * 5000 + b"}",
    ],
    ids=range(14),
)
def test_a_body_that_is_not_json(root, world, body):
    with world.unchanged():
        response = root.generic("POST", ACCOUNTS, body, content_type="application/json")
        if body:
            assert_problem(response, 400, "malformed_json")
        else:
            assert_problem(response, 400, "invalid")


def test_a_body_of_2_mb(root, world):
    body = json.dumps({"account_id": "123456789012", "name": "x" * 2_000_000})
    with world.unchanged():
        response = root.generic("POST", ACCOUNTS, body, content_type="application/json")
        assert_problem(response, 413, "body_too_large")


def test_a_large_body_that_claims_to_be_small_is_refused_too(rf, root, world):
    # A server hands on what came in; the header is only a claim.
    body = json.dumps({"account_id": "123456789012", "name": "x" * 2_000_000})
    with world.unchanged():
        response = root.generic(
            "POST", ACCOUNTS, body, content_type="application/json", CONTENT_LENGTH="100"
        )
        assert response.status_code in {400, 413}


def test_a_body_of_unsaid_length(root, world):
    with world.unchanged():
        response = root.generic(
            "POST", ACCOUNTS, b"{}", "application/json", HTTP_TRANSFER_ENCODING="chunked"
        )
        assert_problem(response, 411, "length_required")


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true"])
def test_a_body_that_is_no_object(root, world, body):
    with world.unchanged():
        response = root.generic("POST", ACCOUNTS, body, content_type="application/json")
        assert_problem(response, 400, "invalid")


def test_each_wrong_field_is_named(root):
    response = root.post(ACCOUNTS, {"account_id": 123456789012, "is_hub": "yes", "colour": 1})
    said = assert_problem(response, 400, "invalid")
    assert {(error["field"], error["code"]) for error in said["errors"]} == {
        ("account_id", "invalid"),
        ("is_hub", "invalid"),
        ("colour", "unknown_field"),
        ("name", "required"),
    }
    assert not TargetAccount.objects.exists()


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        ("accounts/targets?colour=red", "colour", "unknown_parameter"),
        ("accounts/targets?active=true&active=false", "active", "repeated_parameter"),
        ("accounts/targets?page_size=0", "page_size", "invalid"),
        ("accounts/targets?page_size=201", "page_size", "invalid"),
        ("accounts/targets?page_size=-1", "page_size", "invalid"),
        ("accounts/targets?page_size=ten", "page_size", "invalid"),
        ("accounts/targets?cursor=abc", "cursor", "invalid_cursor"),
        ("accounts/targets?cursor=", "cursor", "invalid_cursor"),
        ("accounts/targets?account_id=%00", "account_id", "invalid"),
        ("servers?tag=novalue", "tag", "invalid"),
        ("servers?account=me", "account", "invalid"),
        ("executions?state=DONE", "state", "invalid_choice"),
        ("executions?created_after=yesterday", "created_after", "invalid"),
        ("whoami?verbose=1", "verbose", "unknown_parameter"),
    ],
)
def test_parameters_that_are_not_taken(root, path, field, code):
    said = assert_problem(root.get(f"/api/v1/{path}"), 400, "invalid")
    assert [(error["field"], error["code"]) for error in said["errors"]] == [(field, code)]


def test_a_correlation_id_of_the_caller_comes_back(root):
    response = root.get("/api/v1/nothing", HTTP_X_CORRELATION_ID="call-1234567")
    assert json.loads(response.content)["correlation_id"] == "call-1234567"


def test_the_document_of_the_api_is_for_those_who_are_signed_in(root):
    assert APIClient().get("/api/v1/openapi").status_code == 401
    assert b"openapi: 3" in root.get("/api/v1/openapi").content
