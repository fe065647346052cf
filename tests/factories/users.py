"""People, and what they may do."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from factory.declarations import Sequence
from factory.django import DjangoModelFactory, Password
from guardian.shortcuts import assign_perm

PASSWORD = "correct horse battery staple"


class UserFactory(DjangoModelFactory[User]):
    """Somebody who may do nothing yet. Logs in with PASSWORD."""

    class Meta:
        model = User

    username = Sequence(lambda n: f"person-{n}")
    password = Password(PASSWORD)


class SuperuserFactory(UserFactory):
    """Somebody who may do everything."""

    is_staff = True
    is_superuser = True


def grant(user: Any, *permissions: str, on: Model | None = None) -> Any:
    """Let `user` do `permissions`, to every object or to the one given. The same person, afresh.

    Afresh, because Django and guardian remember on the person what was asked before.
    """
    for permission in permissions:
        assign_perm(str(permission), user, on)
    return type(user).objects.get(pk=user.pk)
