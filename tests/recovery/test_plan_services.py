"""What a plan may say, its versions, its copies, and having an old version again."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection

from audit.models import AuditRecord
from drportal.errors import InvalidInput, NotFound
from drportal.mirror.models import OutboxEntry
from protection.errors import GroupInUse
from protection.models import SourceServer
from protection.services import groups as group_services
from recovery.errors import (
    InvalidAddresses,
    InvalidPlanName,
    InvalidWaves,
    PlanChanged,
    PlanNameTaken,
    UnknownPlanGroup,
)
from recovery.models import PlanVersion, RecoveryPlan
from recovery.services import plans
from recovery.services.plan_documents import document, spec_in, spec_of
from recovery.services.plans import GroupServers, WaveSpec
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def servers():
    account = TargetAccountFactory.create()
    return SourceServerFactory.create_batch(3, account=account, tags={"Tier": "db"})


@pytest.fixture
def group(servers):
    return ProtectionGroupFactory.create(account=servers[0].account, servers=servers)


@pytest.fixture
def tagged(servers):
    return ProtectionGroupFactory.create(account=servers[0].account, tags={"Tier": "db"})


def spec(*groups, name="Wave", **more):
    return WaveSpec(name=name, group_ids=tuple(group.pk for group in groups), **more)


def make(*waves, name="Plan", **more) -> RecoveryPlan:
    return plans.create(name=name, waves=waves, actor=PERSON, **more)


def everything(group, servers):
    return {
        "description": "All of it",
        "owner": "Shop team",
        "rto": timedelta(hours=4),
        "drill_every_days": 90,
        "rpo": timedelta(minutes=15),
        "notification_addresses": ("a@example.com", "b@example.com"),
        "tags": {"dr:priority": "high"},
        "approval_needed": False,
        "waves": (
            spec(
                group,
                name="Databases",
                wait=timedelta(minutes=5),
                success_threshold=50,
                group_servers=(
                    GroupServers(
                        group.pk,
                        (servers[0].server_id, servers[1].server_id),
                        (servers[1].server_id,),
                    ),
                ),
            ),
        ),
    }


def test_a_plan_keeps_all_that_was_said_and_a_version_of_it(group, servers):
    said = everything(group, servers)
    plan = plans.create(name="Plan", **said, actor=PERSON)
    kept = spec_of(RecoveryPlan.objects.get(pk=plan.pk))
    assert kept.waves[0].group_servers == (
        GroupServers(
            group.pk,
            tuple(sorted(s.server_id for s in servers[:2])),
            (servers[1].server_id,),
        ),
    )
    waves = tuple(replace(wave, group_servers=()) for wave in said["waves"])
    assert replace(kept, waves=tuple(replace(w, group_servers=()) for w in kept.waves)) == (
        replace(kept, name="Plan", **{**said, "waves": waves})
    )
    version = PlanVersion.objects.get()
    assert (version.number, version.created_by) == (1, "pat")
    assert version.document == document(plan)
    assert spec_in(version.document) == kept
    assert OutboxEntry.objects.filter(kind="RecoveryPlans", object_id=str(plan.pk)).exists()


def test_a_document_from_before_says_what_was_so_then(group):
    old = {
        "name": "Plan",
        "description": "",
        "waves": [
            {
                "position": 1,
                "name": "Wave",
                "depends_on": [],
                "gate": False,
                "gate_instructions": "",
                "time_limit_seconds": 3600,
                "groups": [{"id": str(group.pk), "name": group.name}],
            }
        ],
    }
    found = spec_in(old)
    assert (found.rto, found.tags, found.waves[0].success_threshold) == (None, {}, 100)
    assert found.waves[0].wait == timedelta(0)


@pytest.mark.parametrize(
    ("change", "field", "error"),
    [
        ({"name": " "}, "name", InvalidPlanName),
        ({"name": "x" * 65}, "name", InvalidPlanName),
        ({"description": "x" * 1001}, "description", InvalidInput),
        ({"owner": "x" * 256}, "owner", InvalidInput),
        ({"rto": timedelta(0)}, "rto_minutes", InvalidInput),
        ({"rto": 31 * DAY}, "rto_minutes", InvalidInput),
        ({"rpo": -DAY}, "rpo_minutes", InvalidInput),
        ({"notification_addresses": ("no",)}, "notification_addresses[0]", InvalidAddresses),
        (
            {"notification_addresses": ("a@example.com", "A@Example.com")},
            "notification_addresses[1]",
            InvalidAddresses,
        ),
        (
            {"notification_addresses": tuple(f"a{n}@example.com" for n in range(51))},
            "notification_addresses",
            InvalidAddresses,
        ),
        ({"tags": {"": "x"}}, "tags", InvalidInput),
        ({"wave": {"wait": -DAY}}, "waves[0].wait_minutes", InvalidWaves),
        ({"wave": {"wait": DAY * 2}}, "waves[0].wait_minutes", InvalidWaves),
        ({"wave": {"success_threshold": 0}}, "waves[0].success_threshold", InvalidWaves),
        ({"wave": {"success_threshold": 101}}, "waves[0].success_threshold", InvalidWaves),
    ],
)
def test_what_a_plan_may_not_say_is_refused_by_field(group, change, field, error):
    more = change.pop("wave", {})
    with pytest.raises(InvalidInput) as refused:
        make(spec(group, **more), **change)
    assert type(refused.value) is error
    assert [complaint["field"] for complaint in refused.value.errors] == [field]
    assert not RecoveryPlan.objects.exists()
    assert not AuditRecord.objects.filter(event__startswith="recovery.plan").exists()


def test_everything_that_is_wrong_is_said_at_once(group):
    with pytest.raises(InvalidInput) as refused:
        make(spec(group, success_threshold=0), name="", owner="x" * 300)
    assert refused.value.known_as == "VALIDATION_FAILED"
    assert len(refused.value.errors) == 3


def test_an_unknown_group_is_known_as_such(group):
    other = ProtectionGroupFactory.create()
    wave = spec(group, other)
    other.delete()
    with pytest.raises(UnknownPlanGroup) as refused:
        make(wave)
    assert refused.value.known_as == "PG_NOT_FOUND"


@pytest.mark.parametrize("by", ["hand", "tags"])
def test_chosen_servers_must_be_in_their_group_now(group, tagged, servers, by):
    of = group if by == "hand" else tagged
    stranger = SourceServerFactory.create(account=servers[0].account, tags={"Tier": "web"})
    chosen = (servers[0].server_id, stranger.server_id)
    with pytest.raises(InvalidWaves) as refused:
        make(spec(of, group_servers=(GroupServers(of.pk, chosen),)))
    (complaint,) = refused.value.errors
    assert complaint["code"] == "server_not_in_group"
    assert stranger.server_id in complaint["message"]
    assert servers[0].server_id not in complaint["message"]


@pytest.mark.parametrize(
    ("chosen", "optional", "code"),
    [
        ((0,), (1,), "optional_not_launched"),
        ((), (9,), "optional_not_launched"),
        ((0, 1), (1,), None),
        ((), (1,), None),
    ],
)
def test_optional_servers_must_be_launched(group, servers, chosen, optional, code):
    known = {n: server.server_id for n, server in enumerate(servers)} | {9: "s-nowhere"}
    entry = GroupServers(
        group.pk, tuple(known[n] for n in chosen), tuple(known[n] for n in optional)
    )
    wave = spec(group, group_servers=(entry,))
    if code is None:
        assert make(wave).waves.count() == 1
        return
    with pytest.raises(InvalidWaves) as refused:
        make(wave)
    assert [complaint["code"] for complaint in refused.value.errors] == [code]


def test_servers_of_a_group_that_is_not_in_the_wave_are_refused(group, tagged, servers):
    entry = GroupServers(tagged.pk, (servers[0].server_id,))
    for entries in ((entry,), (replace(entry, group_id=group.pk),) * 2):
        with pytest.raises(InvalidWaves) as refused:
            make(spec(group, group_servers=entries))
        assert refused.value.errors[0]["code"] == "group_not_in_wave"


def test_waves_may_span_accounts_and_regions():
    """No ACCOUNT_MISMATCH: the reference takes one account and one group a wave (D34)."""
    groups = [ProtectionGroupFactory.create(), ProtectionGroupFactory.create(region="eu-west-1")]
    plan = make(spec(*groups))
    said = document(plan)["waves"][0]["groups"]
    assert {row["id"] for row in said} == {str(group.pk) for group in groups}


def test_a_group_that_only_a_second_place_in_a_wave_names_is_in_use(group):
    """D34: the reference's delete guard looks at the first group only."""
    second = ProtectionGroupFactory.create()
    make(spec(group, second))
    with pytest.raises(GroupInUse):
        group_services.delete(second, actor=PERSON)


