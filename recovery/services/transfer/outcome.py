"""What became of each part of an imported document."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """What an import may do with what is there already."""

    ADD_ONLY = "ADD_ONLY"
    UPDATE = "UPDATE"


class What(StrEnum):
    """The kinds of parts that a document has, in the order in which they are brought in."""

    ACCOUNT = "accounts"
    STAGING_ACCOUNT = "staging_accounts"
    LAUNCH_SETTINGS = "launch_settings"
    GROUP = "groups"
    PLAN = "plans"
    TAG_SYNC = "tag_sync"
    SCHEDULE = "schedules"


class Fate(StrEnum):
    """What was done with a part. SKIPPED parts were there already and differ, or are the same."""

    CREATED = "created"
    UPDATED = "updated"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Told:
    """One part, and why it was left alone or refused."""

    what: What
    name: str
    reason: str = ""
    message: str = ""

    def as_dict(self) -> dict[str, str]:
        """As the API shows it."""
        shown = {"kind": self.what.value, "name": self.name}
        return shown | ({"reason": self.reason, "message": self.message} if self.reason else {})


@dataclass(slots=True)
class Outcome:
    """What an import did, or what it would do: a dry run of the same document tells the same."""

    mode: Mode
    dry_run: bool
    keep_going: bool
    schema_version: str
    parts: dict[Fate, list[Told]] = field(default_factory=lambda: {fate: [] for fate in Fate})
    warnings: list[dict[str, str]] = field(default_factory=list)

    def add(self, fate: Fate, told: Told) -> None:
        """Note the fate of one part."""
        self.parts[fate].append(told)

    def warn(self, place: str, code: str, message: str) -> None:
        """Note what a person ought to know although it stops nothing."""
        self.warnings.append({"field": place, "code": code, "message": message})

    @property
    def succeeded(self) -> bool:
        """Whether nothing was refused."""
        return not self.parts[Fate.FAILED]

    @property
    def kept(self) -> bool:
        """Whether what was created and updated stays, for a run that is no dry one."""
        return self.succeeded or self.keep_going

    def as_dict(self) -> dict[str, Any]:
        """As the API shows it, and as `ImportRun` keeps it. It names no dry run: see there."""
        summary = {
            what.value: {
                fate.value: sum(told.what is what for told in self.parts[fate]) for fate in Fate
            }
            for what in What
        }
        return {
            "success": self.succeeded,
            "kept": self.kept,
            "mode": self.mode.value,
            "keep_going": self.keep_going,
            "schema_version": self.schema_version,
            "summary": summary,
            **{fate.value: [told.as_dict() for told in self.parts[fate]] for fate in Fate},
            "warnings": self.warnings,
        }
