"""The demo's people: one for each role that `sync_roles` makes."""

import json
import os
import secrets
from pathlib import Path


def make_people(logins: Path) -> dict[str, str]:
    """Make a person for each role, and one superuser; returns their passwords by user name.

    The passwords are made once and kept in the file `logins`, which only its owner can read. The
    settings must be loaded and the roles made.
    """
    from django.contrib.auth.models import Group, User
    from django.utils.text import slugify

    passwords = _kept(logins)
    roles = {slugify(group.name): group for group in Group.objects.order_by("name")}
    for username in ("admin", *roles):
        passwords.setdefault(username, secrets.token_urlsafe(9))
        role = roles.get(username)
        person, _ = User.objects.update_or_create(
            username=username,
            defaults={
                "is_staff": True,
                "is_superuser": role is None,
                "first_name": "Demo",
                "last_name": role.name if role else "Administrator",
            },
        )
        if not person.check_password(passwords[username]):
            person.set_password(passwords[username])
            person.save(update_fields=["password"])
        person.groups.set([role] if role else [])
    _keep(logins, passwords)
    return {username: passwords[username] for username in ("admin", *roles)}


def _kept(logins: Path) -> dict[str, str]:
    if not logins.exists():
        return {}
    value: dict[str, str] = json.loads(logins.read_text())
    return value


def _keep(logins: Path, passwords: dict[str, str]) -> None:
    descriptor = os.open(logins, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(passwords, file, indent=2)
