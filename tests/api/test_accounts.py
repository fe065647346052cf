from datetime import UTC, datetime

import pytest

from protection.choices import RegionStatus
from protection.models import AccountRegion, TargetAccount
from tests.factories.protection import ProtectionGroupFactory, TargetAccountFactory

ACCOUNTS = "/api/v1/accounts/targets"
NEW = {"account_id": "123456789012", "name": " Payroll "}
pytestmark = pytest.mark.django_db


def test_registering_an_account(root):
    response = root.post(ACCOUNTS, NEW)
    assert response.status_code == 201
    said = response.json()
    account = TargetAccount.objects.get()
    assert response.headers["Location"].endswith(f"{ACCOUNTS}/{account.pk}")
    assert said["id"] == str(account.pk)
    assert (said["account_id"], said["name"], said["is_hub"]) == ("123456789012", "Payroll", False)
    assert said["role_arn"] == "arn:aws:iam::123456789012:role/DRSOrchestrationRole"
    assert said["has_external_id"] is True
    assert root.get(response.headers["Location"]).json() == said


def test_registering_the_hub(root, world):
    assert root.post(ACCOUNTS, {**NEW, "is_hub": True}).json()["role_arn"] == ""
    with world.unchanged():
        response = root.post(ACCOUNTS, {**NEW, "account_id": "210987654321", "is_hub": True})
    assert (response.status_code, response.json()["code"]) == (
        409,
        "protection.hub_already_registered",
    )


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"account_id": "12345"}, "account_id", "INVALID_FORMAT"),
        ({"account_id": "12345678901x"}, "account_id", "INVALID_FORMAT"),
        ({"account_id": "١٢٣٤٥٦٧٨٩٠١٢"}, "account_id", "INVALID_FORMAT"),
        ({"account_id": "1234567890123"}, "account_id", "max_length"),
        ({"account_id": 123456789012}, "account_id", "invalid"),
        ({"name": "  "}, "name", "blank"),
        ({"name": "x" * 65}, "name", "max_length"),
        ({"name": None}, "name", "null"),
        ({"role_arn": "DRSOrchestrationRole"}, "role_arn", "INVALID_ROLE_ARN"),
        ({"role_arn": "arn:aws:iam::210987654321:role/R"}, "role_arn", "INVALID_ROLE_ARN"),
        ({"role_arn": "arn:aws:iam::123456789012:user/R"}, "role_arn", "INVALID_ROLE_ARN"),
        ({"is_hub": True, "external_id": "abc"}, "role_arn", "SAME_ACCOUNT_NO_ROLE_NEEDED"),
        ({"external_id": "a b"}, "external_id", "INVALID_FORMAT"),
        ({"is_hub": 1}, "is_hub", "invalid"),
        ({"region": "us-east-1"}, "region", "unknown_field"),
    ],
)
def test_an_account_that_cannot_be(root, world, change, field, code):
    with world.unchanged():
        response = root.post(ACCOUNTS, {**NEW, **change})
    assert (response.status_code, response.json()["code"]) == (400, "invalid")
    assert [(error["field"], error["code"]) for error in response.json()["errors"]] == [
        (field, code)
    ]
    known = code if code.isupper() else "VALIDATION_FAILED"
    assert response.json()["error"] == known


def test_what_must_be_said_of_an_account(root, world):
    with world.unchanged():
        said = root.post(ACCOUNTS, {}).json()
    assert (said["code"], said["error"]) == ("invalid", "MISSING_FIELD")
    assert {error["field"] for error in said["errors"]} == {"account_id", "name"}


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-eusc", "aws-cn"])
def test_a_role_of_any_partition(root, partition):
    arn = f"arn:{partition}:iam::123456789012:role/dr/Portal"
    assert root.post(ACCOUNTS, {**NEW, "role_arn": arn}).json()["role_arn"] == arn


def test_a_role_stays_as_it_is_unless_it_is_changed(root, world):
    """D42: an edit does not put the default role in the place of one's own."""
    arn = "arn:aws:iam::123456789012:role/dr/Portal"
    path = f"{ACCOUNTS}/{root.post(ACCOUNTS, {**NEW, 'role_arn': arn}).json()['id']}"
    assert root.patch(path, {"name": "renamed"}).json()["role_arn"] == arn
    with world.unchanged():
        said = root.patch(path, {"role_arn": ""}).json()
    assert (said["error"], said["errors"][0]["code"]) == ("INVALID_ROLE_ARN", "INVALID_ROLE_ARN")


