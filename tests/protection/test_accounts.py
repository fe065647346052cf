from typing import Any

import pytest

from audit.models import AuditRecord
from drportal.errors import InvalidInput
from protection.errors import (
    AccountAlreadyRegistered,
    AccountInUse,
    GroupInUse,
    GroupIsEmpty,
    GroupNameTaken,
    HubAlreadyRegistered,
    ServerInAnotherGroup,
)
from protection.models import AccountRegion, ProtectionGroup, TargetAccount
from protection.services import accounts, groups
from tests.factories.protection import (
    ProtectionGroupFactory,
    SourceServerFactory,
    TargetAccountFactory,
)
from tests.factories.recovery import plan_of
from tests.worlds import EAST, NORTH, PERSON, SOUTH, role

pytestmark = pytest.mark.django_db


def nothing_written() -> bool:
    return not TargetAccount.objects.exists() and not AuditRecord.objects.exists()


def test_registering_fills_in_the_role_an_external_id_and_unknown_regions():
    account = accounts.register(account_id=NORTH, name=" north ", actor=PERSON)
    assert account.name == "north"
    assert account.role_arn == role(NORTH)
    assert len(account.external_id) >= 32
    regions = AccountRegion.objects.filter(account=account)
    assert regions.count() > 30
    assert set(regions.values_list("status", "server_count")) == {("UNKNOWN", None)}
    record = AuditRecord.objects.get()
    assert account.external_id not in str(record.facts)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"account_id": "123"}, "account_id"),
        ({"account_id": "12345678901x"}, "account_id"),
        ({"account_id": "١٢٣٤٥٦٧٨٩٠١٢"}, "account_id"),
        ({"name": " "}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"role_arn": "arn:aws:iam::210000000001:user/x"}, "role_arn"),
        ({"role_arn": role(SOUTH)}, "role_arn"),
        ({"external_id": "a b"}, "external_id"),
        ({"is_hub": True, "role_arn": role(NORTH)}, "role_arn"),
    ],
)
def test_a_wrong_account_is_refused_and_nothing_is_written(given, field):
    with pytest.raises(InvalidInput) as refused:
        accounts.register(**{"account_id": NORTH, "name": "north", "actor": PERSON} | given)
    assert field in {error["field"] for error in refused.value.errors}
    assert nothing_written()


def test_an_account_id_and_the_hub_are_taken_once():
    accounts.register(account_id=NORTH, name="north", actor=PERSON)
    with pytest.raises(AccountAlreadyRegistered):
        accounts.register(account_id=NORTH, name="again", actor=PERSON)
    accounts.register(account_id=SOUTH, name="hub", is_hub=True, actor=PERSON)
    with pytest.raises(HubAlreadyRegistered):
        accounts.register(account_id="3" * 12, name="other", is_hub=True, actor=PERSON)
    assert TargetAccount.objects.count() == 2


def test_editing_records_what_changed_and_nothing_else():
    account = TargetAccountFactory.create()
    accounts.edit(account, name=account.name, actor=PERSON)
    assert not AuditRecord.objects.exists()
    accounts.edit(account, name="new name", actor=PERSON)
    record = AuditRecord.objects.get()
    assert record.facts["new"] == {"name": "new name"}
    with pytest.raises(InvalidInput):
        accounts.edit(account, account_id="1" * 12, actor=PERSON)


def test_an_account_that_a_group_needs_is_not_deleted():
    group = ProtectionGroupFactory.create()
    with pytest.raises(AccountInUse) as refused:
        accounts.delete(group.account, actor=PERSON)
    assert group.name in refused.value.detail
    assert TargetAccount.objects.filter(pk=group.account_id).exists()
    groups.delete(group, actor=PERSON)
    accounts.delete(group.account, actor=PERSON)
    assert not TargetAccount.objects.filter(pk=group.account_id).exists()


@pytest.fixture
def server():
    return SourceServerFactory.create(tags={"Tier": "db"})


def make(server, **more):
    given = {"name": "Databases", "account": server.account, "region": server.region}
    return groups.create(**given | {"actor": PERSON} | more)


def test_a_group_chooses_by_tags_or_servers_never_both_and_never_nothing(server):
    both: dict[str, Any] = {"tags": {"Tier": "db"}, "server_ids": [server.pk]}
    neither: list[dict[str, Any]] = [{}, {"tags": {}}]
    for wrong in (both, *neither):
        with pytest.raises(InvalidInput):
            make(server, **wrong)
    with pytest.raises(GroupIsEmpty):
        make(server, tags={"Tier": "DB"})
    assert not ProtectionGroup.objects.exists()
    assert not AuditRecord.objects.exists()


def test_names_are_trimmed_and_unique_regardless_of_case(server):
    assert make(server, name=" Databases ", tags={"Tier": "db"}).name == "Databases"
    with pytest.raises(GroupNameTaken):
        make(server, name="DATABASES", server_ids=[server.pk])


def test_a_server_is_in_one_explicit_group_at_most(server):
    make(server, server_ids=[server.pk])
    with pytest.raises(ServerInAnotherGroup) as refused:
        make(server, name="Other", server_ids=[server.pk])
    assert "Databases" in refused.value.detail
    assert ProtectionGroup.objects.count() == 1


def test_a_server_of_another_place_is_refused(server):
    elsewhere = SourceServerFactory.create(account=server.account, region="us-west-2")
    with pytest.raises(InvalidInput):
        make(server, server_ids=[elsewhere.pk])
    with pytest.raises(InvalidInput):
        make(server, region="atlantis-1", server_ids=[server.pk])
    assert server.region == EAST
    assert not ProtectionGroup.objects.exists()


def test_editing_makes_a_new_version(server):
    group = make(server, server_ids=[server.pk])
    other = SourceServerFactory.create(account=server.account)
    group = groups.edit(group, name="Renamed", server_ids=[other.pk], actor=PERSON)
    assert (group.version, group.name) == (2, "Renamed")
    assert list(group.servers.all()) == [other]


def test_a_group_that_a_plan_needs_is_not_deleted():
    group = ProtectionGroupFactory.create()
    plan = plan_of(group)
    with pytest.raises(GroupInUse) as refused:
        groups.delete(group, actor=PERSON)
    assert plan.name in refused.value.detail
    assert ProtectionGroup.objects.filter(pk=group.pk).exists()
