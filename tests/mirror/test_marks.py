"""What goes with a deleted object is deleted in DynamoDB too, and every schedule is there."""

import pytest
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from drportal.mirror import services
from protection.choices import SettingsLevel
from protection.models import LaunchSettings, LaunchSettingsVersion, SourceServer
from protection.services import accounts, groups, schedules
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.mirror.listed import lists
from tests.mirror.made import everything_set_of
from tests.mirror.store import both_sides_equal, drain_all
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def group(store):
    made = ProtectionGroupFactory.create()
    everything_set_of(made)
    services.resync()
    drain_all()
    both_sides_equal()
    return made


def test_a_group_goes_with_its_versions_and_settings(store, group):
    assert store.held("ProtectionGroupVersions")
    assert store.held("LaunchConfigurationVersions")
    groups.delete(group, actor=PERSON)
    drain_all()
    both_sides_equal()
    for kind in ("ProtectionGroups", "ProtectionGroupVersions", "LaunchConfigurations"):
        assert store.held(kind) == {}


def test_an_account_goes_with_all_that_is_filed_under_it(store, group):
    account = group.account
    groups.delete(group, actor=PERSON)
    [staging] = store.held("StagingAccounts").values()
    assert [target["accountId"] for target in staging["targets"]] == [account.account_id]
    accounts.delete(account, actor=PERSON)
    drain_all()
    both_sides_equal()
    assert store.held("RecoveryInstanceInventory") == store.held("SourceServerInventory") == {}
    assert store.held("StagingAccounts") == {}, "it served nobody else"


def test_a_server_that_is_no_longer_listed_goes_unless_somebody_set_something_for_it(store, group):
    of_tags = ProtectionGroupFactory.create(account=group.account, tags={"Tier": "1"})
    server, other = SourceServerFactory.create_batch(2, account=group.account, tags={"Tier": "1"})
    kept = LaunchSettings.objects.create(level=SettingsLevel.SERVER, group=of_tags, server=server)
    LaunchSettingsVersion.objects.create(settings=kept, number=1, document={}, created_by="x")
    services.resync()
    drain_all()
    lists(group.account, group.region, {})
    assert SourceServer.objects.get(pk=server.pk).gone_at is not None
    assert not SourceServer.objects.filter(pk=other.pk).exists()
    drain_all()
    both_sides_equal()
    assert str(kept.pk) in store.held("LaunchConfigurations")
    assert str(other.pk) not in store.held("SourceServerInventory")


def test_what_beat_sends_and_how_often(store):
    call_command("sync_schedules")
    drain_all()
    both_sides_equal()
    assert "Engine" in store.held("Schedules")
    task = PeriodicTask.objects.get(name="Source-server inventory")
    schedules.change(task, enabled=False, every=600, actor=PERSON)
    drain_all()
    both_sides_equal()
    told = store.held("Schedules")[task.name]
    assert (told["enabled"], told["every"], told["period"]) == (False, 600, "seconds")