def test_only_a_validation_says_when_an_account_was_validated(root):
    """D44: neither registering nor editing does, and the time is one that anybody can read."""
    path = f"{ACCOUNTS}/{root.post(ACCOUNTS, NEW).json()['id']}"
    assert root.patch(path, {"name": "renamed"}).json()["last_validated_at"] is None
    at = datetime(2026, 1, 15, 12, 30, 5, tzinfo=UTC)
    TargetAccount.objects.update(last_validated_at=at)
    said = root.get(path).json()["last_validated_at"]
    assert said == "2026-01-15T12:30:05Z"
    assert datetime.fromisoformat(said) == at


def test_an_account_by_its_twelve_digits(root):
    account = TargetAccountFactory.create(account_id="000000000007")
    by_digits = f"{ACCOUNTS}/000000000007"
    assert root.get(by_digits).json() == root.get(f"{ACCOUNTS}/{account.pk}").json()
    assert root.patch(by_digits, {"name": "renamed"}).json()["name"] == "renamed"
    assert root.get(f"{by_digits}/regions").status_code == 200
    assert root.get(f"{ACCOUNTS}/000000000008").status_code == 404
    assert root.delete(by_digits).status_code == 204


def test_an_account_is_registered_once(root, world):
    root.post(ACCOUNTS, NEW)
    with world.unchanged():
        response = root.post(ACCOUNTS, NEW)
    assert response.status_code == 409
    assert response.json()["code"] == "protection.account_already_registered"
    assert response.json()["error"] == "ACCOUNT_EXISTS"
    assert response.json()["context"] == {"account_id": "123456789012"}


def test_the_external_id_is_never_shown(root):
    account = TargetAccountFactory.create(external_id="never-ever-shown")
    path = f"{ACCOUNTS}/{account.pk}"
    answers = [
        root.get(ACCOUNTS),
        root.get(path),
        root.patch(path, {"name": "renamed"}),
        root.patch(path, {"external_id": "never-ever-shown-either"}),
        root.patch(path, {"external_id": "never ever shown"}),
        root.post(ACCOUNTS, {**NEW, "external_id": "never-ever-shown-new"}),
        root.delete(path),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 400, 201, 204]
    for answer in answers:
        assert b"ever" not in answer.content


def test_changing_part_of_an_account(root):
    account = TargetAccountFactory.create()
    said = root.patch(f"{ACCOUNTS}/{account.pk}", {"active": False}).json()
    assert (said["active"], said["name"]) == (False, account.name)
    account.refresh_from_db()
    assert account.external_id


def test_changing_the_whole_of_an_account(root, world):
    account = TargetAccountFactory.create()
    path = f"{ACCOUNTS}/{account.pk}"
    with world.unchanged():
        said = root.put(path, {"name": "renamed"}).json()
    assert {(error["field"], error["code"]) for error in said["errors"]} == {
        ("role_arn", "required"),
        ("active", "required"),
    }
    body = {"name": "renamed", "role_arn": account.role_arn, "active": True}
    assert root.put(path, body).json()["name"] == "renamed"


@pytest.mark.parametrize("fixed", [{"account_id": "210987654321"}, {"is_hub": True}, {"id": "x"}])
def test_what_is_fixed_is_no_field(root, world, fixed):
    account = TargetAccountFactory.create()
    with world.unchanged():
        response = root.patch(f"{ACCOUNTS}/{account.pk}", fixed)
    assert response.json()["errors"][0]["code"] == "unknown_field"


def test_an_account_that_is_needed_stays(root, world):
    group = ProtectionGroupFactory.create()
    with world.unchanged():
        response = root.delete(f"{ACCOUNTS}/{group.account.pk}")
    assert (response.status_code, response.json()["code"]) == (409, "protection.account_in_use")
    assert response.json()["context"] == {"needed_by": [group.name]}


def test_what_regions_answered(root):
    account = TargetAccountFactory.create()
    AccountRegion.objects.create(account=account, region="us-west-2")
    AccountRegion.objects.create(
        account=account,
        region="us-east-1",
        status=RegionStatus.IAM_PERMISSION_DENIED,
        message="not authorized",
    )
    rows = root.get(f"{ACCOUNTS}/{account.pk}/regions").json()["results"]
    assert [(row["region"], row["status"]) for row in rows] == [
        ("us-east-1", "IAM_PERMISSION_DENIED"),
        ("us-west-2", "UNKNOWN"),
    ]
    assert rows[0]["message"] == "not authorized"
    unknown = rows[1]
    assert [unknown[name] for name in ("server_count", "checked_at", "listed_at", "message")] == [
        None
    ] * 4


@pytest.mark.parametrize(
    ("query", "count"), [("active=true", 2), ("active=false", 1), ("account_id=000000000007", 1)]
)
def test_filters_of_accounts(root, query, count):
    TargetAccountFactory.create(account_id="000000000007")
    TargetAccountFactory.create()
    TargetAccountFactory.create(active=False)
    assert len(root.get(f"{ACCOUNTS}?{query}").json()["results"]) == count
