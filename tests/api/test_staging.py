"""Staging accounts over the API: with the target's permissions, in the reference's words."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from protection.choices import ExtensionState
from protection.models import StagingAccount, StagingServer, SyncRun, TargetAccount
from protection.permissions import AccountPermission, StagingPermission
from tests.factories.protection import (
    StagingAccountFactory,
    StagingServerFactory,
    TargetAccountFactory,
)
from tests.factories.users import UserFactory, grant
from tests.staging_world import DEPOT, YARD, settled, staged, staging_role
from tests.worlds import EAST, EXTERNAL_ID, NORTH

pytestmark = pytest.mark.django_db
NEW = {"stagingAccount": {"accountId": DEPOT, "accountName": "Depot", "externalId": "a-word"}}


@pytest.fixture
def target(db) -> TargetAccount:
    return TargetAccountFactory.create(name="north", account_id=NORTH)


@pytest.fixture
def depot(target) -> StagingAccount:
    return StagingAccountFactory.create(account_id=DEPOT, name="Depot", targets=[target])


def at(target: TargetAccount, rest: str = "", *, by_digits: bool = False) -> str:
    name = target.account_id if by_digits else target.pk
    return f"/api/v1/accounts/targets/{name}/staging-accounts{rest}"


@pytest.mark.parametrize("by_digits", [False, True])
def test_adding_one(root, target, by_digits):
    response = root.post(at(target, by_digits=by_digits), NEW)
    assert response.status_code == 201, response.content
    said = response.json()
    assert said["success"] is True
    [shown] = said["stagingAccounts"]
    assert (shown["accountId"], shown["accountName"]) == (DEPOT, "Depot")
    assert (shown["roleArn"], shown["hasExternalId"]) == (staging_role(DEPOT), True)
    assert (shown["addedBy"], shown["lastValidated"]) == ("root", None)
    assert "a-word" not in response.content.decode()
    assert StagingAccount.objects.get().external_id == "a-word"
    assert root.get(response.headers["Location"]).json() == shown
    assert root.get(at(target)).json()["results"] == [shown]


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"accountId": NORTH}, "stagingAccount.accountId", "is_the_target"),
        ({"accountId": "12"}, "stagingAccount.accountId", "INVALID_FORMAT"),
        ({"accountId": 310000000001}, "stagingAccount.accountId", "invalid"),
        ({"roleArn": staging_role(YARD)}, "stagingAccount.roleArn", "INVALID_ROLE_ARN"),
        ({"externalId": "a b"}, "stagingAccount.externalId", "INVALID_FORMAT"),
        ({"accountName": "x" * 65}, "stagingAccount.accountName", "max_length"),
        ({"assumeRoleName": "x"}, "stagingAccount.assumeRoleName", "unknown_field"),
    ],
)
def test_one_that_cannot_be(root, world, target, given, field, code):
    with world.unchanged():
        response = root.post(at(target), {"stagingAccount": {**NEW["stagingAccount"], **given}})
    assert response.status_code == 400
    [error] = response.json()["errors"]
    assert (error["field"], error["code"]) == (field, code)


def test_one_that_is_there_already(root, world, target, depot):
    with world.unchanged():
        response = root.post(at(target), {"stagingAccount": {"accountId": DEPOT}})
    assert (response.status_code, response.json()["error"]) == (409, "STAGING_ACCOUNT_EXISTS")
    assert response.json()["code"] == "protection.staging_account_already_linked"


def test_one_that_is_known_otherwise(root, world, depot):
    other = TargetAccountFactory.create()
    with world.unchanged():
        response = root.post(at(other), NEW)
    assert response.status_code == 409
    assert response.json()["code"] == "protection.staging_account_differs"
    assert depot.external_id not in response.content.decode()
    assert root.post(at(other), {"stagingAccount": {"accountId": DEPOT}}).status_code == 201


def test_changing_and_removing_one(root, target, depot):
    edited = {"accountName": "Renamed", "roleArn": f"{staging_role(DEPOT)}Two"}
    response = root.put(at(target, f"/{DEPOT}"), edited)
    assert (response.status_code, response.json()["accountName"]) == (200, "Renamed")
    secret = depot.external_id
    depot.refresh_from_db()
    assert (depot.role_arn, depot.external_id) == (edited["roleArn"], secret)
    assert root.put(at(target, f"/{DEPOT}"), {**edited, "roleArn": "x"}).json()["errors"] == [
        {
            "field": "roleArn",
            "code": "INVALID_ROLE_ARN",
            "message": "This is not the ARN of an IAM role.",
        }
    ]
    assert root.delete(at(target, f"/{DEPOT}")).status_code == 204
    assert not StagingAccount.objects.exists()
    assert root.delete(at(target, f"/{DEPOT}")).status_code == 404


@pytest.mark.parametrize(
    "name", ["nonsense", "000000000000", "a3fd838a-94f6-45e4-b135-ba124e74232d"]
)
def test_a_target_that_is_not_there(root, name):
    response = root.get(f"/api/v1/accounts/targets/{name}/staging-accounts")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_servers_say_how_they_stand_and_why(root, target, depot):
    link = depot.links.get()
    StagingServerFactory.create(
        link=link, hostname="b", state=ExtensionState.HELD_BACK, message="No key.", attempts=2
    )
    StagingServerFactory.create(link=link, hostname="a", state=ExtensionState.EXTENDED)
    StagingServerFactory.create()
    first, second = root.get(at(target, f"/{DEPOT}/servers")).json()["results"]
    assert (first["hostname"], first["state"], first["message"]) == ("a", "EXTENDED", None)
    assert (second["message"], second["attempts"], second["nextTryAt"]) == ("No key.", 2, None)


def test_asking_for_the_sync(root, world, target, depot, django_capture_on_commit_callbacks):
    link = depot.links.get()
    waiting = StagingServerFactory.create(
        link=link, state=ExtensionState.HELD_BACK, next_try_at=timezone.now()
    )
    elsewhere = StagingServerFactory.create(next_try_at=timezone.now())
    with django_capture_on_commit_callbacks() as sent:
        response = root.post(at(target, "/sync"), {})
    assert response.status_code == 202
    assert response.headers["Location"].endswith("/api/v1/sync-runs?kind=STAGING")
    assert [callback.args[0] for callback in sent] == ["protection.sync_staging"]
    waiting.refresh_from_db()
    elsewhere.refresh_from_db()
    assert waiting.next_try_at is None
    assert elsewhere.next_try_at is not None
    lease = timezone.now() + timedelta(minutes=1)
    SyncRun.objects.create(kind="STAGING", requested_by="x", leased_until=lease)
    with world.unchanged():
        response = root.post(at(target, "/sync"), {})
    assert (response.status_code, response.json()["error"]) == (409, "ALREADY_RUNNING")


def test_one_is_validated_by_a_worker(
    root, world, target, depot, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as sent:
        response = root.post(at(target, f"/{DEPOT}/validate"), {})
    assert (response.status_code, response.json()["state"]) == (202, "RUNNING")
    assert [callback.args[0] for callback in sent] == ["protection.validate_account"]
    [shown] = root.get(response.headers["Location"]).json()["results"]
    assert shown == response.json()
    assert depot.validations.get().requested_by == "root"
    with world.unchanged():
        assert root.post(at(target, f"/{DEPOT}/validate"), {}).status_code == 409


def _new(_: StagingAccount) -> dict:
    return {"stagingAccount": {"accountId": YARD}}


def _edit(_: StagingAccount) -> dict:
    return {"accountName": "Renamed", "roleArn": staging_role(DEPOT)}


def _nothing(_: StagingAccount) -> dict:
    return {}


# method, path below the target's staging accounts, body, what it needs, the answer when allowed
OPERATIONS = [
    ("get", "", _nothing, "VIEW", 200),
    ("post", "", _new, "CHANGE", 201),
    ("get", f"/{DEPOT}", _nothing, "VIEW", 200),
    ("put", f"/{DEPOT}", _edit, "CHANGE", 200),
    ("delete", f"/{DEPOT}", _nothing, "CHANGE", 204),
    ("get", f"/{DEPOT}/servers", _nothing, "VIEW", 200),
    ("post", f"/{DEPOT}/validate", _nothing, "CHANGE", 202),
    ("get", f"/{DEPOT}/validations", _nothing, "VIEW", 200),
    ("post", "/sync", _nothing, "CHANGE", 202),
    ("get", "/discover", _nothing, "VIEW", 200),
]
operations = pytest.mark.parametrize(("method", "rest", "body", "needed", "answer"), OPERATIONS)


def _ask(client: APIClient, target, depot, method, rest, body):
    sent = body(depot) if method != "get" else None
    return getattr(client, method)(at(target, rest), sent)


@pytest.mark.django_db(transaction=True)
@operations
def test_a_permission_on_the_target_is_enough(
    client_of, target, depot, method, rest, body, needed, answer
):
    person = grant(UserFactory.create(), AccountPermission[needed], on=target)
    response = _ask(client_of(person), target, depot, method, rest, body)
    assert response.status_code == answer, response.content


@pytest.mark.django_db(transaction=True)
@operations
def test_what_one_sees_one_may_not_do_everything_to(
    client_of, world, target, depot, method, rest, body, needed, answer
):
    held = [right for right in AccountPermission if right != AccountPermission.CHANGE]
    person = grant(UserFactory.create(), *held, on=target)
    with world.unchanged():
        response = _ask(client_of(person), target, depot, method, rest, body)
        assert response.status_code == (200 if needed == "VIEW" else 403)


@operations
def test_what_one_may_not_see_is_not_there(
    client_of, world, target, depot, method, rest, body, needed, answer
):
    other = TargetAccountFactory.create()
    person = grant(UserFactory.create(), *AccountPermission, on=other)
    # To see staging accounts everywhere is not to see the target.
    person = grant(person, StagingPermission.VIEW)
    with world.unchanged():
        assert _ask(client_of(person), target, depot, method, rest, body).status_code == 404
        assert _ask(APIClient(), target, depot, method, rest, body).status_code == 401


def test_one_that_others_rely_on_is_changed_by_who_may_change_them_all(
    client_of, world, target, depot
):
    other = TargetAccountFactory.create()
    other.staging_accounts.add(depot, through_defaults={"added_by": "x"})
    person = grant(UserFactory.create(), AccountPermission.CHANGE, on=target)
    with world.unchanged():
        refused = client_of(person).put(at(target, f"/{DEPOT}"), _edit(depot))
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    person = grant(person, AccountPermission.CHANGE, on=other)
    assert client_of(person).put(at(target, f"/{DEPOT}"), _edit(depot)).status_code == 200


class TestAskingAws:
    pytestmark = pytest.mark.django_db(transaction=True)

    def test_discovering(self, aws, root):
        known = settled([staged("yard-1", account=YARD)])
        StagingAccountFactory.create(account_id=YARD, name="yard")
        said = root.get(at(known[NORTH], "/discover")).json()
        [found] = said["stagingAccounts"]
        assert (found["accountId"], found["accountName"], found["regions"]) == (
            YARD,
            "yard",
            [EAST],
        )
        assert (found["hasExtensible"], found["hasExtended"]) == (True, False)
        assert said["missing"] == []

    def test_what_one_may_not_see_is_not_asked_for(self, aws, client_of):
        known = settled([staged("yard-1", account=YARD)])
        StagingAccountFactory.create(account_id=YARD)
        person = grant(UserFactory.create(), AccountPermission.VIEW, on=known[NORTH])
        said = client_of(person).get(at(known[NORTH], "/discover")).json()
        assert said["stagingAccounts"] == []

    def test_entering(self, aws, root, world):
        settled([staged("app-1")])
        given = {"accountId": DEPOT, "externalId": EXTERNAL_ID, "region": EAST}
        with world.unchanged():
            said = root.post("/api/v1/staging-accounts/validate", given).json()
        assert said == {
            "valid": True,
            "roleAccessible": True,
            "drsInitialized": True,
            "currentServers": 1,
            "replicatingServers": 1,
            "totalAfter": 1,
            "error": None,
        }
        wrong = root.post(
            "/api/v1/staging-accounts/validate",
            {**given, "externalId": "wrong"},
            headers={"Idempotency-Key": "a-key"},
        ).json()
        assert (wrong["valid"], wrong["roleAccessible"]) == (False, False)
        assert (wrong["currentServers"], wrong["drsInitialized"]) == (None, None)
        assert "AssumeRole" in wrong["error"]

    def test_entering_needs_to_change_some_target(self, aws, client_of, root):
        known = settled([])
        given = {"accountId": DEPOT, "externalId": EXTERNAL_ID, "region": EAST}
        seeing = grant(UserFactory.create(), AccountPermission.VIEW, on=known[NORTH])
        changing = grant(UserFactory.create(), AccountPermission.CHANGE, on=known[NORTH])
        path = "/api/v1/staging-accounts/validate"
        assert client_of(seeing).post(path, given).status_code == 403
        assert client_of(changing).post(path, given).status_code == 200
        wrong = root.post(path, {**given, "accountId": "1"})
        assert wrong.json()["errors"][0]["field"] == "accountId"


def test_rows_go_with_their_link(root, target, depot):
    StagingServerFactory.create(link=depot.links.get())
    root.delete(at(target, f"/{DEPOT}"))
    assert not StagingServer.objects.exists()
