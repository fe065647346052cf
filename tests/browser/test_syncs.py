"""Syncs, schedules and the tag sync, as an operator uses them, on simulated AWS."""

from typing import Any

import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask
from playwright.sync_api import Page, expect

from protection import tasks
from protection.choices import SyncState
from protection.models import SyncRun, TagSyncSettings
from tests.factories.admin import schedule_of
from tests.factories.protection import SourceServerFactory
from tests.world_fixtures import aws
from tests.worlds import NORTH, registered, server, world_of

__all__ = ["aws"]


@pytest.fixture
def worker(monkeypatch) -> list[str]:
    """What a worker was asked for; `work` does it."""
    asked: list[str] = []

    def send(name: str, **_: Any) -> None:
        asked.append(name)

    monkeypatch.setattr(current_app, "send_task", send)
    return asked


def work(asked: list[str]) -> None:
    jobs = {"protection.sync_inventory": tasks.sync_inventory}
    for name in filter(jobs.__contains__, asked):
        jobs[name]()


def test_a_sync_is_run_now_and_seen(desk: Page, aws, worker, shoot):
    world_of([server("db-1"), server("db-2")])
    registered()
    SyncRun.objects.all().delete()
    desk.goto("/admin/protection/syncrun/")
    desk.get_by_role("group", name="Run now").get_by_text("Source-server inventory").click()
    desk.get_by_role("button", name="Run the sync").click()
    expect(desk.get_by_text("A worker was asked for a sync.")).to_be_visible()
    work(worker)
    desk.reload()
    row = desk.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    expect(row.locator(".dr-badge").first).to_have_text("Completed")
    shoot("syncs")
    row.locator("a").first.click()
    expect(desk.get_by_text("Nothing: every account and Region that was asked")).to_be_visible()


def test_a_sync_over_no_account_is_amber(desk: Page, aws, worker, shoot):
    world_of([])
    desk.goto("/admin/protection/syncrun/run/INVENTORY/")
    desk.get_by_role("button", name="Run the sync").click()
    expect(desk.get_by_text("A worker was asked for a sync.")).to_be_visible()
    work(worker)
    assert SyncRun.objects.get().state == SyncState.NOTHING
    desk.reload()
    badge = desk.locator("#result_list .dr-badge").first
    expect(badge).to_have_text("Nothing scanned")
    expect(badge).to_have_class("dr-badge dr-wait")
    shoot("sync-of-nothing")
    desk.locator("#result_list tbody tr a").first.click()
    expect(desk.get_by_text("No account or Region was scanned")).to_be_visible()


def test_a_schedule_is_switched_off(desk: Page, shoot):
    task = schedule_of("protection.sync_recovery_instances", every=600)
    desk.goto(f"/admin/django_celery_beat/periodictask/{task.pk}/edit/")
    desk.get_by_label("Sent by beat").uncheck()
    desk.get_by_label("Every how many seconds").fill("900")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("was saved")).to_be_visible()
    expect(desk.get_by_text("switched off")).to_be_visible()
    found = PeriodicTask.objects.get(pk=task.pk)
    assert (found.enabled, found.interval.every) == (False, 900)


def test_the_tag_sync_is_tried_then_saved_as_a_dry_run(desk: Page, worker, shoot):
    schedule_of("protection.sync_tags", every=3600)
    SourceServerFactory.create(
        name="db-1",
        origin_account_id=NORTH,
        origin_region="us-east-1",
        origin_instance_id="i-1",
        origin_tags={"CostCenter": "7", "Secret": "x"},
    )
    desk.goto("/admin/protection/tagsyncsettings/")
    expect(desk.get_by_text("CostCenter=7, Secret=x")).to_be_visible()
    shoot("tag-sync")
    desk.get_by_role("link", name="Edit").click()
    desk.get_by_label("Not tags with these keys").fill("Secret*")
    desk.get_by_label("Other keys in DRS").fill("CostCenter=cc")
    desk.get_by_label("Dry run").check()
    desk.get_by_role("button", name="Show the effect, without saving").click()
    expect(desk.get_by_role("cell", name="cc=7", exact=True)).to_be_visible()
    assert not TagSyncSettings.objects.exists()
    shoot("tag-sync-form")
    desk.get_by_label("Every how many hours").fill("6")
    desk.get_by_role("button", name="Save").last.click()
    expect(desk.get_by_text("was saved")).to_be_visible()
    expect(desk.get_by_text("every 21600 s")).to_be_visible()
    found = TagSyncSettings.objects.get()
    assert (found.dry_run, found.key_mapping) == (True, {"CostCenter": "cc"})
    assert "protection.sync_tags" in worker
