"""Imports: what is refused, by which name, and what is kept when something is."""

from typing import Any

import pytest

from audit.models import AuditRecord
from drportal.actor import PORTAL
from drportal.mirror.models import OutboxEntry
from protection.models import (
    AccountRegion,
    LaunchSettings,
    ProtectionGroup,
    SourceServer,
    TargetAccount,
)
from recovery import configuration
from recovery.errors import LegacyAddsOnly
from recovery.models import ImportRun, RecoveryPlan
from recovery.services.transfer import DocumentInvalid, Mode, import_document
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import plan_of
from tests.factories.users import UserFactory

pytestmark = pytest.mark.django_db

NORTH = "210000000001"
S1, S2 = (f"s-{number:017x}" for number in (1, 2))


def account(**more: Any) -> dict[str, Any]:
    return {"account_id": NORTH, "name": "North", **more}


def group(**more: Any) -> dict[str, Any]:
    return {
        "name": "Web",
        "account_id": NORTH,
        "region": "us-east-1",
        "tags": {"Tier": "web"},
        **more,
    }


def plan(*groups: str, **more: Any) -> dict[str, Any]:
    launched = [{"group": name} for name in groups or ("Web",)]
    return {"name": "Plan", "waves": [{"name": "one", "groups": launched}], **more}


def brought(mode: Mode = Mode.ADD_ONLY, *, dry_run: bool = False, keep_going: bool = False, **doc):
    document = {"schema_version": "2.0", **doc}
    return import_document(
        document, mode=mode, dry_run=dry_run, keep_going=keep_going, actor=PORTAL
    )


def refused(run: ImportRun) -> dict[str, str]:
    return {told["name"]: told["reason"] for told in run.outcome["failed"]}


def listed(account_id: str = NORTH, region: str = "us-east-1") -> TargetAccount:
    """An account whose Region was listed and holds nothing."""
    made = TargetAccountFactory.create(account_id=account_id)
    server = SourceServerFactory.create(account=made, region=region)
    server.delete()
    return made


def test_everything_is_made_in_one_go():
    run = brought(accounts=[account()], groups=[group()], plans=[plan()])
    assert run.succeeded
    assert [told["name"] for told in run.outcome["created"]] == [NORTH, "Web", "Plan"]
    plan_made = RecoveryPlan.objects.get()
    assert plan_made.waves.get().groups.get().name == "Web"
    assert set(OutboxEntry.objects.values_list("kind", flat=True)) >= {
        "TargetAccounts",
        "ProtectionGroups",
        "RecoveryPlans",
    }


def test_a_plan_may_need_a_group_that_only_the_document_names():
    """The reference system's dry run refuses this (D35)."""
    run = brought(accounts=[account()], groups=[group()], plans=[plan()], dry_run=True)
    assert run.succeeded
    assert not ProtectionGroup.objects.exists()


def test_if_a_part_is_refused_nothing_stays():
    run = brought(accounts=[account()], groups=[group()], plans=[plan("Nobody")])
    assert refused(run) == {"Plan": "MISSING_PROTECTION_GROUP"}
    assert not run.outcome["kept"]
    assert not TargetAccount.objects.exists()
    assert not AuditRecord.objects.filter(event="protection.account.registered").exists()
    assert ImportRun.objects.get() == run


def test_with_keep_going_the_rest_stays():
    run = brought(accounts=[account()], groups=[group()], plans=[plan("Nobody")], keep_going=True)
    assert refused(run) == {"Plan": "MISSING_PROTECTION_GROUP"}
    assert ProtectionGroup.objects.get().name == "Web"
    assert not RecoveryPlan.objects.exists()


def test_a_plan_whose_group_was_refused_says_so():
    run = brought(groups=[group()], plans=[plan()])
    assert refused(run) == {"Web": "MISSING_ACCOUNT_ID", "Plan": "CASCADE_FAILURE"}


def test_what_is_there_is_left_alone_by_add_only():
    made = TargetAccountFactory.create(account_id=NORTH, name="As it was")
    run = brought(accounts=[account(name="Another", role_arn=made.role_arn)])
    (told,) = run.outcome["skipped"]
    assert (told["reason"], told["name"]) == ("ALREADY_EXISTS", NORTH)
    made.refresh_from_db()
    assert made.name == "As it was"


