"""The rows of launch settings: a version for every change, recorded and mirrored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from audit.services import record
from drportal.actor import Actor
from drportal.mirror.services import mark
from protection.choices import Combination, DriftState, SettingsLevel
from protection.errors import LaunchSettingsChanged, NoSuchVersion
from protection.models import (
    LaunchSettings,
    LaunchSettingsVersion,
    LaunchStanding,
    SourceServer,
)
from protection.rules import launch as rules
from protection.services import launch_validation as validation

_OUTDATED = "The settings were changed after the last look."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Launch settings as somebody wants them, for one server of a group or, without one, for the
    group. `version` is the one that they began with: 0 where there were none. `prefix` stands
    before the names of fields in complaints.
    """

    values: Mapping[str, Any]
    version: int
    server: SourceServer | None = None
    combination: Combination = Combination.ADD
    prefix: str = ""

    @property
    def level(self) -> SettingsLevel:
        return SettingsLevel.SERVER if self.server else SettingsLevel.GROUP

    @property
    def key(self) -> UUID | None:
        return self.server.pk if self.server else None


@dataclass(frozen=True, slots=True)
class How:
    """How a change is written down."""

    event: str
    actor: Actor
    facts: Mapping[str, Any] = field(default_factory=dict)


def document(settings: LaunchSettings, number: int) -> dict[str, Any]:
    """What version `number` said. Raises NoSuchVersion."""
    old = settings.versions.filter(number=number).first()
    if old is None:
        raise NoSuchVersion(settings, number)
    said: dict[str, Any] = old.document
    return said


def errors(bad: rules.BadValues, prefix: str) -> list[dict[str, Any]]:
    """What the rules say against settings, as InvalidLaunchSettings takes it."""
    return [validation.Complaint.of(problem).as_error(prefix) for problem in bad.problems]


def must_be_at(row: LaunchSettings, version: int) -> None:
    """Raises LaunchSettingsChanged unless that is the row's version still."""
    if row.version != version:
        raise LaunchSettingsChanged(row, yours=version, current=row.version)


def write(row: LaunchSettings, wanted: Wanted, how: How) -> None:
    """Save a row as its next version; what is as it was stays the version that it is."""
    before = {"values": row.values, "combination": row.combination}
    now = {"values": dict(wanted.values), "combination": str(wanted.combination)}
    if row.version and before == now:
        return
    row.values, row.combination = now["values"], wanted.combination
    row.version += 1
    row.updated_at = timezone.now()
    row.save()
    kept = LaunchSettingsVersion.objects.create(
        settings=row,
        number=row.version,
        document=now,
        created_by_id=how.actor.user_id,
        created_by=how.actor.name[:254],
    )
    record(
        f"protection.launch_settings.{how.event}",
        actor=how.actor,
        subject=row.group or row,
        level=str(row.level),
        server=row.server.server_id if row.server else "",
        version=row.version,
        old=before,
        new=now,
        **how.facts,
    )
    mark("LaunchConfigurations", row.pk)
    mark("LaunchConfigurationVersions", kept.pk)


def outdate(standings: QuerySet[LaunchStanding]) -> None:
    """Nobody knows whether AWS holds the new settings before it was looked."""
    standings.update(drift=DriftState.UNKNOWN, differences=[], message=_OUTDATED)
