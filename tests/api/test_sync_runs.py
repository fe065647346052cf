from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.utils import timezone

from audit.models import AuditRecord
from protection.choices import SyncState
from tests.factories.protection import SyncRunFactory

RUNS = "/api/v1/sync-runs"


@pytest.fixture
def sent(monkeypatch) -> list[str]:
    """The names of the tasks that workers were asked for."""
    names: list[str] = []

    def send(name: str, **_: Any) -> None:
        names.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    return names


@pytest.mark.django_db
def test_asking_for_a_sync(root, sent, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        response = root.post(RUNS, {"kind": "INVENTORY"})
    assert response.status_code == 202
    assert response.json() == {"kind": "INVENTORY", "requested_by": "root"}
    assert "protection.sync_inventory" in sent
    assert AuditRecord.objects.get().event == "protection.sync.requested"
    assert root.get(response.headers["Location"]).status_code == 200


@pytest.mark.django_db
def test_one_sync_of_a_kind_at_a_time(root, sent, world, django_capture_on_commit_callbacks):
    SyncRunFactory.create(
        state=SyncState.RUNNING,
        finished_at=None,
        leased_until=timezone.now() + timedelta(minutes=1),
    )
    with django_capture_on_commit_callbacks(execute=True), world.unchanged():
        response = root.post(RUNS, {"kind": "INVENTORY"})
    assert (response.status_code, response.json()["code"]) == (
        409,
        "protection.sync_already_running",
    )
    assert not sent


@pytest.mark.django_db
def test_a_run_that_died_is_not_in_the_way(root, sent):
    SyncRunFactory.create(
        state=SyncState.RUNNING,
        finished_at=None,
        leased_until=timezone.now() - timedelta(seconds=1),
    )
    assert root.post(RUNS, {"kind": "INVENTORY"}).status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize("body", [{}, {"kind": "EVERYTHING"}, {"kind": "INVENTORY", "now": True}])
def test_a_sync_that_there_is_not(root, world, body):
    with world.unchanged():
        assert root.post(RUNS, body).status_code == 400


@pytest.mark.django_db
def test_a_run_tells_what_it_could_not_see(root):
    problems = [{"account": "100000000000", "region": "us-east-1", "status": "THROTTLED"}]
    run = SyncRunFactory.create(state=SyncState.PARTIAL, scopes_failed=1, problems=problems)
    said = root.get(f"{RUNS}/{run.pk}").json()
    assert (said["state"], said["scopes_failed"], said["problems"]) == ("PARTIAL", 1, problems)


@pytest.mark.django_db
@pytest.mark.parametrize(("query", "count"), [("state=PARTIAL", 1), ("kind=INVENTORY", 2)])
def test_filters_of_runs(root, query, count):
    SyncRunFactory.create()
    SyncRunFactory.create(state=SyncState.PARTIAL)
    assert len(root.get(f"{RUNS}?{query}").json()["results"]) == count