def test_update_makes_it_what_the_document_says():
    made = TargetAccountFactory.create(account_id=NORTH, name="As it was")
    run = brought(Mode.UPDATE, accounts=[account(role_arn=made.role_arn, active=False)])
    assert [told["name"] for told in run.outcome["updated"]] == [NORTH]
    made.refresh_from_db()
    assert (made.name, made.active, made.external_id) == ("North", False, made.external_id)
    assert made.external_id.startswith("never-shown")


def test_a_group_is_found_whatever_the_case_of_its_name():
    brought(accounts=[account()], groups=[group()])
    run = brought(Mode.UPDATE, groups=[group(name="WEB", description="new")])
    assert [told["name"] for told in run.outcome["updated"]] == ["WEB"]
    assert ProtectionGroup.objects.get().description == "new"


def test_one_name_twice_in_a_document_is_refused():
    """The reference system makes both (D35)."""
    with pytest.raises(DocumentInvalid) as refusal:
        brought(accounts=[account()], groups=[group(), group(name="WEB ")])
    assert {error["code"] for error in refusal.value.errors} == {"DUPLICATE_NAME"}
    assert not ImportRun.objects.exists()


def test_the_region_of_a_group_cannot_change():
    brought(accounts=[account()], groups=[group()])
    run = brought(Mode.UPDATE, groups=[group(region="us-west-2")])
    assert refused(run) == {"Web": "fixed"}


@pytest.mark.parametrize(
    ("waves", "code"),
    [
        ([{"name": "a", "groups": [{"group": "Web"}], "depends_on": [1]}], "cycle"),
        ([{"name": "a", "groups": [{"group": "Web"}], "depends_on": [7]}], "unknown_wave"),
        ([], "no_waves"),
        ([{"name": "a", "groups": []}], "no_groups"),
        ([{"name": "a", "groups": [{"group": "Web"}], "time_limit_seconds": 0}], "invalid"),
    ],
)
def test_plans_are_held_to_the_same_rules_as_anywhere(waves, code):
    """The reference system imports plans without a look (D35)."""
    run = brought(accounts=[account()], groups=[group()], plans=[plan(waves=waves)])
    assert refused(run) == {"Plan": code}
    assert not RecoveryPlan.objects.exists()


def test_who_opens_a_gate_is_carried_over_and_must_be_there():
    rule = {"needed": 1, "people": ["ann"], "expires_minutes": 60, "on_expiry": "BLOCK"}
    waves = [{"name": "one", "groups": [{"group": "Web"}], "gate": True, "gate_rule": rule}]
    said = [plan(waves=waves, approval_needed=False)]
    run = brought(accounts=[account()], groups=[group()], plans=said)
    assert set(refused(run)) == {"Plan"}
    assert not RecoveryPlan.objects.exists()
    UserFactory.create(username="ann")
    assert brought(accounts=[account()], groups=[group()], plans=said).succeeded
    (kept,) = configuration.plans()
    assert kept["approval_needed"] is False
    rest = {"roles": [], "escalate_to": [], "remind_minutes": 0, "escalate_minutes": 0}
    assert kept["waves"][0]["gate_rule"] == {**rule, **rest}


def test_notification_addresses_are_carried_over():
    """The reference system drops them (D35)."""
    brought(
        accounts=[account()],
        groups=[group()],
        plans=[plan(notification_addresses=["dr@example.com"])],
    )
    assert RecoveryPlan.objects.get().notification_addresses == ["dr@example.com"]


def test_servers_that_were_never_listed_are_expected_and_unknown():
    brought(accounts=[account()], groups=[group(tags={}, server_ids=[S1])])
    server = SourceServer.objects.get()
    assert (server.server_id, server.replication_state) == (S1, "")
    assert ProtectionGroup.objects.get().members.get().server == server


def test_a_server_that_a_listing_does_not_hold_is_refused():
    listed()
    run = brought(groups=[group(tags={}, server_ids=[S1])])
    assert refused(run) == {"Web": "SERVER_NOT_FOUND"}
    assert not SourceServer.objects.exists()


def test_a_server_in_another_group_is_refused():
    made = listed()
    server = SourceServerFactory.create(account=made, server_id=S1)
    ProtectionGroupFactory.create(name="Other", account=made, servers=[server])
    run = brought(groups=[group(tags={}, server_ids=[S1], allows_overlap=True)])
    assert refused(run) == {"Web": "SERVER_CONFLICT"}


def test_tags_that_nobody_has_are_told():
    run = brought(accounts=[account()], groups=[group()])
    assert [note["code"] for note in run.outcome["warnings"]] == [
        "EXTERNAL_ID_MADE",
        "NO_TAG_MATCHES",
    ]


