"""The one door for permissions: what is allowed to one object, and which objects are visible.

Guardian contradicts itself for model-wide grants: `has_perm(p)` is true, `has_perm(p, obj)` is
false and `get_objects_for_user` lists the object. So nobody asks guardian directly.
"""

from typing import Any, TypeVar

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db.models import Model, QuerySet
from guardian.shortcuts import get_objects_for_user

M = TypeVar("M", bound=Model)
Anybody = AbstractBaseUser | AnonymousUser


def allowed(user: Anybody, permission: str, obj: Model | None = None) -> bool:
    """May `user` do `permission` to `obj`, or, without one, to every object of its kind?

    `permission` is written "app_label.codename". A person who is not active may do nothing.
    """
    person: Any = user
    return person.has_perm(permission) or (obj is not None and person.has_perm(permission, obj))


def visible(user: Anybody, *permissions: str, among: QuerySet[M]) -> QuerySet[M]:
    """Those of `among` for which `allowed` would say yes to any of `permissions`, in one query."""
    if not user.is_active or not user.is_authenticated:
        return among.none()
    found: Any = get_objects_for_user(
        user, list(permissions), klass=among, any_perm=True, accept_global_perms=True
    )
    return found  # type: ignore[no-any-return]  # guardian has no annotations


def allowed_anywhere(user: Anybody, permission: str, *, among: QuerySet[M]) -> bool:
    """May `user` do `permission` to at least one of `among`?"""
    return allowed(user, permission) or visible(user, permission, among=among).exists()
