from typing import Any

from django.contrib.auth.models import Group, Permission
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from audit.services import record
from drportal.actor import PORTAL
from drportal.roles import ROLES


class Command(BaseCommand):
    help = "Make the roles as the portal's table says. Who has which role is not touched."

    @transaction.atomic
    def handle(self, *_args: Any, **_options: Any) -> None:
        known = {
            f"{permission.content_type.app_label}.{permission.codename}": permission
            for permission in Permission.objects.select_related("content_type")
        }
        unknown = sorted(frozenset().union(*ROLES.values()) - known.keys())
        if unknown:
            raise CommandError(f"No such permission: {', '.join(unknown)}. Run migrate first.")
        for name, permissions in ROLES.items():
            self._make(name, {known[permission] for permission in permissions})

    def _make(self, name: str, wanted: set[Permission]) -> None:
        role, _ = Group.objects.get_or_create(name=name)
        had = set(role.permissions.all())
        if had == wanted:
            return
        role.permissions.set(wanted)
        record(
            "access.role.changed",
            actor=PORTAL,
            subject=role,
            granted=sorted(permission.codename for permission in wanted - had),
            withdrawn=sorted(permission.codename for permission in had - wanted),
        )
        self.stdout.write(f"{name}: {len(wanted)} permissions")