def test_launch_settings_of_every_level_are_set_and_what_is_left_out_is_cleared():
    entry = {"server_id": S1, "launch_settings": {"instanceType": "c5.large"}}
    brought(
        accounts=[account()],
        launch_settings={"copyTags": True},
        groups=[group(launch_settings={"launchDisposition": "STOPPED"}, servers=[entry])],
    )
    assert LaunchSettings.objects.count() == 3
    run = brought(Mode.UPDATE, groups=[group()])
    assert run.succeeded
    (told,) = configuration.groups()
    assert (told["launch_settings"], told["servers"]) == ({}, [])
    assert configuration.installation_settings() == {"copyTags": True}


def test_a_launch_setting_that_cannot_be_held_is_refused_by_name():
    run = brought(accounts=[account()], groups=[group(launch_settings={"keyName": "x"})])
    assert refused(run) == {"Web": "BLOCKED_FIELDS_PRESENT"}
    assert "keyName" in run.outcome["failed"][0]["message"]


def test_a_schedule_that_nobody_knows_is_refused():
    run = brought(schedules=[{"name": "Strange", "enabled": True, "every_seconds": 60}])
    assert refused(run) == {"Strange": "UNKNOWN_SCHEDULE"}


def test_a_document_that_says_nothing_does_nothing():
    run = brought(Mode.UPDATE)
    assert run.succeeded
    assert run.outcome["created"] == run.outcome["updated"] == run.outcome["skipped"] == []


def test_sections_that_are_left_out_stay_as_they_are():
    brought(accounts=[account()], launch_settings={"copyTags": True}, groups=[group()])
    before = configuration.document()
    brought(Mode.UPDATE, accounts=before["accounts"])
    assert configuration.document() == before


def test_the_record_says_who_imported_what():
    run = brought(accounts=[account()])
    written = AuditRecord.objects.get(event="recovery.configuration.imported")
    assert (written.subject_id, written.actor_name) == (str(run.pk), PORTAL.name)
    assert written.facts["digest"] == run.document_digest
    assert written.facts["summary"]["accounts"]["created"] == 1


def test_an_export_holds_no_secret():
    made = TargetAccountFactory.create()
    assert made.external_id not in str(configuration.document())


@pytest.mark.django_db
def test_an_export_costs_the_same_whatever_is_configured(django_assert_num_queries):
    def configure(count: int) -> None:
        for _ in range(count):
            plan_of(ProtectionGroupFactory.create())

    configure(1)
    with django_assert_num_queries(11):
        configuration.document()
    configure(20)
    with django_assert_num_queries(11):
        configuration.document()


# Documents of the reference system.

LEGACY_GROUP = {
    "groupName": "Databases",
    "region": "us-east-1",
    "accountId": NORTH,
    "sourceServerIds": [S1, S2],
}
LEGACY = {
    "metadata": {"schemaVersion": "1.1"},
    "protectionGroups": [LEGACY_GROUP],
    "recoveryPlans": [
        {
            "planName": "Everything",
            "notificationEmail": "dr@example.com",
            "waves": [{"waveNumber": 0, "protectionGroupName": "Databases", "serverIds": [S2]}],
        }
    ],
}


def test_a_document_of_the_reference_system_is_brought_in():
    run = import_document(LEGACY, mode=Mode.ADD_ONLY, actor=PORTAL)
    assert run.succeeded, run.outcome["failed"]
    assert run.outcome["schema_version"] == "1.1"
    (told,) = configuration.plans()
    assert told["waves"][0]["groups"] == [
        {"group": "Databases", "server_ids": [S2], "optional_server_ids": []}
    ]
    assert configuration.groups()[0]["server_ids"] == [S1, S2]
    assert AccountRegion.objects.filter(account__account_id=NORTH).exists()


def test_it_only_adds():
    with pytest.raises(LegacyAddsOnly):
        import_document(LEGACY, mode=Mode.UPDATE, actor=PORTAL)
    assert not ImportRun.objects.exists()


def test_what_is_there_already_is_left_as_it_is():
    import_document(LEGACY, mode=Mode.ADD_ONLY, actor=PORTAL)
    before = configuration.document()
    run = import_document(LEGACY, mode=Mode.ADD_ONLY, actor=PORTAL)
    assert {told["reason"] for told in run.outcome["skipped"]} == {"ALREADY_EXISTS"}
    assert configuration.document() == before
