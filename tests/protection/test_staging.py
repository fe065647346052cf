"""Staging accounts: who may be one, of whom, and what is known of it."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from audit.models import AuditRecord
from drportal.errors import InvalidInput, NotFound
from drportal.mirror.models import OutboxEntry
from drportal.simulator.faults import Fault, Kind
from drportal.simulator.world import world
from protection.choices import RegionStatus
from protection.errors import StagingAccountAlreadyLinked, StagingAccountDiffers
from protection.models import AccountRegion, StagingAccount, StagingLink, TargetAccount
from protection.services import accounts, inventory, staging, staging_discovery
from tests.api.world import World
from tests.factories.protection import TargetAccountFactory
from tests.staging_world import DEPOT, YARD, linked, settled, staged, staging_role, sync
from tests.worlds import EAST, EXTERNAL_ID, NORTH, PERSON, SOUTH, WEST, server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def target(db) -> TargetAccount:
    return TargetAccountFactory.create(name="north", account_id=NORTH)


def add(target: TargetAccount, account_id: str = DEPOT, **more) -> StagingAccount:
    return staging.add(target, account_id=account_id, actor=PERSON, **more)


def complaints(error: InvalidInput) -> list[tuple[str, str]]:
    return [(found["field"], found["code"]) for found in error.errors]


def test_what_is_left_out_is_made(target):
    made = add(target, name=" Depot ")
    assert (made.name, made.role_arn) == ("Depot", staging_role(DEPOT))
    assert len(made.external_id) >= 24
    other = add(target, YARD)
    assert other.name == f"Account {YARD}"
    assert other.external_id != made.external_id
    link = StagingLink.objects.get(target=target, staging=made)
    assert link.added_by == "pat"
    record = AuditRecord.objects.get(event="protection.staging_account.added", subject_id=made.pk)
    assert record.facts["target"] == NORTH
    assert made.external_id not in str(record.facts)
    kinds = set(OutboxEntry.objects.values_list("kind", "object_id"))
    assert ("StagingAccounts", str(made.pk)) in kinds


def test_the_default_role_is_in_the_partition_of_the_target():
    there = "arn:aws-us-gov:iam::111122223333:role/R"
    target = TargetAccountFactory.create(account_id="111122223333", role_arn=there)
    assert add(target).role_arn.startswith(f"arn:aws-us-gov:iam::{DEPOT}:")


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"account_id": NORTH}, ("account_id", "is_the_target")),
        ({"account_id": "12345"}, ("account_id", "INVALID_FORMAT")),
        ({"account_id": "٣١٠٠٠٠٠٠٠٠٠١"}, ("account_id", "INVALID_FORMAT")),
        ({"name": "x" * 65}, ("name", "INVALID_FORMAT")),
        ({"role_arn": "DRSOrchestrationRole"}, ("role_arn", "INVALID_ROLE_ARN")),
        ({"role_arn": staging_role(YARD)}, ("role_arn", "INVALID_ROLE_ARN")),
        ({"role_arn": f"arn:aws-us-gov:iam::{DEPOT}:role/R"}, ("role_arn", "other_partition")),
        ({"external_id": "a b"}, ("external_id", "INVALID_FORMAT")),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(target, given, wrong):
    with World().unchanged(), pytest.raises(InvalidInput) as refused:
        staging.add(target, **{"account_id": DEPOT, **given}, actor=PERSON)
    assert complaints(refused.value) == [wrong]


def test_a_target_has_a_staging_account_once(target):
    add(target)
    with World().unchanged(), pytest.raises(StagingAccountAlreadyLinked) as refused:
        add(target)
    assert refused.value.known_as == "STAGING_ACCOUNT_EXISTS"


def test_one_that_is_known_is_linked_as_it_is_known(target):
    other = TargetAccountFactory.create()
    made = add(target, name="Depot", external_id="a-word-of-its-own")
    assert add(other) == made
    made.refresh_from_db()
    assert (made.name, made.external_id) == ("Depot", "a-word-of-its-own")
    assert made.targets.count() == 2


@pytest.mark.parametrize(
    "given",
    [
        {"external_id": "another-word"},
        {"role_arn": f"arn:aws:iam::{DEPOT}:role/Another"},
        {"name": "Another"},
    ],
)
def test_what_differs_from_what_is_known_is_refused_not_passed_over(target, given):
    other = TargetAccountFactory.create()
    add(target, name="Depot", external_id="a-word-of-its-own")
    with World().unchanged(), pytest.raises(StagingAccountDiffers) as refused:
        add(other, **given)
    assert refused.value.context["fields"] == list(given)
    assert "a-word-of-its-own" not in refused.value.detail
    assert add(other, name="Depot", external_id="a-word-of-its-own").targets.count() == 2


def test_it_is_edited_for_all_and_a_secret_stays_out_of_the_record(target):
    made = add(target)
    OutboxEntry.objects.all().delete()
    staging.edit(made, name="Renamed", external_id="another-word", actor=PERSON)
    made.refresh_from_db()
    assert (made.name, made.external_id) == ("Renamed", "another-word")
    facts = AuditRecord.objects.get(event="protection.staging_account.edited").facts
    assert facts["new"]["name"] == "Renamed"
    assert "another-word" not in str(facts)
    assert OutboxEntry.objects.filter(kind="StagingAccounts", object_id=made.pk).exists()
    with World().unchanged():
        staging.edit(made, name="Renamed", actor=PERSON)
    for wrong in ({"account_id": YARD}, {"role_arn": staging_role(YARD)}, {"role_arn": ""}):
        with World().unchanged(), pytest.raises(InvalidInput):
            staging.edit(made, **wrong, actor=PERSON)


def test_the_last_link_takes_the_account_along(target):
    other = TargetAccountFactory.create()
    made = add(target)
    add(other)
    staging.remove(target, made, actor=PERSON)
    assert list(made.targets.all()) == [other]
    with World().unchanged(), pytest.raises(NotFound):
        staging.remove(target, made, actor=PERSON)
    staging.remove(other, made, actor=PERSON)
    assert not StagingAccount.objects.exists()
    with pytest.raises(NotFound):
        staging.remove(other, made, actor=PERSON)
    with pytest.raises(NotFound):
        staging.edit(made, name="gone", actor=PERSON)


def test_deleting_a_target_leaves_no_account_behind_that_serves_nobody(target):
    other = TargetAccountFactory.create()
    shared = add(target)
    add(other)
    own = add(target, YARD)
    OutboxEntry.objects.all().delete()
    accounts.delete(target, actor=PERSON)
    assert set(StagingAccount.objects.all()) == {shared}
    marked = OutboxEntry.objects.filter(kind="StagingAccounts").values_list("object_id", flat=True)
    assert set(marked) == {str(own.pk), str(shared.pk)}


def test_adding_at_once_makes_one_account_and_one_link_each():
    targets = TargetAccountFactory.create_batch(4)
    barrier = Barrier(8)

    def one(target: TargetAccount) -> str:
        try:
            barrier.wait(30)
            add(target)
        except StagingAccountAlreadyLinked:
            return "there"
        finally:
            connection.close()
        return "added"

    with ThreadPoolExecutor(8) as pool:
        outcomes = [future.result(60) for future in [pool.submit(one, t) for t in targets * 2]]
    assert sorted(outcomes) == ["added"] * 4 + ["there"] * 4
    assert StagingAccount.objects.count() == 1
    assert StagingLink.objects.count() == 4


class TestDiscovery:
    def test_extended_and_extensible_servers_tell_of_their_accounts(self, aws):
        known = settled([staged("app-1"), staged("yard-1", account=YARD), server("own-1")])
        north = known[NORTH]
        assert staging_discovery.discover(north).found == ()
        [found] = staging_discovery.discover(north, candidates=[DEPOT, YARD, SOUTH]).found
        assert (found.account_id, found.has_extensible, found.has_extended) == (YARD, True, False)
        linked(north, YARD)
        sync()
        inventory.sync(actor=PERSON)
        StagingLink.objects.all().delete()
        both = staging_discovery.discover(north, candidates=[SOUTH, DEPOT]).found
        assert [(each.account_id, each.in_inventory, each.has_extended) for each in both] == [
            (DEPOT, True, True),
            (YARD, True, True),
        ]
        assert both[0].regions == {EAST}
        assert both[0].name == "depot"

    def test_one_found_is_gone_once_it_is_linked(self, aws):
        """The list is never a stored one that went stale."""
        known = settled([staged("yard-1", account=YARD)])
        assert len(staging_discovery.discover(known[NORTH], candidates=[YARD]).found) == 1
        linked(known[NORTH], YARD)
        assert staging_discovery.discover(known[NORTH], candidates=[YARD]).found == ()

    def test_what_does_not_answer_is_named_and_the_rest_is_told(self, aws):
        known = settled([staged("app-1"), staged("web-1", region=WEST)])
        sync()
        StagingLink.objects.all().delete()
        world.faults.add(Fault(Kind.THROTTLE, operation="List*", region=EAST, seconds=0))
        told = staging_discovery.discover(known[NORTH], candidates=[YARD])
        assert [(found.account_id, found.regions) for found in told.found] == [(DEPOT, {WEST})]
        assert {missing.region for missing in told.missing} == {EAST}
        assert len(told.missing) == 2

    def test_a_region_that_does_not_answer_to_the_inventory_is_missing(self, aws):
        known = settled([staged("app-1")])
        AccountRegion.objects.filter(account=known[NORTH], region=EAST).update(
            status=RegionStatus.THROTTLED, message="Rate exceeded"
        )
        [missing] = staging_discovery.discover(known[NORTH]).missing
        assert (missing.region, missing.message) == (EAST, "Rate exceeded")

    def test_nobody_waits_for_what_takes_too_long(self, aws, monkeypatch):
        known = settled([staged("app-1")])
        from threading import Event

        never = Event()
        monkeypatch.setattr(
            "protection.services.staging_discovery.Extensions.staging_accounts",
            lambda _: never.wait(30) or [],
        )
        told = staging_discovery.discover(known[NORTH], within=0.1)
        never.set()
        assert {missing.region for missing in told.missing} == {EAST, WEST}
        assert "no answer within" in told.missing[0].message


class TestEntering:
    def enter(self, **more) -> staging_discovery.Entry:
        given = {"account_id": DEPOT, "role_arn": "", "external_id": EXTERNAL_ID, "region": EAST}
        return staging_discovery.enter(**(given | more))

    def test_an_account_that_works(self, aws):
        settled([staged("app-1"), staged("app-2", replication={"state": "DISCONNECTED"})])
        told = self.enter()
        assert (told.entered, told.initialized) == (True, True)
        assert (told.servers, told.replicating, told.error) == (2, 1, "")

    @pytest.mark.parametrize(
        ("given", "entered"), [({"external_id": "wrong-word"}, False), ({"account_id": YARD}, True)]
    )
    def test_the_external_id_is_what_counts(self, aws, given, entered):
        settled([staged("app-1")])
        assert self.enter(**given).entered is entered

    def test_what_is_not_known_is_neither_no_nor_zero(self, aws):
        settled([staged("app-1")])
        world.faults.add(Fault(Kind.THROTTLE, operation="DescribeSourceServers", seconds=0))
        told = self.enter()
        assert (told.entered, told.initialized, told.servers) == (True, None, None)
        assert "Rate" in told.error

    def test_what_cannot_be_is_refused_before_aws_is_asked(self, aws):
        settled([])
        before = len(world.calls.matching(operation="AssumeRole"))
        for wrong in ({"account_id": "1"}, {"role_arn": staging_role(YARD)}):
            with pytest.raises(InvalidInput):
                self.enter(**wrong)
        assert len(world.calls.matching(operation="AssumeRole")) == before


def test_a_lost_external_id_is_entered_again(target):
    made = add(target)
    lost = StagingAccount.objects.filter(pk=made.pk)
    lost.update(external_id="", external_id_lost=True)
    assert lost.get().lacks_external_id
    staging.edit(made, external_id="told-again", actor=PERSON)
    assert not lost.get().external_id_lost
