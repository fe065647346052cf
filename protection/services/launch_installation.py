"""The launch settings of the installation: what lies beneath those of every group and server."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from drportal.actor import Actor
from protection.choices import SettingsLevel
from protection.errors import InvalidLaunchSettings, LaunchSettingsChanged
from protection.models import LaunchSettings, LaunchStanding
from protection.rules import launch as rules
from protection.services import launch_rows as rows


def set_for_installation(
    values: Mapping[str, Any], *, version: int, actor: Actor, event: str = "set", **facts: Any
) -> LaunchSettings:
    """Set what all servers are launched with, unless their group or they say otherwise.

    AWS is not asked: there is no one account to ask in. Each server's whole is checked when it is
    applied. Raises InvalidLaunchSettings and LaunchSettingsChanged.
    """
    level = SettingsLevel.INSTALLATION
    try:
        kept = rules.checked(values, level=level)
    except rules.BadValues as bad:
        raise InvalidLaunchSettings(rows.errors(bad, "")) from bad
    try:
        with transaction.atomic():
            there = LaunchSettings.objects.select_for_update().order_by("pk")
            row = there.filter(level=level).first()
            row = row or LaunchSettings(level=level, version=0)
            rows.must_be_at(row, version)
            rows.write(row, rows.Wanted(kept, version), rows.How(event, actor, facts))
            rows.outdate(LaunchStanding.objects.all())
    except IntegrityError as error:
        if "protection_one_row_of_installation_settings" not in str(error):
            raise
        raise LaunchSettingsChanged("launch settings", yours=version, current=1) from error
    return row


def restore_installation(
    settings: LaunchSettings, number: int, *, version: int, actor: Actor
) -> LaunchSettings:
    """Make a new version of the installation's settings that says what version `number` said.

    Raises what `set_for_installation` raises, and NoSuchVersion.
    """
    values = rows.document(settings, number)["values"]
    return set_for_installation(
        values, version=version, actor=actor, event="restored", from_version=number
    )
