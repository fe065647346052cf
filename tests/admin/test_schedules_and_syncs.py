import pytest
from django.urls import reverse
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from audit.models import AuditRecord
from tests.admin.conftest import recorded
from tests.factories.admin import schedule_of
from tests.factories.users import grant


def link(name: str, *ids: object) -> str:
    return reverse(f"admin:django_celery_beat_periodictask_{name}", args=ids)


@pytest.fixture
def task(db) -> PeriodicTask:
    return schedule_of("protection.sync_inventory", every=300)


def test_a_schedule_is_changed_recorded_and_seen_by_beat(root, task):
    before = PeriodicTasks.last_change()
    root.post(link("edit", task.pk), {"every": "120"})
    task.refresh_from_db()
    assert (task.enabled, task.interval.every, task.interval.period) == (False, 120, "seconds")
    assert PeriodicTasks.last_change() != before
    made = AuditRecord.objects.get(event="beat.schedule.edited")
    assert made.facts["old"]["enabled"] is True
    assert made.facts["new"]["enabled"] is False


@pytest.mark.parametrize("every", ["0", "-1", "x", "", "99999999"])
def test_a_pace_that_is_none_is_refused(root, task, every):
    assert root.post(link("edit", task.pk), {"enabled": "on", "every": every}).status_code == 200
    task.refresh_from_db()
    assert task.interval.every == 300
    assert recorded() == []


def test_the_task_and_its_arguments_cannot_be_changed(root, task):
    more = {"task": "os.system", "args": '["rm"]', "kwargs": "{}", "queue": "x"}
    root.post(link("edit", task.pk), {"enabled": "on", "every": "300", **more})
    task.refresh_from_db()
    assert (task.task, task.args, task.queue) == ("protection.sync_inventory", "[]", None)


def test_tasks_of_others_have_no_page(root):
    foreign = schedule_of("celery.backend_cleanup")
    assert root.get(link("change", foreign.pk)).status_code == 404
    assert "celery.backend_cleanup" not in root.get(link("changelist")).content.decode()


def test_seeing_schedules_is_not_changing_them(person, browser, task):
    grant(person, "django_celery_beat.view_periodictask")
    assert browser.get(link("change", task.pk)).status_code == 200
    assert browser.post(link("edit", task.pk), {"every": "1"}).status_code == 403
    task.refresh_from_db()
    assert task.interval.every == 300


RUN = "/admin/protection/syncrun/run/INVENTORY/"


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The tasks that workers were asked for."""
    sent: list[str] = []
    monkeypatch.setattr("celery.app.base.Celery.send_task", lambda _, name, **__: sent.append(name))
    return sent


def test_a_sync_is_asked_for_and_recorded(root, asked, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        root.post(RUN)
    assert asked == ["protection.sync_inventory"]
    made = AuditRecord.objects.get(event="protection.sync.requested")
    assert made.facts["kind"] == "INVENTORY"


def test_asking_for_a_sync_takes_its_own_permission(
    person, browser, asked, django_capture_on_commit_callbacks
):
    grant(person, "protection.view_syncrun")
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.post(RUN).status_code == 403
    assert (
        "Run now"
        not in browser.get(reverse("admin:protection_syncrun_changelist")).content.decode()
    )
    assert asked == []


def test_whoever_may_run_but_not_see_syncs_gets_to_a_page_that_exists(
    person, browser, asked, django_capture_on_commit_callbacks
):
    grant(person, "protection.run_syncrun")
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(RUN, follow=True)
    assert (answer.status_code, asked) == (200, ["protection.sync_inventory"])
