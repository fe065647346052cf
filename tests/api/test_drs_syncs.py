from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from audit.models import AuditRecord
from protection.choices import SyncKind, SyncState
from protection.models import TagSyncSettings
from tests.factories.admin import schedule_of
from tests.factories.protection import SyncRunFactory
from tests.factories.users import UserFactory, grant

pytestmark = pytest.mark.django_db

TAGS, INSTANCES = "/api/v1/drs/tag-sync", "/api/v1/drs/recovery-instance-sync"
SETTINGS = "/api/v1/config/tag-sync"
BOTH = [(TAGS, SyncKind.TAGS), (INSTANCES, SyncKind.RECOVERY_INSTANCES)]
TASKS = {
    SyncKind.TAGS: "protection.sync_tags",
    SyncKind.RECOVERY_INSTANCES: "protection.sync_recovery_instances",
}


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """The names of the tasks that workers were asked for."""
    names: list[str] = []

    def send(name: str, **_: Any) -> None:
        names.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    return names


def asked(sent: list[str]) -> list[str]:
    return [name for name in sent if name.startswith("protection.")]


def running(kind: SyncKind) -> None:
    until = timezone.now() + timedelta(minutes=1)
    SyncRunFactory.create(kind=kind, state=SyncState.RUNNING, finished_at=None, leased_until=until)


