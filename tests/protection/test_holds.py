"""Holds: what keeps a group as it is while something relies on it."""

from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from protection.errors import GroupHeld, GroupInUse
from protection.models import GroupHold, ProtectionGroup, SourceServer
from protection.services import groups, holds
from tests.api.world import World
from tests.factories.protection import ProtectionGroupFactory, SourceServerFactory
from tests.factories.recovery import plan_of
from tests.worlds import PERSON

pytestmark = pytest.mark.django_db
HOLDER = UUID("00000000-0000-0000-0000-00000000000a")


@pytest.fixture
def server() -> SourceServer:
    return SourceServerFactory.create(tags={"Tier": "web", "App": "shop"})


def make(server: SourceServer) -> ProtectionGroup:
    return groups.create(
        name="Web",
        account=server.account,
        region=server.region,
        tags={"Tier": "web"},
        actor=PERSON,
    )


def hold(group: ProtectionGroup, holder: str = "drill of Payments") -> None:
    with transaction.atomic():
        found = ProtectionGroup.objects.filter(pk=group.pk)
        holds.hold(found, holder_id=HOLDER, holder=holder)


def release(**more: Any) -> None:
    with transaction.atomic():
        holds.release(holder_id=HOLDER, **more)


def test_a_group_that_is_held_is_not_changed(server):
    group = make(server)
    groups.amend(group, description="Two", actor=PERSON)
    hold(group)
    for change in (
        lambda: groups.edit(group, name="Web", tags={"App": "shop"}, actor=PERSON),
        lambda: groups.amend(group, owner="ops", actor=PERSON),
        lambda: groups.restore(group, 1, actor=PERSON),
        lambda: groups.delete(group, actor=PERSON),
    ):
        with World().unchanged(), pytest.raises(GroupHeld) as refused:
            change()
        assert "drill of Payments" in refused.value.detail
        assert refused.value.known_as == "PG_IN_ACTIVE_EXECUTION"
    release()
    assert groups.amend(group, owner="ops", actor=PERSON).owner == "ops"


def test_holding_and_releasing_again_changes_nothing(server):
    group = make(server)
    hold(group)
    hold(group)
    assert GroupHold.objects.count() == 1
    release(groups=ProtectionGroup.objects.none())
    assert holds.holders_of(group) == ["drill of Payments"]
    release()
    released_at = GroupHold.objects.get().released_at
    release()
    assert GroupHold.objects.get().released_at == released_at
    hold(group)
    assert GroupHold.objects.filter(released_at=None).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_hold_belongs_to_a_transaction(server):
    found = ProtectionGroup.objects.filter(pk=make(server).pk)
    with pytest.raises(RuntimeError):
        holds.hold(found, holder_id=HOLDER, holder="nobody")
    with pytest.raises(RuntimeError):
        holds.release(holder_id=HOLDER)
    assert not GroupHold.objects.exists()


def test_a_plan_is_named_before_what_holds_the_group():
    group = ProtectionGroupFactory.create()
    plan_of(group)
    hold(group)
    with pytest.raises(GroupInUse):
        groups.delete(group, actor=PERSON)
    assert holds.holders_of(group) == ["drill of Payments"]
