"""Validating over the API, the role's template, and the account that the portal runs in."""

import json

import pytest

from audit.models import AuditRecord
from drportal.aws import sts
from drportal.aws.errors import AwsError, Call, Failure
from protection.api import accounts as api
from protection.choices import ValidationState
from protection.models import AccountValidation
from protection.permissions import AccountPermission
from protection.services import role_templates
from tests.factories.protection import TargetAccountFactory
from tests.factories.users import UserFactory, grant

ACCOUNTS = "/api/v1/accounts/targets"
CURRENT = "/api/v1/accounts/current"
HUB = "210987654321"
pytestmark = pytest.mark.django_db


@pytest.fixture
def account():
    return TargetAccountFactory.create()


@pytest.fixture
def hub():
    return TargetAccountFactory.create(hub=True, account_id=HUB, name="the hub")


def unreachable():
    call = Call("GetCallerIdentity", "hub", "us-east-1")
    raise AwsError(Failure.UNREACHABLE, "the endpoint cannot be reached", call=call)


@pytest.fixture
def asked(monkeypatch):
    """What workers are asked for."""
    sent: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(
        "drportal.jobs.current_app.send_task",
        lambda task, *, kwargs, **_: sent.append((task, kwargs)),
    )
    return sent


@pytest.mark.parametrize("key", ["pk", "account_id"])
@pytest.mark.django_db(transaction=True)
def test_a_validation_is_asked_for_and_followed(root, account, asked, key):
    path = f"{ACCOUNTS}/{getattr(account, key)}"
    response = root.post(f"{path}/validate")
    validation = AccountValidation.objects.get()
    assert response.status_code == 202
    where = f"{ACCOUNTS}/{account.pk}/validations/{validation.pk}"
    assert response.headers["Location"].endswith(where)
    assert asked == [("protection.validate_account", {"validation_id": str(validation.pk)})]
    said = root.get(where).json()
    assert said == response.json()
    assert (said["state"], said["finished_at"], said["checks"]) == ("RUNNING", None, [])
    assert root.get(f"{path}/validations").json()["results"] == [said]


def test_what_a_validation_found(root, account):
    check = {"region": "", "name": "role", "state": "FAILED", "detail": "Denied.", "remedy": "Do."}
    found = AccountValidation.objects.create(
        target=account, state=ValidationState.FAILED, requested_by="pat", checks=[check]
    )
    said = root.get(f"{ACCOUNTS}/{account.pk}/validations/{found.pk}").json()
    assert said["checks"] == [{**check, "region": None}]


def test_one_validation_at_a_time(root, account, world):
    first = root.post(f"{ACCOUNTS}/{account.pk}/validate").json()
    with world.unchanged():
        response = root.post(f"{ACCOUNTS}/{account.pk}/validate")
    said = response.json()
    assert (response.status_code, said["code"], said["error"]) == (
        409,
        "protection.validation_already_running",
        "ALREADY_RUNNING",
    )
    assert said["context"] == {"validation_id": first["id"]}


def test_another_accounts_validation_is_not_there(root, account):
    found = AccountValidation.objects.create(target=account, requested_by="pat")
    other = TargetAccountFactory.create()
    assert root.get(f"{ACCOUNTS}/{other.pk}/validations/{found.pk}").status_code == 404


def test_the_template_of_the_role(root, account, hub):
    response = root.get(f"{ACCOUNTS}/{account.account_id}/role-template")
    assert response.status_code == 200
    name = f"drportal-role-{account.account_id}.json"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response.headers["Cache-Control"] == "no-store"
    (role,) = json.loads(response.content)["Resources"].values()
    (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"]["AWS"] == f"arn:aws:iam::{HUB}:root"
    assert trust["Condition"]["StringEquals"]["sts:ExternalId"] == account.external_id
    record = AuditRecord.objects.get(event="protection.account.role_template_taken")
    assert (record.actor_name, record.subject_id) == ("root", str(account.pk))
    assert account.external_id not in str(record.facts)


def test_a_template_trusts_the_account_that_sts_names(root, account, monkeypatch):
    monkeypatch.setattr(role_templates, "hub_account", lambda: HUB)
    response = root.get(f"{ACCOUNTS}/{account.pk}/role-template")
    assert f"arn:aws:iam::{HUB}:root" in response.content.decode()


@pytest.mark.parametrize("why", ["hub", "no external id", "no hub"])
def test_where_there_is_no_template(root, account, world, monkeypatch, why):
    monkeypatch.setattr(role_templates, "hub_account", unreachable)
    if why == "hub":
        account = TargetAccountFactory.create(hub=True)
    elif why == "no external id":
        account = TargetAccountFactory.create(external_id="")
    with world.unchanged():
        response = root.get(f"{ACCOUNTS}/{account.pk}/role-template")
    assert (response.status_code, response.json()["code"]) == (409, "protection.no_role_template")


def test_who_may_only_see_gets_no_template_and_no_validation(client_of, account, hub, world):
    others = [held for held in AccountPermission if held != AccountPermission.CHANGE]
    client = client_of(grant(UserFactory.create(), *others, on=account))
    with world.unchanged():
        for answer in (
            client.get(f"{ACCOUNTS}/{account.pk}/role-template"),
            client.post(f"{ACCOUNTS}/{account.pk}/validate"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
            assert account.external_id not in answer.content.decode()
    assert client.get(f"{ACCOUNTS}/{account.pk}/validations").status_code == 200


def test_who_may_not_see_an_account_sees_no_validation_of_it(nobody, account, world):
    found = AccountValidation.objects.create(target=account, requested_by="pat")
    with world.unchanged():
        for answer in (
            nobody.get(f"{ACCOUNTS}/{account.pk}/role-template"),
            nobody.post(f"{ACCOUNTS}/{account.pk}/validate"),
            nobody.get(f"{ACCOUNTS}/{account.pk}/validations"),
            nobody.get(f"{ACCOUNTS}/{account.account_id}/validations/{found.pk}"),
        ):
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_account_that_the_portal_runs_in(root, nobody, client_of, hub):
    said = {"account_id": HUB, "id": str(hub.pk), "name": "the hub"}
    assert root.get(CURRENT).json() == said
    narrow = client_of(grant(UserFactory.create(), AccountPermission.VIEW, on=hub))
    assert narrow.get(CURRENT).json() == said
    assert nobody.get(CURRENT).status_code == 404


def test_the_account_that_sts_names_and_none_when_it_does_not(root, nobody, monkeypatch):
    monkeypatch.setattr(api, "hub_account", lambda: HUB)
    assert root.get(CURRENT).json() == {"account_id": HUB, "id": None, "name": None}
    assert nobody.get(CURRENT).status_code == 404
    monkeypatch.setattr(api, "hub_account", unreachable)
    response = root.get(CURRENT)
    assert (response.status_code, response.json()["code"]) == (503, "aws.failed")


def test_the_principal_of_a_session_is_its_role():
    session = "arn:aws-us-gov:sts::210987654321:assumed-role/Portal/i-0abc"
    assert sts.Caller(HUB, session).principal == "arn:aws-us-gov:iam::210987654321:role/Portal"
    user = "arn:aws:iam::210987654321:user/pat"
    assert sts.Caller(HUB, user).principal == user
