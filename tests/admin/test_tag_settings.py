from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from audit.models import AuditRecord
from protection.choices import SyncKind, SyncState
from protection.models import TagSyncSettings
from tests.factories.admin import schedule_of
from tests.factories.protection import SourceServerFactory, SyncRunFactory
from tests.factories.users import grant

PAGE = "/admin/protection/tagsyncsettings/"
EDIT = f"{PAGE}1/edit/"


@pytest.fixture
def task(db) -> PeriodicTask:
    return schedule_of("protection.sync_tags", every=3600)


@pytest.fixture
def server(db) -> Any:
    return SourceServerFactory.create(
        name="db-1",
        tags={"Old": "x", "Tier": "db"},
        synced_tags={"Old": "x"},
        origin_account_id="111122223333",
        origin_region="us-east-1",
        origin_instance_id="i-1",
        origin_tags={"CostCenter": "7", "Tier": "web"},
    )


def typed(**more: Any) -> dict[str, Any]:
    return {"version": "1", "enabled": "on", "interval_hours": "2", **more}


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_before_anybody_saved_there_is_a_page_with_the_defaults(root, task):
    said = text(root.get(PAGE))
    assert "every 3600 s" in said
    assert "Never ran" in said
    assert "No server is known" in said
    assert not TagSyncSettings.objects.exists()


def test_the_page_shows_what_a_run_would_do(root, task, server):
    said = text(root.get(PAGE))
    assert "Of 1 known server, 1 would be changed" in said
    assert "CostCenter=7" in said
    assert "Tag that somebody else set: 1" in said
    assert "Old" in said


def test_a_server_that_ec2_has_not_told_of_is_unknown_not_unchanged(root, task, server):
    server.origin_tags = None
    server.save()
    assert "Of 1 it is not known yet" in text(root.get(PAGE))


def test_the_effect_is_shown_without_saving(root, task, server):
    answer = root.post(EDIT, typed(_again="effect", key_mapping="CostCenter=cc"))
    assert "cc=7" in text(answer)
    assert not TagSyncSettings.objects.exists()
    answer = root.post(EDIT, typed(_again="effect", include_accounts="12"))
    assert "The settings are not valid." in text(answer)


def test_settings_are_saved_with_the_pace(root, task, server):
    wanted = typed(
        dry_run="on",
        include_accounts="111122223333\n\n444455556666",
        exclude_keys=" secret* ",
        key_mapping="CostCenter = cc",
    )
    assert root.post(EDIT, wanted).status_code == 302
    found = TagSyncSettings.objects.get()
    assert found.include_accounts == ["111122223333", "444455556666"]
    assert (found.exclude_keys, found.key_mapping) == (["secret*"], {"CostCenter": "cc"})
    assert (found.dry_run, found.version) == (True, 2)
    task.refresh_from_db()
    assert (task.enabled, task.interval.every) == (True, 7200)
    assert AuditRecord.objects.filter(event="protection.sync.requested").exists()
    assert "yes: nothing is changed" in text(root.get(f"{PAGE}1/change/"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"include_accounts": "12"}, "An account id has 12 digits"),
        ({"key_mapping": "CostCenter"}, "This is not key=key"),
        ({"interval_hours": "25"}, "less than or equal to 24"),
        ({"version": "7"}, "saved by somebody else"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_and_nothing_saved(root, task, wrong, said):
    answer = root.post(EDIT, typed(**wrong))
    assert answer.status_code == 200
    assert said in text(answer)
    assert TagSyncSettings.objects.filter(version__gt=1).count() == 0
    task.refresh_from_db()
    assert task.interval.every == 3600


def test_seeing_settings_is_not_changing_them(person, browser, task):
    assert browser.get(PAGE).status_code == 403
    grant(person, "protection.view_tagsyncsettings")
    assert browser.get(PAGE).status_code == 200
    assert browser.post(EDIT, typed()).status_code == 403
    assert not TagSyncSettings.objects.exists()
    task.refresh_from_db()
    assert task.interval.every == 3600


@pytest.mark.parametrize("every", ["60", "1800", "5400", "90000"])
def test_the_pace_of_the_tag_sync_is_whole_hours_up_to_a_day(root, task, every):
    link = f"/admin/django_celery_beat/periodictask/{task.pk}/edit/"
    answer = root.post(link, {"enabled": "on", "every": every})
    assert "whole hours" in text(answer)
    task.refresh_from_db()
    assert task.interval.every == 3600
    assert root.post(link, {"enabled": "on", "every": "86400"}).status_code == 302


def test_a_dry_run_is_told_from_a_real_one(root, db):
    change = {"account": "1", "region": "r", "server": "s-1", "name": "db-1"}
    run = SyncRunFactory.create(
        kind=SyncKind.TAGS,
        dry_run=True,
        changed=3,
        skipped={"TAG_NOT_OURS": 4},
        changes=[{**change, "set": {"CostCenter": "7"}, "remove": ["Old"]}],
    )
    said = text(root.get(f"/admin/protection/syncrun/{run.pk}/change/"))
    assert "Completed, dry run" in said
    assert "Nothing was changed in AWS." in said
    assert "CostCenter=7" in said
    assert "Old" in said
    assert "And 2 more servers." in said
    assert "Passed over: Tag that somebody else set" in said


@pytest.mark.parametrize("kind", list(SyncKind))
def test_a_sync_over_nothing_is_amber_never_green(root, db, kind):
    run = SyncRunFactory.create(kind=kind, state=SyncState.NOTHING)
    for path in ("", f"{run.pk}/change/"):
        said = text(root.get(f"/admin/protection/syncrun/{path}"))
        assert 'class="dr-badge dr-wait">Nothing scanned<' in said
        assert "dr-badge dr-good" not in said
    assert "None was asked." in said