def test_of_two_versions_both_numbers_are_told(group):
    plan = make(spec(group))
    plans.edit(plan, name="Plan", waves=[spec(group)], actor=PERSON)
    with pytest.raises(PlanChanged) as refused:
        plans.edit(plan, name="Lost", waves=[spec(group)], version=1, actor=PERSON)
    assert refused.value.context == {"expected_version": 1, "current_version": 2}


def test_the_record_says_what_an_edit_changed(group):
    plan = make(spec(group))
    waves = [spec(group, success_threshold=50)]
    plans.edit(plan, name="Plan", owner="me", waves=waves, actor=PERSON)
    facts = AuditRecord.objects.get(event="recovery.plan.edited")
    assert facts.facts["changed"] == ["owner", "wave 1 changed"]


def test_a_copy_says_the_same_and_begins_anew(group, servers):
    plan = plans.create(name="Plan", **everything(group, servers), actor=PERSON)
    plans.edit(plan, name="Plan", **everything(group, servers), actor=PERSON)
    copied = plans.copy(plan, name=" Copy ", actor=PERSON)
    assert (copied.name, copied.version, copied.versions.count()) == ("Copy", 1, 1)
    assert copied.pk != plan.pk
    assert spec_of(copied) == replace(spec_of(plan), name="Copy")
    assert AuditRecord.objects.get(event="recovery.plan.copied").facts["copy_of"] == str(plan.pk)


