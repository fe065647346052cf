"""The configuration as one document, over the API."""

import json
from typing import Any

import pytest
import yaml

from audit.models import AuditRecord, Outcome
from protection.models import ProtectionGroup, TargetAccount
from recovery import configuration
from recovery.models import ImportRun
from recovery.permissions import ConfigurationPermission
from tests.factories.protection import ProtectionGroupFactory, TargetAccountFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db

EXPORT, IMPORT = "/api/v1/config/export", "/api/v1/config/import"
CHECK, RUNS = "/api/v1/config/validate-manifest", "/api/v1/imports"
DOCUMENT: dict[str, Any] = {
    "schema_version": "2.0",
    "accounts": [{"account_id": "210000000001", "name": "North"}],
    "groups": [
        {
            "name": "Web",
            "account_id": "210000000001",
            "region": "us-east-1",
            "tags": {"Tier": "web"},
        }
    ],
}


def test_the_export_is_the_configuration(root):
    group = ProtectionGroupFactory.create()
    answer = root.get(EXPORT)
    assert answer.status_code == 200
    assert answer.json() == configuration.document()
    assert answer.json()["groups"][0]["name"] == group.name
    record = AuditRecord.objects.get()
    assert (record.event, record.facts["operation"]) == ("api.read", "config.export")


def test_the_export_is_yaml_for_who_asks_for_it(root):
    ProtectionGroupFactory.create()
    answer = root.get(EXPORT, headers={"Accept": "application/yaml"})
    assert answer.headers["Content-Type"].startswith("application/yaml")
    assert yaml.safe_load(answer.content) == configuration.document()


def test_no_secret_leaves_with_it(root):
    account = TargetAccountFactory.create()
    assert account.external_id not in root.get(EXPORT).content.decode()


@pytest.mark.parametrize(
    "body",
    [
        {"config": DOCUMENT},
        {"config": json.dumps(DOCUMENT)},
        {"config": yaml.safe_dump(DOCUMENT)},
        DOCUMENT,
    ],
    ids=["object", "JSON in a string", "YAML in a string", "the document itself"],
)
def test_a_document_is_taken_in_any_form(root, body):
    answer = root.post(IMPORT, body)
    assert answer.status_code == 200, answer.json()
    assert answer.json()["success"]
    assert ProtectionGroup.objects.get().name == "Web"
    assert root.get(f"{RUNS}/{answer.json()['id']}").json()["outcome"]["success"]


def test_a_dry_run_answers_what_the_import_would(root, world):
    tried = root.post(IMPORT, {"config": DOCUMENT, "dryRun": True}).json()
    assert not TargetAccount.objects.exists()
    done = root.post(IMPORT, {"config": DOCUMENT}).json()
    assert (tried.pop("dryRun"), done.pop("dryRun")) == (True, False)
    assert tried.pop("id") != done.pop("id")
    assert tried == done


def test_what_is_refused_is_told_and_nothing_stays(root):
    wrong = {**DOCUMENT, "accounts": []}
    answer = root.post(IMPORT, {"config": wrong}).json()
    assert (answer["success"], answer["kept"]) == (False, False)
    assert [part["reason"] for part in answer["failed"]] == ["MISSING_ACCOUNT_ID"]
    assert not ProtectionGroup.objects.exists()


def test_keep_going_keeps_the_rest(root):
    group = {**DOCUMENT["groups"][0], "name": "Lost", "account_id": "210000000009"}
    wrong = {**DOCUMENT, "groups": [group, *DOCUMENT["groups"]]}
    answer = root.post(IMPORT, {"config": wrong, "keepGoing": True}).json()
    assert [part["name"] for part in answer["failed"]] == ["Lost"]
    assert ProtectionGroup.objects.get().name == "Web"


@pytest.mark.parametrize(
    ("config", "status", "code"),
    [
        ({"schema_version": "9"}, 400, "recovery.document_invalid"),
        ("{", 400, "recovery.document_unreadable"),
        ("a: &x 1\nb: *x", 400, "recovery.document_unreadable"),
        ([1], 400, "invalid"),
        (7, 400, "invalid"),
    ],
)
def test_what_is_no_document_is_refused(root, world, config, status, code):
    with world.unchanged():
        answer = root.post(IMPORT, {"config": config})
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_updating_from_the_reference_system_is_refused(root, world):
    with world.unchanged():
        answer = root.post(IMPORT, {"config": {"protectionGroups": []}, "mode": "UPDATE"})
    assert (answer.status_code, answer.json()["code"]) == (400, "recovery.legacy_adds_only")


def test_a_manifest_is_checked_without_being_imported(root, world):
    with world.unchanged():
        good = root.post(CHECK, {"config": DOCUMENT}).json()
        bad = root.post(CHECK, {"config": {"protectionGroups": [{"groupName": "x"}]}}).json()
    assert good == {"valid": True, "errors": [], "warnings": []}
    assert not bad["valid"]
    assert {error["code"] for error in bad["errors"]} == {
        "MISSING_ACCOUNT_ID",
        "NO_SELECTION_METHOD",
    }


def test_the_same_key_imports_once(root):
    headers = {"Idempotency-Key": "once"}
    first = root.post(IMPORT, {"config": DOCUMENT}, headers=headers)
    again = root.post(IMPORT, {"config": DOCUMENT}, headers=headers)
    assert first.json() == again.json()
    assert ImportRun.objects.count() == 1


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        (ConfigurationPermission.EXPORT, "get", EXPORT),
        (ConfigurationPermission.IMPORT, "post", IMPORT),
        (ConfigurationPermission.IMPORT, "post", CHECK),
        (ConfigurationPermission.VIEW_IMPORTS, "get", RUNS),
    ],
)
def test_each_needs_its_own_permission(client_of, world, permission, method, path):
    body = {"config": DOCUMENT} if method == "post" else None
    person = UserFactory.create()
    others = [each for each in ConfigurationPermission if each is not permission]
    person = grant(person, *others)
    with world.unchanged():
        assert getattr(client_of(person), method)(path, body).status_code == 403
    assert AuditRecord.objects.get().outcome == Outcome.REFUSED
    person = grant(person, permission)
    assert getattr(client_of(person), method)(path, body).status_code == 200
