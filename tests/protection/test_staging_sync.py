"""What may be extended is extended; what may not says why; what fails changes nothing known."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.models import drs_backends
from drportal.simulator.world import world
from protection.choices import ExtensionState, SyncState
from protection.errors import SyncAlreadyRunning
from protection.models import StagingLink, StagingServer, SyncRun, TargetAccount
from protection.services import accounts as account_service
from protection.services import inventory, staging
from protection.tasks import sync_staging
from tests.staging_world import (
    DEPOT,
    KEY_OF_AWS,
    OWN_KEY,
    YARD,
    asked_to_extend,
    extended_by,
    key_arn,
    let_go,
    linked,
    replicate_with,
    settled,
    shareable,
    staged,
    standing,
    sync,
)
from tests.worlds import EAST, HUB, NORTH, PERSON, SOUTH, WEST, server

pytestmark = pytest.mark.django_db(transaction=True)
DEFAULT_KEY: dict[str, Any] = {"replicationConfiguration": {"ebsEncryption": "DEFAULT"}}


def fault(kind: Kind, operation: str, **more) -> None:
    world.faults.add(Fault(kind, operation=operation, seconds=0, **more))


def due_again() -> None:
    StagingServer.objects.exclude(next_try_at=None).update(next_try_at=timezone.now())


def test_new_servers_are_extended_wherever_the_target_answers(aws):
    settled([staged("app-1"), staged("app-2"), staged("web-1", region=WEST), server("own-1")])
    run = sync()
    assert run.state == SyncState.COMPLETED
    assert (run.scopes_listed, run.seen, run.added, run.failed) == (2, 3, 3, 0)
    assert extended_by() == ["app-1", "app-2"]
    assert extended_by(region=WEST) == ["web-1"]
    row = standing("app-1")
    assert (row.state, row.message, row.next_try_at) == ("EXTENDED", "", None)
    assert row.extended_at is not None
    assert row.link.target.account_id == NORTH


def test_what_is_tried_are_the_servers_of_the_staging_account(aws):
    """Not the target's own copies of them: those are in the target's inventory already (D7)."""
    settled([staged("app-1"), staged("app-2")])
    sync()
    inventory.sync(actor=PERSON)
    assert sync().added == 0
    asked = [call.params["sourceServerArn"] for call in asked_to_extend()]
    assert len(asked) == len(set(asked)) == 2
    assert all(f":{DEPOT}:source-server/" in arn for arn in asked)


def test_a_server_that_appears_later_is_extended_then(aws):
    settled([staged("app-1"), staged("app-2")])
    backend = drs_backends[DEPOT][EAST]
    [late] = [each.id for each in backend.servers.values() if each.hostname == "app-2"]
    kept = backend.servers.pop(late)
    assert sync().added == 1
    backend.servers[late] = kept
    assert sync().added == 1
    assert extended_by() == ["app-1", "app-2"]


def test_the_hub_is_not_passed_over(aws):
    accounts = settled([staged("app-1")], trusting=[NORTH, HUB])
    StagingLink.objects.all().delete()
    linked(accounts[HUB])
    assert sync().added == 1
    assert extended_by(HUB) == ["app-1"]


def test_one_staging_account_serves_two_targets(aws):
    accounts = settled([staged("app-1")], trusting=[NORTH, SOUTH])
    linked(accounts[SOUTH])
    assert sync().added == 2
    assert extended_by(NORTH) == extended_by(SOUTH) == ["app-1"]
    assert StagingServer.objects.filter(state=ExtensionState.EXTENDED).count() == 2


def test_an_unchanged_world_writes_no_row_and_marks_nothing(aws):
    settled([staged("app-1"), staged("app-2", **DEFAULT_KEY)])
    sync()
    before = list(StagingServer.objects.order_by("pk").values())
    OutboxEntry.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        run = sync()
    assert (run.added, run.changed, run.removed, run.failed) == (0, 0, 0, 0)
    assert run.skipped == {"waits for its next try": 1}
    assert list(StagingServer.objects.order_by("pk").values()) == before
    wrote = [q["sql"] for q in queries if '"protection_stagingserver"' in q["sql"]]
    assert not [sql for sql in wrote if sql.startswith(("INSERT", "UPDATE", "DELETE"))]
    assert not OutboxEntry.objects.exclude(kind="AuditLogs").exists()


def test_what_is_gone_in_the_staging_account_goes_and_what_was_let_go_is_extended_again(aws):
    settled([staged("app-1"), staged("app-2", **DEFAULT_KEY)])
    sync()
    held = standing("app-2").arn.rsplit("/", 1)[-1]
    del drs_backends[DEPOT][EAST].servers[held]
    let_go()
    run = sync()
    assert (run.removed, run.added) == (1, 1)
    assert extended_by() == ["app-1"]


def test_an_extension_that_broke_says_why(aws):
    settled([staged("app-1")])
    sync()
    gone = standing("app-1").arn.rsplit("/", 1)[-1]
    del drs_backends[DEPOT][EAST].servers[gone]
    assert sync().changed == 1
    row = standing("app-1")
    assert row.state == ExtensionState.EXTENDED
    assert "does not exist in the staging account" in row.message


# Checks before the extension.


@pytest.mark.parametrize(
    ("encryption", "state", "said"),
    [
        ({"ebsEncryption": "DEFAULT"}, "HELD_BACK", "default EBS key"),
        (
            {"ebsEncryption": "CUSTOM", "ebsEncryptionKeyArn": key_arn(KEY_OF_AWS)},
            "HELD_BACK",
            "a key that AWS manages",
        ),
        (
            {"ebsEncryption": "CUSTOM", "ebsEncryptionKeyArn": key_arn("no-such-key")},
            "UNKNOWN",
            "DescribeKey",
        ),
    ],
)
def test_a_server_without_a_key_of_its_own_is_not_even_tried(aws, encryption, state, said):
    settled([staged("app-1", replicationConfiguration=encryption), staged("app-2")])
    run = sync()
    row = standing("app-1")
    assert row.state == state
    assert said in row.message
    assert row.next_try_at is not None
    assert row.next_try_at > timezone.now()
    assert extended_by() == ["app-2"]
    assert len(asked_to_extend()) == 1
    assert (sum(run.skipped.values()), run.failed) == ((1, 0) if state == "HELD_BACK" else (0, 1))


def test_a_key_that_is_disabled_holds_back(aws):
    settled([staged("app-1")])
    from moto.kms.models import kms_backends

    kms_backends[DEPOT][EAST].keys[OWN_KEY].key_state = "Disabled"
    sync()
    assert "not enabled" in standing("app-1").message
    assert asked_to_extend() == []


def test_volumes_that_are_not_encrypted_need_no_key(aws):
    settled([staged("app-1", replicationConfiguration={"ebsEncryption": "NONE"})])
    assert sync().added == 1


def test_a_server_that_was_mended_is_extended(aws):
    settled([staged("app-1", **DEFAULT_KEY)])
    sync()
    replicate_with("app-1", **shareable())
    assert sync().added == 0
    staging.ask_for_sync(TargetAccount.objects.get(account_id=NORTH), actor=PERSON)
    assert sync().added == 1


def test_a_full_target_gets_no_more_than_fit(aws, monkeypatch):
    monkeypatch.setattr("protection.services.extending._limit", lambda *_: 3)
    settled([server("own-1"), server("own-2"), staged("app-1"), staged("app-2")])
    run = sync()
    assert run.added == 1
    assert run.skipped == {"no room in the target": 1}
    [held] = StagingServer.objects.filter(state=ExtensionState.HELD_BACK)
    assert "3 source servers in this Region, and DRS allows 3" in held.message


def test_nothing_to_ask_is_no_success(aws):
    settled([staged("app-1")])
    TargetAccount.objects.update(active=False)
    assert sync().state == SyncState.NOTHING
    StagingLink.objects.all().delete()
    TargetAccount.objects.update(active=True)
    assert sync().state == SyncState.NOTHING


def test_a_link_removed_while_aws_was_asked_takes_its_rows_along(aws, monkeypatch):
    accounts = settled([staged("app-1")])
    whole = "protection.services.staging_sync.Extensions.extended"

    def removed_meanwhile(self, account_id):
        StagingLink.objects.all().delete()
        return []

    monkeypatch.setattr(whole, removed_meanwhile)
    run = sync()
    assert (run.state, run.scopes_listed) == (SyncState.NOTHING, 0)
    assert not StagingServer.objects.exists()
    assert accounts


def test_the_task_runs_it_and_leaves_a_run_alone_that_is_alive(aws):
    settled([staged("app-1")])
    alive = SyncRun.objects.create(
        kind="STAGING", requested_by="x", leased_until=timezone.now() + timedelta(minutes=1)
    )
    sync_staging()
    assert extended_by() == []
    SyncRun.objects.filter(pk=alive.pk).update(leased_until=timezone.now())
    sync_staging()
    assert extended_by() == ["app-1"]
    alive.refresh_from_db()
    assert alive.state == SyncState.ABANDONED


def test_a_run_that_was_taken_over_extends_nothing_more(aws, monkeypatch):
    settled([staged("app-1"), staged("app-2")])
    from drportal.aws.staging import encryption_of as whole
    from protection.services import extending

    def taken_over(scope, server_id):
        SyncRun.objects.update(state=SyncState.ABANDONED, leased_until=None)
        return whole(scope, server_id)

    monkeypatch.setattr(extending, "encryption_of", taken_over)
    with pytest.raises(SyncAlreadyRunning):
        sync()
    assert asked_to_extend() == []


def test_a_deleted_target_takes_its_links_along(aws):
    accounts = settled([staged("app-1")])
    linked(accounts[NORTH], YARD)
    account_service.delete(accounts[NORTH], actor=PERSON)
    assert not StagingLink.objects.exists()
    assert not StagingServer.objects.exists()
