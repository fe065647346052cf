"""H12: what is allowed to one object, and what is listed, agree for every kind of grant."""

from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from guardian.shortcuts import assign_perm

from drportal.access import allowed, allowed_anywhere, visible
from protection.models import ProtectionGroup, TargetAccount
from protection.permissions import AccountPermission, GroupPermission
from recovery.models import RecoveryPlan
from recovery.permissions import PlanPermission
from tests.factories.protection import ProtectionGroupFactory, TargetAccountFactory
from tests.factories.recovery import RecoveryPlanFactory
from tests.factories.users import SuperuserFactory, UserFactory, grant

pytestmark = pytest.mark.django_db

KINDS: dict[str, tuple[Any, Any, Any, Any]] = {
    "account": (
        TargetAccount,
        TargetAccountFactory,
        AccountPermission.CHANGE,
        AccountPermission.VIEW,
    ),
    "group": (
        ProtectionGroup,
        ProtectionGroupFactory,
        GroupPermission.SHARE,
        GroupPermission.VIEW,
    ),
    "plan": (RecoveryPlan, RecoveryPlanFactory, PlanPermission.RECOVER, PlanPermission.DRILL),
}
FLAGS = list(product((False, True), repeat=6))  # four grants, superuser, active


@pytest.fixture(params=KINDS)
def kind(request) -> tuple[Any, Any, Any, Any]:
    return KINDS[request.param]


def _person(permission: str, on: Any, flags: tuple[bool, ...]) -> User:
    """Somebody with those of the four grants, afresh: grants are remembered on the person."""
    model_wide, one_object, role_wide, role_object, superuser, active = flags
    user = UserFactory.create(is_superuser=superuser, is_active=active)
    role = Group.objects.create(name=f"role of {user.username}")
    user.groups.add(role)
    for wanted, who, where in (
        (model_wide, user, None),
        (one_object, user, on),
        (role_wide, role, None),
        (role_object, role, on),
    ):
        if wanted:
            assign_perm(str(permission), who, where)
    return User.objects.get(pk=user.pk)


def test_one_object_and_the_list_agree_whatever_was_granted(kind) -> None:
    model, factory, granted, other = kind
    shared, unshared = factory.create(), factory.create()
    for flags in FLAGS:
        model_wide, one_object, role_wide, role_object, superuser, active = flags
        user = _person(granted, shared, flags)
        everywhere = active and (superuser or model_wide or role_wide)
        expected = {
            (granted, shared): everywhere or (active and (one_object or role_object)),
            (granted, unshared): everywhere,
            (other, shared): active and superuser,
            (other, unshared): active and superuser,
        }
        for (permission, obj), yes in expected.items():
            among = model.objects.filter(pk__in=[shared.pk, unshared.pk])
            assert allowed(user, permission, obj) is yes, (flags, permission)
            assert (obj in visible(user, permission, among=among)) is yes, (flags, permission)
        assert allowed(user, granted) is everywhere, flags
        assert (
            allowed_anywhere(user, granted, among=model.objects.all())
            is (expected[granted, shared])
        ), flags


def test_any_of_several_permissions_makes_an_object_visible(kind) -> None:
    model, factory, granted, other = kind
    shared, also, unshared = factory.create(), factory.create(), factory.create()
    user = UserFactory.create()
    grant(user, granted, on=shared)
    user = grant(user, other, on=also)
    among = model.objects.filter(pk__in=[shared.pk, also.pk, unshared.pk])
    assert set(visible(user, granted, other, among=among)) == {shared, also}
    assert set(visible(user, granted, among=among)) == {shared}


def test_an_object_granted_twice_is_listed_once(kind) -> None:
    model, factory, granted, _ = kind
    shared = factory.create()
    user = _person(granted, shared, (False, True, False, True, False, True))
    assert list(visible(user, granted, among=model.objects.all())) == [shared]


def test_only_what_is_among_the_given_is_visible(kind) -> None:
    model, factory, granted, _ = kind
    shared, left_out = factory.create(), factory.create()
    for flags in ((True, *[False] * 4, True), (False, True, False, True, False, True)):
        user = _person(granted, left_out, flags)
        assert left_out not in visible(user, granted, among=model.objects.filter(pk=shared.pk))
    superuser = SuperuserFactory.create()
    assert list(visible(superuser, granted, among=model.objects.none())) == []


def test_nobody_sees_nothing_and_may_do_nothing(kind, django_assert_num_queries) -> None:
    model, factory, granted, _ = kind
    one = factory.create()
    nobody = AnonymousUser()
    with django_assert_num_queries(0):
        assert not allowed(nobody, granted)
        assert not allowed(nobody, granted, one)
        assert list(visible(nobody, granted, among=model.objects.all())) == []
        assert not allowed_anywhere(nobody, granted, among=model.objects.all())


@pytest.mark.parametrize("how_many", [1, 50])
@pytest.mark.parametrize("where", ["object", "model-wide"])
def test_a_list_costs_one_query(kind, how_many: int, where: str, django_assert_num_queries) -> None:
    model, factory, granted, other = kind
    wide = where == "model-wide"
    user = UserFactory.create()
    for one in factory.create_batch(how_many):
        user = grant(user, granted, on=None if wide else one)
    user.get_all_permissions()  # what the person may do everywhere, which is asked once a request
    assert allowed(user, granted) is wide
    list(visible(user, granted, other, among=model.objects.all()))  # a process's first asks more
    with django_assert_num_queries(1):
        assert len(visible(user, granted, other, among=model.objects.all())) == how_many


def test_a_grant_on_one_model_is_none_on_another() -> None:
    account, group = TargetAccountFactory.create(), ProtectionGroupFactory.create()
    user = grant(UserFactory.create(), AccountPermission.VIEW)
    assert allowed(user, AccountPermission.VIEW, account)
    assert not allowed(user, GroupPermission.VIEW, group)
    assert not visible(user, GroupPermission.VIEW, among=ProtectionGroup.objects.all()).exists()