@pytest.mark.parametrize(("path", "kind"), BOTH)
def test_a_sync_is_asked_for(root, sent, path, kind, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = root.post(path)
    assert response.status_code == 202
    assert asked(sent) == [TASKS[kind]]
    assert AuditRecord.objects.get(event="protection.sync.requested").facts["kind"] == kind
    assert root.get(response.headers["Location"]).status_code == 200


@pytest.mark.parametrize(("path", "kind"), BOTH)
def test_while_one_runs_no_second_one_begins(root, sent, world, path, kind):
    running(kind)
    with world.unchanged():
        response = root.post(path)
    said = response.json()
    assert response.status_code == 409
    assert (said["code"], said["error"]) == ("protection.sync_already_running", "ALREADY_RUNNING")
    assert asked(sent) == []


@pytest.mark.parametrize(("path", "kind"), BOTH)
def test_what_the_request_cannot_choose_is_refused(root, sent, world, path, kind):
    with world.unchanged():
        assert root.post(path, {"accountId": "123456789012"}).status_code == 400
    assert asked(sent) == []


@pytest.mark.parametrize(("path", "kind"), BOTH)
def test_the_last_run_or_that_there_was_none(root, path, kind):
    assert root.get(path).json() == {"last_run": None}
    SyncRunFactory.create(kind=SyncKind.INVENTORY)
    run = SyncRunFactory.create(kind=kind, skipped={"DISCONNECTED": 2}, failed=1, dry_run=True)
    said = root.get(path).json()["last_run"]
    assert (said["id"], said["skipped"]) == (str(run.pk), {"DISCONNECTED": 2})
    assert (said["failed"], said["dry_run"], said["changes"]) == (1, True, [])


@pytest.mark.parametrize(("path", "kind"), BOTH)
def test_seeing_is_not_asking(client_of, sent, world, path, kind):
    person = UserFactory.create(username="viewer")
    grant(person, "protection.view_syncrun")
    client = client_of(person)
    assert client.get(path).status_code == 200
    with world.unchanged():
        assert client.post(path).status_code == 403
    assert asked(sent) == []


@pytest.mark.parametrize("path", [TAGS, INSTANCES, SETTINGS])
def test_nobody_sees_nothing(nobody, path):
    assert nobody.get(path).status_code == 403


def beat(*, enabled: bool = True) -> PeriodicTask:
    task = schedule_of("protection.sync_tags", every=3600)
    PeriodicTask.objects.filter(pk=task.pk).update(enabled=enabled)
    return task


def test_the_settings_before_anybody_saved_any(root):
    beat()
    said = root.get(SETTINGS).json()
    assert (said["enabled"], said["interval_hours"], said["version"]) == (True, 1, 1)
    assert (said["include_keys"], said["key_mapping"], said["dry_run"]) == ([], {}, False)
    assert not TagSyncSettings.objects.exists()


def test_settings_are_saved_and_a_sync_is_run(root, sent, django_capture_on_commit_callbacks):
    task = beat(enabled=False)
    wanted = {
        "version": 1,
        "enabled": True,
        "interval_hours": 6,
        "include_accounts": ["123456789012"],
        "exclude_keys": ["secret*"],
        "key_mapping": {"CostCenter": "cc"},
        "dry_run": True,
    }
    with django_capture_on_commit_callbacks(execute=True):
        response = root.put(SETTINGS, wanted)
    assert response.status_code == 200
    said = response.json()
    assert said.items() >= {**wanted, "version": 2, "sync_triggered": True}.items()
    assert root.get(SETTINGS).json().items() >= {**wanted, "version": 2}.items()
    task.refresh_from_db()
    assert (task.enabled, task.interval.every) == (True, 6 * 3600)
    assert asked(sent) == ["protection.sync_tags"]
    made = AuditRecord.objects.get(event="protection.tag_sync_settings.edited")
    assert made.facts["new"]["key_mapping"] == {"CostCenter": "cc"}
    assert AuditRecord.objects.filter(event="beat.schedule.edited").count() == 1


def test_switched_off_nothing_is_run(root, sent, django_capture_on_commit_callbacks):
    task = beat()
    with django_capture_on_commit_callbacks(execute=True):
        said = root.put(SETTINGS, {"version": 1, "enabled": False}).json()
    task.refresh_from_db()
    assert (task.enabled, task.interval.every, said["sync_triggered"]) == (False, 3600, False)
    assert asked(sent) == []


def test_saved_while_one_runs_it_is_not_run_again(root, sent, django_capture_on_commit_callbacks):
    beat()
    running(SyncKind.TAGS)
    with django_capture_on_commit_callbacks(execute=True):
        said = root.put(SETTINGS, {"version": 1, "enabled": True, "dry_run": True}).json()
    assert (said["sync_triggered"], said["dry_run"]) == (False, True)
    assert asked(sent) == []


def test_what_somebody_else_saved_is_not_overwritten(root, world):
    beat()
    root.put(SETTINGS, {"version": 1, "enabled": False, "include_keys": ["a"]})
    with world.unchanged():
        response = root.put(SETTINGS, {"version": 1, "enabled": False, "include_keys": ["b"]})
    said = response.json()
    assert response.status_code == 409
    assert (said["code"], said["error"]) == (
        "protection.tag_sync_settings_changed",
        "VERSION_CONFLICT",
    )
    assert "at version 2, not at 1" in said["detail"]
    assert TagSyncSettings.objects.get().include_keys == ["a"]


def test_without_a_schedule_there_is_nothing_to_switch_on(root, world):
    with world.unchanged():
        response = root.put(SETTINGS, {"version": 1, "enabled": True})
    assert (response.status_code, response.json()["error"]) == (400, "RULE_NOT_FOUND")
    assert root.put(SETTINGS, {"version": 1, "enabled": False}).status_code == 200
    assert root.get(SETTINGS).json()["interval_hours"] is None


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"interval_hours": 0}, "interval_hours"),
        ({"interval_hours": 25}, "interval_hours"),
        ({"interval_hours": 1.5}, "interval_hours"),
        ({"include_accounts": ["12"]}, "include_accounts"),
        ({"exclude_accounts": ["x" * 12]}, "exclude_accounts"),
        ({"include_keys": [""]}, "include_keys"),
        ({"exclude_keys": ["k" * 257]}, "exclude_keys"),
        ({"include_keys": ["k"] * 201}, "include_keys"),
        ({"key_mapping": {"a": ""}}, "key_mapping"),
        ({"key_mapping": {"a": "aws:b"}}, "key_mapping"),
        ({"key_mapping": {"aws:a": "b"}}, "key_mapping"),
        ({"key_mapping": {"a": "c", "b": "c"}}, "key_mapping"),
        ({"enabled": "yes"}, "enabled"),
        ({"surprise": 1}, "surprise"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(root, sent, world, wrong, field):
    beat()
    with world.unchanged():
        response = root.put(SETTINGS, {"version": 1, "enabled": True, **wrong})
    assert response.status_code == 400
    assert field in str(response.json()["errors"])
    assert asked(sent) == []


def test_seeing_settings_is_not_changing_them(client_of, world):
    beat()
    person = UserFactory.create(username="viewer")
    grant(person, "protection.view_tagsyncsettings")
    client = client_of(person)
    assert client.get(SETTINGS).status_code == 200
    with world.unchanged():
        assert client.put(SETTINGS, {"version": 1, "enabled": False}).status_code == 403