def test_a_copy_needs_a_name_of_its_own_and_the_servers_that_it_names(group, servers):
    plan = plans.create(name="Plan", **everything(group, servers), actor=PERSON)
    with pytest.raises(PlanNameTaken):
        plans.copy(plan, name="PLAN", actor=PERSON)
    group.members.filter(server=servers[0]).delete()
    with pytest.raises(InvalidWaves):
        plans.copy(plan, name="Copy", actor=PERSON)
    assert RecoveryPlan.objects.count() == 1


def test_an_old_version_is_restored_as_a_new_one(group, servers):
    plan = plans.create(name="Plan", **everything(group, servers), actor=PERSON)
    before = document(plan)
    plans.edit(plan, name="Other", waves=[spec(group)], actor=PERSON)
    plan = plans.restore(plan, 1, version=2, actor=PERSON)
    assert plan.version == 3
    assert document(plan) == before
    assert plan.versions.get(number=3).document == before
    told = AuditRecord.objects.get(event="recovery.plan.restored").facts
    assert told["restored_version"] == 1
    assert "name" in told["changed"]


def test_restoring_is_a_change_like_any_other(group, servers):
    chosen = GroupServers(group.pk, (servers[0].server_id,))
    plan = make(spec(group, group_servers=(chosen,)))
    plans.edit(plan, name="Plan", waves=[spec(group)], actor=PERSON)
    with pytest.raises(PlanChanged):
        plans.restore(plan, 1, version=1, actor=PERSON)
    with pytest.raises(NotFound):
        plans.restore(plan, 9, actor=PERSON)
    group.members.filter(server=servers[0]).delete()
    with pytest.raises(InvalidWaves):
        plans.restore(plan, 1, actor=PERSON)
    plan.refresh_from_db()
    assert (plan.version, plan.versions.count()) == (2, 2)
    assert not plan.waves.get().entries.get().server_ids


def test_what_a_deleted_plan_said_stays_in_the_record(group, servers):
    plan = plans.create(name="Plan", **everything(group, servers), actor=PERSON)
    said = document(plan)
    plans.delete(plan, actor=PERSON)
    told = AuditRecord.objects.get(event="recovery.plan.deleted").facts["said"]
    assert told["waves"] == said["waves"]
    assert told["rto_seconds"] == 4 * 3600


def test_a_group_that_changes_changes_no_plan(group, servers):
    plan = make(spec(group))
    SourceServer.objects.filter(pk=servers[0].pk).update(tags={})
    group_services.edit(group, name="Renamed", server_ids=[servers[1].pk], actor=PERSON)
    assert plan.waves.get().entries.get().server_ids == []


@pytest.mark.django_db(transaction=True)
def test_of_many_who_make_a_plan_of_one_name_one_does():
    """D36: the name is unique by constraint, not by looking first."""
    group = ProtectionGroupFactory.create()

    def one(number: int) -> bool:
        try:
            make(spec(group), name="Plan" if number % 2 else "PLAN")
        except PlanNameTaken:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(one, range(6)))
    assert sum(made) == RecoveryPlan.objects.count() == PlanVersion.objects.count() == 1
